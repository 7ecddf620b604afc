"""One open set of Azure clients for all steps that run at the same time.

Signing in and shaking hands anew in each step would cost the source VM part of its life. The clients are
opened by the first step that wants them and closed when the last one has left. Each event loop has a set of
its own, as connections belong to the loop that opened them: the durable functions run in DBOS's, and what is
looked after beside them in that of the process.
"""

from __future__ import annotations

import asyncio
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from typing import TYPE_CHECKING, Any
from weakref import WeakKeyDictionary

import structlog

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable

    from vhdlift.settings import Settings

    Open = Callable[[Settings], AbstractAsyncContextManager[Any]]

log = structlog.get_logger("vhdlift.engine")

CLOSE_SECONDS = 10.0


def shared(open_clients: Open) -> Open:
    """The same opener, whose context may be entered by many at once and is opened once for all of a loop."""
    sets: WeakKeyDictionary[asyncio.AbstractEventLoop, _Shared] = WeakKeyDictionary()

    def enter(settings: Settings) -> AbstractAsyncContextManager[Any]:
        return sets.setdefault(asyncio.get_running_loop(), _Shared(open_clients)).enter(settings)

    return enter


class _Shared:
    """The clients of one event loop."""

    def __init__(self, open_clients: Open) -> None:
        self._open_clients = open_clients
        self._users = 0
        self._held: AbstractAsyncContextManager[Any] | None = None
        self._clients: Any = None
        self._turn = asyncio.Lock()

    @asynccontextmanager
    async def enter(self, settings: Settings) -> AsyncIterator[Any]:
        async with self._turn:
            if self._held is None:
                opening = self._open_clients(settings)
                self._clients = await opening.__aenter__()
                self._held = opening
            self._users += 1
        try:
            yield self._clients
        finally:
            # Counted before anything is waited for: a step that is cancelled here must not be counted on.
            self._users -= 1
            async with self._turn:
                if self._users == 0 and self._held is not None:
                    leaving, self._held = self._held, None
                    await _close(leaving)


async def _close(clients: AbstractAsyncContextManager[Any]) -> None:
    """Close them, within a limit; what goes wrong here is no fault of the step that has ended."""
    try:
        async with asyncio.timeout(CLOSE_SECONDS):
            await clients.__aexit__(None, None, None)
    except Exception:  # anything: the step is over
        log.exception("clients_not_closed")
