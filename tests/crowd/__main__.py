"""`make crowd`: a hundred runs at once, one call in a hundred goes wrong; ends with 1 if a run ends badly."""

from __future__ import annotations

import argparse
import asyncio
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from pydantic import SecretStr

from tests.crowd.ends import complaints
from tests.crowd.measure import Size, most
from tests.crowd.sources import GROUP, make_sources, name_of
from tests.crowd.weather import faults
from tests.localcloud import LocalCloud, serving
from vhdlift.engine.engine import Engine
from vhdlift.engine.store import Outcome
from vhdlift.memory import give_back_what_is_freed
from vhdlift.model import Run
from vhdlift.settings import Settings, load_settings

PASSWORD = "Correct-Horse-9-Battery"
TOOL_SCALE = "0.25"
# What a crowd may leave behind in the process, beside what a few runs left: MiB, and files.
MOST_MEMORY_LEFT, MOST_FILES_LEFT = 96.0, 16
POSTS_SECONDS = 900.0


@dataclass
class Crowd:
    """What became of runs that were started at the same time."""

    runs: list[tuple[Run, Outcome]]
    most: Size
    after: Size
    seconds: float

    def told(self) -> str:
        """One line."""
        ends = Counter(outcome.status for _, outcome in self.runs)
        said = ", ".join(f"{number} {status}" for status, number in sorted(ends.items()))
        return f"{said}; {self.seconds:.0f} s; at most {self.most}; after it {self.after}"


def arguments(words: Sequence[str]) -> argparse.Namespace:
    """What was asked for."""
    parser = argparse.ArgumentParser("python -m tests.crowd", description=__doc__)
    parser.add_argument("--runs", type=int, default=100, help="runs at once")
    parser.add_argument("--before", type=int, default=5, help="runs before them, in good weather")
    parser.add_argument("--chance", type=float, default=0.01, help="of each call to go wrong")
    parser.add_argument("--seed", type=int, default=0, help="which calls do")
    parser.add_argument("--time-scale", default="0.02", help="of the stand-in")
    return parser.parse_args(words)


async def crowd(engine: Engine, settings: Settings, numbers: range) -> Crowd:
    """Start runs at the same time and follow them to their ends."""

    async def one(number: int) -> tuple[Run, Outcome]:
        run = _run(settings, number)
        await engine.start(run)
        return run, await engine.follow(run.id, lambda _event: None)

    began = time.monotonic()
    async with most() as peak:
        ended = await asyncio.gather(*(one(number) for number in numbers))
        # A run does not wait for long until its posts are out; whoever looks at them does.
        async with asyncio.timeout(POSTS_SECONDS):
            while any(engine.store.unposted(run.id) for run, _ in ended):  # noqa: ASYNC110
                await asyncio.sleep(1)
    for run, _ in ended:
        engine.release(run.id)
    return Crowd(list(ended), peak, Size.now(), time.monotonic() - began)


def _run(settings: Settings, number: int) -> Run:
    from vhdlift.engine import api  # noqa: PLC0415

    name = f"new{number:03}"
    own = {"source_vm": name_of(number), "vm_name": name, "resource_group": f"{name}-rg", "subdomain": name}
    return api.new_run(settings.spec(**own, source_resource_group=GROUP))


def settings_for(cloud: LocalCloud, folder: Path) -> Settings:
    """Those of the stand-in, with a password, and more patience than its clock asks for.

    The bytes of all guests go through this one machine, so that they take as long as it needs.
    """
    patience = {"VHDLIFT_TIME_SCALE": TOOL_SCALE, "VHDLIFT_SILENCE_MINUTES": "1440"}
    checks = {"VHDLIFT_VERIFY": "structure"}
    env = {**cloud.env, **patience, **checks, "VHDLIFT_STATE_DIR": str(folder / "state")}
    given = load_settings({}, env=env, cwd=folder, for_run=True)
    return given.model_copy(update={"admin_password": SecretStr(PASSWORD)})


async def play(cloud: LocalCloud, folder: Path, asked: argparse.Namespace) -> list[str]:
    """A few runs, then the crowd, in one process; what is wrong with the crowd."""
    settings = settings_for(cloud, folder)
    few, many = range(asked.before), range(asked.before, asked.before + asked.runs)
    await asyncio.to_thread(make_sources, cloud, range(many.stop))
    async with Engine.open(settings) as engine:
        before = await crowd(engine, settings, few)
        _say(f"before: {before.told()}")
        cloud.control("faults", faults(asked.chance, asked.seed))
        after = await crowd(engine, settings, many)
        struck = sum(fault["hits"] for fault in cloud.ask("faults"))
        cloud.clear_faults()
        _say(f"crowd:  {after.told()}; {struck} of {len(cloud.requests())} calls went wrong")
    grown = _growth(before.after, after.after) if asked.before else []
    return [*complaints(cloud, [*before.runs, *after.runs]), *grown]


def _growth(before: Size, after: Size) -> list[str]:
    found = []
    if after.memory - before.memory > MOST_MEMORY_LEFT:
        found.append(f"memory grew from {before.memory:.0f} to {after.memory:.0f} MiB")
    if after.files - before.files > MOST_FILES_LEFT:
        found.append(f"open files grew from {before.files} to {after.files}")
    return found


def _say(line: str) -> None:
    sys.stdout.write(line + "\n")
    sys.stdout.flush()


def main(words: Sequence[str]) -> int:
    """Play a crowd; 0 when all of it ended well."""
    asked = arguments(words)
    give_back_what_is_freed()  # as a worker does
    with tempfile.TemporaryDirectory(prefix="vhdlift-crowd-") as name:
        folder = Path(name)
        with serving(folder / "cloud", "--port", "0", "--time-scale", asked.time_scale) as cloud:
            found = asyncio.run(play(cloud, folder, asked))
    for sentence in found:
        _say(f"WRONG {sentence}")
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
