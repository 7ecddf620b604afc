"""Hours of waiting in seconds: an event loop whose clock and timers run fast. Sockets are as they are."""

from __future__ import annotations

import asyncio
import selectors
from collections.abc import Coroutine
from typing import Any

SPEED = 400


class FastLoop(asyncio.SelectorEventLoop):
    """Its `time` goes `SPEED` times as fast as a clock."""

    def __init__(self) -> None:
        super().__init__(_FastSelector())

    def time(self) -> float:
        """Seconds that only grow."""
        return super().time() * SPEED


class _FastSelector(selectors.DefaultSelector):
    def select(self, timeout: float | None = None) -> Any:
        return super().select(None if timeout is None else timeout / SPEED)


def in_fast_time(test: Coroutine[Any, Any, None]) -> None:
    """Run a test on such a loop."""
    with asyncio.Runner(loop_factory=FastLoop) as runner:
        runner.run(test)
