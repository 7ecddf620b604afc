"""A process that works on a run of fake steps and is killed by the test, or a worker that takes it over.

Its steps write down each time they run, and the one that the test names waits for ever, so that it can be
killed there.
"""

from __future__ import annotations

import asyncio
import os
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from tests.engine.conftest import settings_in
from tests.engine.doubles import SPEC, Cloud, Fake, play
from vhdlift.engine import api
from vhdlift.errors import Leftover, VhdliftError
from vhdlift.model import Run
from vhdlift.settings import Settings
from vhdlift.steps.base import Context

RUN = Run("01J00000000000000000000000", SPEC, "2026-01-01T00:00:00.000Z", "0")


class Writing(Fake):
    """A step that notes in a file each time it begins, does and undoes."""

    folder: Path
    wait_in = ""
    fail_in = ""

    async def do(self, c: Context) -> dict[str, Any]:
        self._note(f"begin {self.name}")
        await self._wait(f"do {self.name}")
        if self.fail_in == self.name:
            raise VhdliftError("It broke.")
        self._note(f"do {self.name}")
        return {f"{self.name}_id": self.name}

    async def undo(self, c: Context) -> Sequence[Leftover]:
        self._note(f"begin undo {self.name}")
        await self._wait(f"undo {self.name}")
        self._note(f"undo {self.name}")
        return []

    def _note(self, line: str) -> None:
        with (self.folder / "log").open("a") as file:
            file.write(line + "\n")

    async def _wait(self, at: str) -> None:
        if self.wait_in == at:
            await asyncio.Event().wait()


def settings_of(folder: Path) -> Settings:
    """The test's settings with a password, and the database that the environment says."""
    url = os.environ.get("VHDLIFT_DATABASE_URL")
    extra = {"VHDLIFT_DATABASE_URL": url} if url else {}
    return settings_in(folder, VHDLIFT_ADMIN_PASSWORD="Correct-Horse-9-Battery", **extra)


async def main(folder: Path, wait_in: str, fail_in: str) -> None:
    cloud = Cloud()
    Writing.folder, Writing.wait_in, Writing.fail_in = folder, wait_in, fail_in
    plan = {"a": [], "b": ["a"], "x": ["a"], "c": ["b", "x"]}
    steps = tuple(Writing(cloud, name, *needs) for name, needs in plan.items())
    if wait_in == "serve":
        doubles: dict[str, Any] = {"open_clients": cloud.clients, "inventory": cloud.inventory}
        await api.serve(settings_of(folder / "worker"), steps=steps, **doubles)
        return
    outcome = await play(settings_of(folder), cloud, *steps, run=RUN)
    (folder / "outcome").write_text(outcome.status)


if __name__ == "__main__":
    asyncio.run(main(Path(sys.argv[1]), sys.argv[2], sys.argv[3]))
