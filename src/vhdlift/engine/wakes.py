"""Wakes whoever waits for news of a run, in whatever event loop or thread they live."""

from __future__ import annotations

import asyncio
import contextlib
import threading
from collections import Counter


class Wakes:
    """One bell for each run: a hundred waiters cost nothing while nothing happens.

    Whoever waits takes `count` before it looks, and hands it to `wait`: what rings in between is not missed.
    """

    def __init__(self) -> None:
        self._guard = threading.Lock()
        self._counts: Counter[str] = Counter()
        self._waiting: dict[str, set[tuple[asyncio.AbstractEventLoop, asyncio.Future[None]]]] = {}

    def count(self, run_id: str) -> int:
        """How often the run's bell has rung."""
        with self._guard:
            return self._counts[run_id]

    def ring(self, run_id: str) -> None:
        """Wake all who wait for this run; from any thread."""
        with self._guard:
            self._counts[run_id] += 1
            waiting = list(self._waiting.get(run_id, ()))
        for loop, bell in waiting:
            with contextlib.suppress(RuntimeError):  # a loop that is closed has nobody waiting
                loop.call_soon_threadsafe(_answer, bell)

    async def wait(self, run_id: str, count: int, limit: float) -> None:
        """Return when the bell has rung more than `count` times, or after `limit` seconds."""
        loop = asyncio.get_running_loop()
        bell: asyncio.Future[None] = loop.create_future()
        with self._guard:
            if self._counts[run_id] != count:
                return
            self._waiting.setdefault(run_id, set()).add((loop, bell))
        try:
            async with asyncio.timeout(limit):
                await bell
        except TimeoutError:
            pass
        finally:
            self._leave(run_id, loop, bell)

    def forget(self, run_id: str) -> None:
        """Nobody will wait for this run any more."""
        with self._guard:
            if not self._waiting.get(run_id):
                self._counts.pop(run_id, None)

    def _leave(self, run_id: str, loop: asyncio.AbstractEventLoop, bell: asyncio.Future[None]) -> None:
        with self._guard:
            waiting = self._waiting.get(run_id, set())
            waiting.discard((loop, bell))
            if not waiting:
                self._waiting.pop(run_id, None)


def _answer(bell: asyncio.Future[None]) -> None:
    if not bell.done():
        bell.set_result(None)
