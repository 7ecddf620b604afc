"""`make bench`: one table of ratios; ends with 1 when one is worse than what the README promises."""

from __future__ import annotations

import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

from armlocal.latencies import operation_seconds
from bench.chain import longest, seconds_of
from bench.sequential import Sequential
from tests.localcloud import LocalCloud, serving
from vhdlift.engine.store import Store
from vhdlift.settings import load_settings
from vhdlift.steps import PROVISION

if TYPE_CHECKING:
    from vhdlift.model import Run

SCALE = 0.2
HELP_RUNS = 7


@dataclass(frozen=True)
class Row:
    """One measured value, what it is compared with, and the most it may be."""

    what: str
    value: float
    limit: float | None
    unit: str = ""

    @property
    def holds(self) -> bool:
        """Whether the value is within its limit."""
        return self.limit is None or self.value <= self.limit


def provision(cloud: LocalCloud, folder: Path) -> tuple[list[dict[str, Any]], float]:
    """One whole run by the command line: its JSON lines, and the most memory that it had, in MB."""
    log = folder / "provision.json"
    env = {**os.environ, **cloud.env, "VHDLIFT_STATE_DIR": str(folder / "state")}
    command = [sys.executable, "-m", "vhdlift", "provision", "--json", "--vm-name", "bench1"]
    with log.open("wb") as out:
        process = subprocess.Popen(command, env=env, stdout=out, cwd=folder)
        _, status, usage = os.wait4(process.pid, 0)
    lines = [json.loads(line) for line in log.read_text().splitlines()]
    if status:
        raise SystemExit(f"The run failed: {lines[-1]}")
    return lines, usage.ru_maxrss / 1024


def run_of(folder: Path) -> Run:
    """The run that was just made, from its database."""
    store = Store.open(load_settings({}, env={"VHDLIFT_STATE_DIR": str(folder / "state")}, cwd=folder))
    (row,) = store.runs()
    store.close()
    return row.run


def moment(lines: list[dict[str, Any]], step: str, state: str) -> float:
    """When a step started or was done, in seconds."""
    events = (line.get("event", line) for line in lines)
    found = next(e for e in events if e.get("step") == step and e.get("state") == state)
    return datetime.fromisoformat(found["timestamp"]).timestamp()


def down_seconds(cloud: LocalCloud) -> float:
    """How long Azure was without the source VM: from the request that stops it until its start has ended."""
    asked = {
        row["path"].partition("?")[0].rsplit("/", 1)[1]: row
        for row in cloud.requests()
        if row["method"] == "POST"
    }
    stop, start = (datetime.fromisoformat(asked[name]["time"]) for name in ("deallocate", "start"))
    coming_up = float(asked["start"]["duration"]) + operation_seconds("vm_start") * SCALE
    return (start - stop).total_seconds() + coming_up


def rows_of_run(
    cloud: LocalCloud, lines: list[dict[str, Any]], needs: dict[str, tuple[str, ...]]
) -> list[Row]:
    """Time to the end of the extension, and time without the source VM, over the stand-in's own."""
    began = min(moment(lines, name, "started") for name in ("source_inspected", "resource_group_ready"))
    took = moment(lines, "setup_extension_installed", "done") - began
    chain = longest(needs, "setup_extension_installed") * SCALE
    alone = sum(map(seconds_of, ("source_stopped", "snapshot_created", "source_restarted"))) * SCALE
    return [
        Row("vhdlift, to the end of the extension / the stand-in's longest chain", took / chain, 1.10),
        Row("vhdlift, source VM down / stop + snapshot + start", down_seconds(cloud) / alone, 1.05),
    ]


def rows_of_script(cloud: LocalCloud, run: Run, needs: dict[str, tuple[str, ...]]) -> list[Row]:
    """The same two for the SDKs in order, with their default polling."""
    took = Sequential(cloud.env, run).seconds()
    chain = longest(needs, "setup_extension_installed") * SCALE
    alone = sum(map(seconds_of, ("source_stopped", "snapshot_created", "source_restarted"))) * SCALE
    return [
        Row("SDKs in order, to the end of the extension / the same chain", took / chain, None),
        Row("SDKs in order, source VM down / the same", down_seconds(cloud) / alone, None),
    ]


def help_seconds() -> float:
    """The median time of `vhdlift --help` in a fresh process."""
    command, times = Path(sys.executable).with_name("vhdlift"), []
    for _ in range(HELP_RUNS):
        began = time.monotonic()
        subprocess.run([command, "--help"], check=True, stdout=subprocess.DEVNULL)
        times.append(time.monotonic() - began)
    return statistics.median(times)


def main() -> int:
    """Measure everything, print the table, say by the exit code whether all limits hold."""
    needs = {step.name: step.needs for step in PROVISION}
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        with serving(folder / "azure", "--port", "0", "--time-scale", str(SCALE)) as cloud:
            lines, memory = provision(cloud, folder)
            rows = rows_of_run(cloud, lines, needs)
            cloud.reset()
            rows += rows_of_script(cloud, run_of(folder), needs)
    rows.append(Row("peak memory of provision", memory, 200, " MB"))
    rows.append(Row("`vhdlift --help`, cold, median of 7", help_seconds(), 0.3, " s"))
    print("| what | measured | at most |\n|---|---|---|")
    for row in rows:
        limit = "" if row.limit is None else f"{row.limit:g}{row.unit}"
        print(f"| {row.what} | {row.value:.3f}{row.unit}{'' if row.holds else ' (!)'} | {limit} |")
    return 0 if all(row.holds for row in rows) else 1


if __name__ == "__main__":
    sys.exit(main())
