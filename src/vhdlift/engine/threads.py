"""Work in threads, and how long it is waited for."""

from __future__ import annotations

import asyncio
import threading
from contextlib import suppress
from typing import TYPE_CHECKING, Any, TypeVar

import structlog

if TYPE_CHECKING:
    from collections.abc import Callable

T = TypeVar("T")

log = structlog.get_logger("vhdlift.engine")


async def to_the_end(work: Callable[..., T], *arguments: Any) -> T:
    """Work in a thread, which goes on when we are cancelled: so its end is waited for all the same."""
    working = asyncio.ensure_future(asyncio.to_thread(work, *arguments))
    try:
        return await asyncio.shield(working)
    except asyncio.CancelledError:
        await asyncio.wait({working})
        raise


async def within(seconds: float, work: Callable[..., None], *arguments: Any) -> None:
    """Work in a thread that nobody has to wait for, and wait that long at most, also when cancelled.

    For what winds up at the end: whatever hangs there, what counts is in the database.
    """
    loop = asyncio.get_running_loop()
    over: asyncio.Future[None] = loop.create_future()

    def carry_out() -> None:
        try:
            work(*arguments)
        except Exception:  # a thread has nobody to tell
            log.exception("not_wound_up")
        with suppress(RuntimeError):  # nobody waited that long
            loop.call_soon_threadsafe(_answer, over)

    threading.Thread(target=carry_out, daemon=True).start()
    waiting = asyncio.ensure_future(asyncio.wait({over}, timeout=seconds))
    try:
        await asyncio.shield(waiting)
    except asyncio.CancelledError:
        await waiting
        raise


def _answer(over: asyncio.Future[None]) -> None:
    if not over.done():
        over.set_result(None)
