"""One worker's local Azure, and the real command as processes that can be killed."""

from __future__ import annotations

import json
import shutil
import signal
import subprocess
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from tests.e2e.tool import Tool
from tests.localcloud import LocalCloud, ndjson, serving
from tests.prepared import Command
from tests.torture.databases import Databases

LONGEST_SECONDS = 240.0
LOOK_SECONDS = 0.03
TIME_SCALE = "0.005"


class NotReached(Exception):
    """The run ended before the point; says how many matching requests it sent."""

    def __init__(self, seen: int) -> None:
        super().__init__(f"only {seen} such requests")
        self.seen = seen


class Hung(Exception):
    """A command did not end by itself; says what it was doing."""


class Victim:
    """One running command."""

    def __init__(self, command: Command) -> None:
        self._command = command
        self._began = time.monotonic()

    @property
    def ended(self) -> bool:
        """Whether it is over."""
        return self._command.poll() is not None

    def lines(self) -> list[dict[str, Any]]:
        """What it has said so far: the JSON lines that are whole."""
        whole = self._command.output()[0].rpartition("\n")[0]
        return [json.loads(line) for line in whole.splitlines() if line.startswith("{")]

    def run_id(self) -> str | None:
        """The run that it speaks of."""
        return next((str(line["run_id"]) for line in self.lines() if line.get("run_id")), None)

    def errors(self) -> str:
        """The end of what it wrote to stderr."""
        return self._command.output()[1][-3000:]

    def kill(self) -> None:
        """SIGKILL to all of it."""
        self._command.kill()
        self._command.wait()

    def wait_for(self, condition: Callable[[], Any]) -> bool:
        """Wait until the condition holds; False when the command ended without.

        Raises:
            Hung: neither came.
        """
        while not condition():
            if self.ended:
                return bool(condition())
            if time.monotonic() - self._began > LONGEST_SECONDS:
                raise self._hung()
            time.sleep(LOOK_SECONDS)
        return True

    def code(self) -> int:
        """Its exit code, waited for.

        Raises:
            Hung: it did not end.
        """
        try:
            return self._command.wait(LONGEST_SECONDS)
        except subprocess.TimeoutExpired:
            raise self._hung() from None

    def _hung(self) -> Hung:
        self._command.send_signal(signal.SIGABRT)
        self._command.wait()
        return Hung(f"`vhdlift {' '.join(self._command.words)}` did not end: {self.errors()}")


class Stage:
    """One local Azure and a folder for each point that is played on it."""

    def __init__(self, cloud: LocalCloud, folder: Path, databases: Databases) -> None:
        self.cloud = cloud
        self._folder = folder
        self._databases = databases
        self.tool = _unmeasured(Tool(cloud.env, folder))

    @contextmanager
    def scene(self) -> Iterator[None]:
        """The starting world and no run yet; what is left of it is thrown away at the end."""
        self.cloud.reset()
        folder = self._folder / "scene"
        shutil.rmtree(folder, ignore_errors=True)
        folder.mkdir(parents=True)
        with self._databases.one() as env:
            self.tool = _unmeasured(Tool({**self.cloud.env, **env}, folder))
            try:
                yield
            finally:
                self.release(lost=True)
                self.clear_faults()

    def start(self, *words: str) -> Victim:
        """Start `vhdlift` with these words."""
        return Victim(self.tool.start(*words))

    def provision(self) -> Victim:
        """Start the whole job."""
        return self.start("provision", "--json", "--vm-name", "lab1")

    def hold(self, operation: str, where: str, nth: int, side: str) -> None:
        """Ask for one request to be held."""
        asked = {"operation": operation, "resource": where, "kind": "hold", "nth": nth, "when": side}
        self.cloud.control("faults", asked)

    def held(self) -> list[dict[str, Any]]:
        """What is held right now."""
        return list(self.cloud.ask("held"))

    def release(self, *, lost: bool = False, which: int | None = None) -> None:
        """Let held requests go."""
        self.cloud.control("release", {"lost": lost, **({} if which is None else {"id": which})})

    def clear_faults(self) -> None:
        """Nothing goes wrong from now on."""
        self.cloud.clear_faults()

    def until_held(self, victim: Victim, count: int = 1) -> None:
        """Wait until so many requests are held.

        Raises:
            NotReached: the command ended before.
        """
        if not victim.wait_for(lambda: len(self.held()) >= count):
            faults = self.cloud.ask("faults")
            raise NotReached(max((int(f["seen"]) for f in faults if f["kind"] == "hold"), default=0))

    def known_run(self) -> str | None:
        """The run that the database has."""
        victim = self.start("runs", "--json")
        victim.code()
        return victim.run_id()

    def posts(self) -> list[tuple[str, dict[str, Any]]]:
        """Webhook posts of the tool itself, with their `webhook-id`, in order of arrival."""
        rows = ndjson(self.cloud.folder / "webhooks.ndjson")
        own = [r for r in rows if r["body"]["details"].get("reporter") != "guest" and r["body"]["run_id"]]
        return [(str(row["headers"].get("webhook-id")), row["body"]) for row in own]


def _unmeasured(tool: Tool) -> Tool:
    """What is killed has no measurement to hand over, and is quicker without one."""
    tool.env = {name: value for name, value in tool.env.items() if not name.startswith("COVERAGE_")}
    return tool


@contextmanager
def staged(folder: Path, databases: Databases) -> Iterator[Stage]:
    """A stage, for as long as the block lasts."""
    with serving(folder / "cloud", "--port", "0", "--time-scale", TIME_SCALE) as cloud:
        yield Stage(cloud, folder, databases)
