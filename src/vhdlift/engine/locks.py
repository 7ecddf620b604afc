"""The right to work on a run: one process has it at a time.

On SQLite it is a lock on a file of the state directory: the database is of this machine, so its workers are,
and the kernel gives the lock back when its holder dies. On PostgreSQL it is a lock of the server
(`advisory.py`), which holds between machines.
"""

from __future__ import annotations

import fcntl
import time
from contextlib import contextmanager
from typing import IO, TYPE_CHECKING, Protocol

from vhdlift.engine.database import database_url, opening
from vhdlift.errors import VhdliftError

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from pathlib import Path

    from vhdlift.settings import Settings

TRIES = 6
LOOK_SECONDS = 0.1


class Locks(Protocol):
    """The rights that this process holds."""

    def take(self, run_id: str) -> bool:
        """Try to get the right to work on this run; False when somebody has it, ourselves included."""

    def give_back(self, run_id: str) -> None:
        """Let others work on the run."""

    def taken(self, run_ids: Iterable[str]) -> set[str]:
        """Those of these runs that somebody works on."""

    def held(self) -> bool:
        """Whether what was taken is ours still; once False, it is gone until `take` gives it back."""

    def close(self) -> None:
        """Give everything back."""


class FileLocks:
    """Locks on files, which hold between the processes of one machine.

    Raises:
        VhdliftError: from every call, when the files cannot be made.
    """

    def __init__(self, folder: Path) -> None:
        with opening(folder.parent):
            folder.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
            folder.mkdir(exist_ok=True, mode=0o700)
        self._folder = folder
        self._files: dict[str, IO[str]] = {}

    def take(self, run_id: str) -> bool:
        """Try to lock the run's file."""
        file = self._open(run_id)
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            file.close()
            return False
        self._files[run_id] = file
        return True

    def give_back(self, run_id: str) -> None:
        """Unlock the run's file."""
        if file := self._files.pop(run_id, None):
            file.close()

    def taken(self, run_ids: Iterable[str]) -> set[str]:
        """Those whose file is locked; a look holds the lock for a moment itself."""
        return {run_id for run_id in run_ids if run_id in self._files or not self._is_free(run_id)}

    def held(self) -> bool:
        """The kernel never takes a lock away."""
        return True

    def close(self) -> None:
        """Unlock all."""
        for run_id in list(self._files):
            self.give_back(run_id)

    def _is_free(self, run_id: str) -> bool:
        if not self._path(run_id).exists():
            return True
        with self._open(run_id) as file:
            try:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except OSError:
                return False
        return True

    def _open(self, run_id: str) -> IO[str]:
        with opening(self._folder.parent):
            return self._path(run_id).open("a+")

    def _path(self, run_id: str) -> Path:
        return self._folder / f"{run_id}.lock"


@contextmanager
def opened(settings: Settings) -> Iterator[Locks]:
    """The locks that go with the database of these settings, given back at the end.

    Raises:
        VhdliftError: the database server cannot be reached, or the state directory cannot be used.
    """
    url = database_url(settings)
    locks: Locks
    if url.startswith("sqlite"):
        locks = FileLocks(settings.state_dir / "locks")
    else:
        from vhdlift.engine.advisory import ServerLocks  # noqa: PLC0415 - a driver that few need

        locks = ServerLocks(url, settings.time_scale)
    try:
        yield locks
    finally:
        locks.close()


def take(locks: Locks, run_id: str) -> None:
    """Take the right to work on the run, and try more than once: who only looks holds a file's lock, too.

    Raises:
        VhdliftError: another process works on it.
    """
    for left in reversed(range(TRIES)):
        if locks.take(run_id):
            return
        if left:
            time.sleep(LOOK_SECONDS)
    sentence = f"Another process is working on run {run_id}."
    raise VhdliftError(sentence, f"`vhdlift watch {run_id}` follows it.")
