"""The command line as a user has it: a process, its exit code, its two outputs."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tests.prepared import Command

LONGEST_SECONDS = 240


@dataclass(frozen=True)
class Said:
    """What a command ended with and said."""

    code: int
    out: str
    err: str

    def events(self) -> list[dict[str, Any]]:
        """The JSON objects of `--json`, one a line; the last is the result."""
        return [json.loads(line) for line in self.out.splitlines()]

    @property
    def result(self) -> dict[str, Any]:
        """The result object of `--json`."""
        return self.events()[-1]


class Tool:
    """`vhdlift` in an environment of its own, with its state in a folder of its own."""

    def __init__(self, env: Mapping[str, str], folder: Path) -> None:
        self.folder = folder
        self.state = folder / "state"
        self._count = 0
        self.env = {
            **{k: v for k, v in os.environ.items() if not k.startswith(("VHDLIFT_", "AZURE_", "SMTP_"))},
            **env,
            "VHDLIFT_STATE_DIR": str(self.state),
            # A command that hangs is aborted, and then tells where each of its threads was.
            "PYTHONFAULTHANDLER": "1",
        }

    def start(self, *words: str, **env: str) -> Command:
        """Start a command and return at once."""
        said = self.folder / "said"
        said.mkdir(exist_ok=True)
        self._count += 1
        return Command(words, {**self.env, **env}, self.folder, said / str(self._count))

    def run_afresh(self, *words: str, **env: str) -> Said:
        """Run the command as a user's shell does: in a process that has nothing imported yet."""
        done = subprocess.run(
            [sys.executable, "-m", "vhdlift", *words],
            cwd=self.folder,
            env={**self.env, **env},
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=LONGEST_SECONDS,
            check=False,
        )
        return Said(done.returncode, done.stdout, done.stderr)

    def run(self, *words: str, **env: str) -> Said:
        """Run a command to its end."""
        process = self.start(*words, **env)
        try:
            out, err = process.communicate(timeout=LONGEST_SECONDS)
        except subprocess.TimeoutExpired:
            process.send_signal(signal.SIGABRT)
            out, err = process.communicate()
            raise AssertionError(f"{words[0]} did not end; it said:\n{out[-2000:]}\n{err[-8000:]}") from None
        return Said(process.wait(), out, err)

    def provision(self, *words: str, vm_name: str = "lab1", **env: str) -> Said:
        """`vhdlift provision --json` for a target VM of this name."""
        return self.run("provision", "--json", "--vm-name", vm_name, *words, **env)
