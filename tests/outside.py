"""Programs that other people wrote to read disks: the judges of what this repository writes."""

from __future__ import annotations

import os
import shutil
import subprocess
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from pathlib import Path

_PLACES = os.pathsep.join([os.environ.get("PATH", ""), "/usr/sbin", "/sbin"])


def tool(name: str) -> str:
    """The program's path; skips the test, saying so, where it is not installed."""
    path = shutil.which(name, path=_PLACES)
    if path is None:
        pytest.skip(f"{name} is not installed here")
    return path


def run(name: str, *arguments: str | Path) -> str:
    """What the program prints; its failure fails the test."""
    command = [tool(name), *map(str, arguments)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, f"{command}: {done.stdout}{done.stderr}"
    return done.stdout
