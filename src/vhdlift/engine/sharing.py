"""One open set of Azure clients for all steps that run at the same time.

Signing in and shaking hands anew in each step would cost the source VM part of its life. The clients are
opened by the first step that wants them and closed when the last one has left, in the event loop of the
steps, where they belong.
"""

from __future__ import annotations

import asyncio
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from typing import TYPE_CHECKING, Any

import structlog

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable

    from vhdlift.settings import Settings

    Open = Callable[[Settings], AbstractAsyncContextManager[Any]]

log = structlog.get_logger("vhdlift.engine")

CLOSE_SECONDS = 10.0


def shared(open_clients: Open) -> Open:
    """The same opener, whose context may be entered by many at once and is opened only once for them."""
    users = 0
    held: AbstractAsyncContextManager[Any] | None = None
    clients: Any = None
    turn = asyncio.Lock()

    @asynccontextmanager
    async def enter(settings: Settings) -> AsyncIterator[Any]:
        nonlocal users, held, clients
        async with turn:
            if held is None:
                opening = open_clients(settings)
                clients = await opening.__aenter__()
                held = opening
            users += 1
        try:
            yield clients
        finally:
            # Counted before anything is waited for: a step that is cancelled here must not be counted on.
            users -= 1
            async with turn:
                if users == 0 and held is not None:
                    leaving, held = held, None
                    await _close(leaving)

    return enter


async def _close(clients: AbstractAsyncContextManager[Any]) -> None:
    """Close them, within a limit; what goes wrong here is no fault of the step that has ended."""
    try:
        async with asyncio.timeout(CLOSE_SECONDS):
            await clients.__aexit__(None, None, None)
    except Exception:  # anything: the step is over
        log.exception("clients_not_closed")
