"""Looking up the addresses of a host, without holding up whatever else the process does."""

from __future__ import annotations

import asyncio
import socket
import threading
from contextlib import suppress
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    Lookup = Callable[[str, int], Awaitable[list[str]]]


async def addresses_of(host: str, port: int) -> list[str]:
    """The IP addresses of a host, each once, in the order in which the system would try them.

    The system's own look-up can hang for minutes and cannot be called off. So it gets a thread that neither
    takes one of the few that the event loop has nor keeps the process from ending.

    Raises:
        OSError: there is no such host, or nobody says.
    """
    loop = asyncio.get_running_loop()
    answer: asyncio.Future[list[str]] = loop.create_future()

    def settle(found: list[str], problem: OSError | None) -> None:
        if answer.done():  # nobody waits for it any more
            return
        if problem:
            answer.set_exception(problem)
        else:
            answer.set_result(found)

    def look_up() -> None:
        found, problem = _asked(host, port)
        with suppress(RuntimeError):  # the loop has ended
            loop.call_soon_threadsafe(settle, found, problem)

    threading.Thread(target=look_up, name="vhdlift-names", daemon=True).start()
    return await answer


def _asked(host: str, port: int) -> tuple[list[str], OSError | None]:
    try:
        rows = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    except OSError as problem:
        return [], problem
    except UnicodeError:
        return [], OSError(f"{host!r} is no name of a host")
    return list(dict.fromkeys(str(row[4][0]) for row in rows)), None
