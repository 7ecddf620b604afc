"""Memory and open files of this process, looked at while others work."""

from __future__ import annotations

import asyncio
import gc
import os
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

_LOOK_SECONDS = 0.25
_PAGE = os.sysconf("SC_PAGE_SIZE")


@dataclass
class Size:
    """Memory that is in use, in MiB, and the number of open files."""

    memory: float = 0.0
    files: int = 0

    @classmethod
    def now(cls) -> Size:
        """As it is, without what nobody needs any more."""
        gc.collect()
        return cls._look()

    @classmethod
    def _look(cls) -> Size:
        pages = int(Path("/proc/self/statm").read_text().split()[1])
        return cls(pages * _PAGE / 2**20, len(list(Path("/proc/self/fd").iterdir())))

    def grow(self) -> None:
        """Become the larger of what it was and what is now."""
        now = self._look()
        self.memory, self.files = max(self.memory, now.memory), max(self.files, now.files)

    def __str__(self) -> str:
        return f"{self.memory:.0f} MiB, {self.files} files"


@asynccontextmanager
async def most() -> AsyncIterator[Size]:
    """The most that was in use while the block ran."""
    size = Size()

    async def look() -> None:
        while True:
            size.grow()
            await asyncio.sleep(_LOOK_SECONDS)

    looking = asyncio.create_task(look())
    try:
        yield size
    finally:
        looking.cancel()
        with suppress(asyncio.CancelledError):
            await looking
