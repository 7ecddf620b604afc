"""What a phase is given: the values, the wire, a folder, and a pace."""

from __future__ import annotations

import asyncio
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from fixedvhd import MIB

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable
    from pathlib import Path

    from armlocal.guest.values import Values
    from armlocal.guest.wire import Wire


class Skipped(str):
    """The sentence of a phase that had nothing to do, with the reason."""

    __slots__ = ()


@dataclass
class Work:
    """One phase at work.

    Attributes:
        values: of the script's head.
        wire: to the snapshot and the container.
        folder: where the guest's disk is.
        facts: what phases hand on.
        least: seconds at scale 1 that the phase takes at least, spread over its bytes.
        lies: whether it shall lie.
        probe: writes into the container, or raises.
        began: the moment it began, of `time.monotonic`.
        done: bytes so far; None for a phase that does not count any.
        total: bytes in all.
    """

    values: Values
    wire: Wire
    folder: Path
    facts: dict[str, Any]
    least: float
    lies: bool
    probe: Callable[[], Awaitable[None]]
    began: float
    done: int | None = None
    total: int | None = None

    @property
    def vhd(self) -> Path:
        """The file that becomes the artefact."""
        return self.folder / "disk.vhd"

    def sentence(self) -> str:
        """How far it is, for people."""
        if self.done is None or self.total is None:
            return "at work"
        rate = self.done / 1e6 / max(0.001, time.monotonic() - self.began)
        return f"{self.done / MIB:.1f} of {self.total / MIB:.1f} MiB, {rate:.0f} MB/s"

    def count(self, total: int) -> None:
        """From here on bytes are counted."""
        self.done, self.total = 0, total

    async def moved(self, length: int) -> None:
        """So many bytes more; waits if that was faster than the phase shall be."""
        self.done = (self.done or 0) + length
        await self.wait_for(self.done / self.total if self.total else 1.0)

    async def wait_for(self, share: float = 1.0) -> None:
        """Waits until this share of the phase's least time is over."""
        due = self.began + self.least * self.values.scale * share
        await asyncio.sleep(max(0.0, due - time.monotonic()))
