"""The stand-in for Azure as a child process: started, waited for, and stopped whatever happens."""

from __future__ import annotations

import shlex
import subprocess
import sys
import time
from contextlib import contextmanager
from typing import TYPE_CHECKING

from vhdlift.errors import VhdliftError

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from pathlib import Path

READY_SECONDS = 300.0
"""The first of all starts installs Azurite, which takes a slow network long."""
STOP_SECONDS = 15.0
LOOK_SECONDS = 0.05
TAIL_LINES = 15
FOREIGN = ("AZURE_", "VHDLIFT_", "SMTP_", "ARM_", "IDENTITY_", "MSI_")


@contextmanager
def standin(folder: Path, time_scale: float | None) -> Iterator[subprocess.Popen[bytes]]:
    """Run `armlocal serve` in `folder` until the block ends; inside it, it is ready.

    It has a session of its own, so that Ctrl-C reaches this process first, and it is stopped after it.

    Args:
        folder: where all its files go.
        time_scale: how long its operations take, compared with the real service; its own default if None.

    Raises:
        VhdliftError: it did not start, or not in time; the sentence has its last words.
    """
    command = [sys.executable, "-m", "armlocal", "serve", "--dir", str(folder), "--port", "0"]
    if time_scale is not None:
        command += ["--time-scale", str(time_scale)]
    with (folder / "armlocal.log").open("wb") as log:
        process = subprocess.Popen(  # noqa: S603  # our own module
            command, stdin=subprocess.DEVNULL, stdout=log, stderr=log, start_new_session=True
        )
    try:
        _wait_until_ready(process, folder)
        yield process
    finally:
        stop(process)


def stop(process: subprocess.Popen[bytes], patience: float = STOP_SECONDS) -> None:
    """Ask the process to end, and end it if it has not after so many seconds."""
    process.terminate()
    try:
        process.wait(patience)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()


def exports(text: str) -> dict[str, str]:
    """The variables of a file of `export NAME=value` lines, quoted as a shell reads them."""
    words = [word for line in text.splitlines() for word in shlex.split(line, comments=True)]
    return dict(word.split("=", 1) for word in words if "=" in word)


def isolated(environment: Mapping[str, str], theirs: Mapping[str, str]) -> dict[str, str]:
    """The environment with the stand-in's variables and none that leads to a real subscription."""
    kept = {name: value for name, value in environment.items() if not name.startswith(FOREIGN)}
    return {**kept, **theirs}


def _wait_until_ready(process: subprocess.Popen[bytes], folder: Path) -> None:
    deadline = time.monotonic() + READY_SECONDS
    while not (folder / "env").exists():
        if process.poll() is not None:
            raise _not_ready(folder, f"The stand-in for Azure ended with code {process.returncode}.")
        if time.monotonic() > deadline:
            raise _not_ready(folder, f"The stand-in for Azure was not ready after {READY_SECONDS:.0f} s.")
        time.sleep(LOOK_SECONDS)


def _not_ready(folder: Path, sentence: str) -> VhdliftError:
    log = folder / "armlocal.log"
    words = log.read_text(encoding="utf-8", errors="replace").splitlines()[-TAIL_LINES:]
    hint = f"All of it is in {log}."
    if any("ModuleNotFoundError" in line for line in words):
        hint = "The stand-in needs more packages: install `vhdlift[local]`."
    return VhdliftError("\n".join([sentence, *(f"  {line}" for line in words)]), hint)
