"""The guest's C#, compiled and run by Mono where it is installed: as C# 5, as Windows would."""

from __future__ import annotations

import shutil
import subprocess
from dataclasses import dataclass
from pathlib import Path

import pytest

from vhdlift.guest.render import csharp

_REFERENCES = ("-r:System.dll", "-r:System.Xml.dll")


@dataclass(frozen=True)
class Harness:
    """The compiled program; `run` is one command."""

    program: Path

    def run(self, *arguments: object, ok: bool = True) -> str:
        """What it prints."""
        command = ["mono", str(self.program), *map(str, arguments)]
        done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=60)
        assert (done.returncode == 0) == ok, done.stdout + done.stderr
        return done.stdout


def build(folder: Path) -> Harness:
    """Compile all of it; the test is skipped, and says so, where there is no Mono."""
    if shutil.which("mcs") is None or shutil.which("mono") is None:
        pytest.skip("Mono (mcs, mono) is not installed here: the guest's C# was not run")
    source, program = folder / "guest.cs", folder / "guest.exe"
    source.write_text(csharp(), "ascii")
    harness = Path(__file__).parent / "harness.cs"
    command = [
        "mcs",
        "-langversion:5",
        "-warnaserror",
        *_REFERENCES,
        f"-out:{program}",
        str(source),
        str(harness),
    ]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    return Harness(program)
