"""One open set of Azure clients for all steps that run at the same time.

Signing in and shaking hands anew in each step would cost the source VM part of its life. The clients are
opened by the first step that wants them and closed when the last one has left, in the event loop of the
steps, where they belong.
"""

from __future__ import annotations

import asyncio
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable

    from vhdlift.settings import Settings

    Open = Callable[[Settings], AbstractAsyncContextManager[Any]]


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
            async with turn:
                users -= 1
                if users == 0:
                    leaving, held = held, None
                    await leaving.__aexit__(None, None, None)

    return enter
