"""Answers that go wrong on their way: by a proxy, a slow line, or somebody who sends the client elsewhere.

These faults are about HTTP alone, so they can strike any request that has a name, the token endpoint's too
(`POST oauth2/v2.0/token`), for which they do what ARM's own faults do as well.
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

from starlette.responses import JSONResponse, Response

from armlocal.dropping import Dropped

if TYPE_CHECKING:
    from collections.abc import Callable

    from starlette.types import ASGIApp, Message, Receive, Scope, Send

    from armlocal.dropping import Connections
    from armlocal.faults import Fault
    from armlocal.state import World

_PIECE = b" " * 65536


class Spoiling:
    """Passes requests on, and spoils the answers that were asked for."""

    def __init__(self, app: ASGIApp, world: World, connections: Connections) -> None:
        self._app = app
        self._world = world
        self._connections = connections

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """One request."""
        name = scope.get("operation", "")
        if scope["type"] != "http" or not name:
            await self._app(scope, receive, send)
            return
        fault = self._world.faults.strike_answer(name, scope["path"])
        if fault is None and not scope["path"].lower().startswith("/subscriptions"):
            fault = self._world.faults.strike(name, scope["path"])
        if fault is None:
            await self._app(scope, receive, send)
            return
        if fault.when == "after":
            answer = await self._answer(scope, receive)
        else:
            answer = []
            await _drain(receive)
        await self._spoil(fault, answer)(scope, receive, send)

    async def _answer(self, scope: Scope, receive: Receive) -> list[Message]:
        answer: list[Message] = []

        async def keep(message: Message) -> None:
            answer.append(message)

        await self._app(scope, receive, keep)
        return answer

    def _spoil(self, fault: Fault, answer: list[Message]) -> ASGIApp:
        """What is sent in place of the answer."""
        headers = {} if fault.retry_after is None else {"Retry-After": f"{fault.retry_after:g}"}
        said = {"error": fault.code, "error_description": fault.message}
        makers: dict[str, Callable[[], ASGIApp]] = {
            "drop": lambda: Dropped(self._connections),
            "slow": lambda: _Slow(fault.seconds, answer),
            "truncate": lambda: _Half(answer),
            "huge": lambda: _Huge(fault.size),
            "garbage": lambda: Response(fault.body, fault.status, headers, media_type=fault.content_type),
            "redirect": lambda: Response(b"", fault.status, {"Location": fault.location}),
        }
        make = makers.get(fault.kind)
        return make() if make is not None else JSONResponse(said, fault.status, headers)


class _Slow:
    """The answer, some time later."""

    def __init__(self, seconds: float, answer: list[Message]) -> None:
        self._seconds = seconds
        self._answer = answer

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:  # noqa: ARG002
        """Waits, then sends."""
        await asyncio.sleep(self._seconds)
        for message in self._answer:
            await send(message)


class _Half(Response):
    """The answer with its second half lost: the connection ends before what its head promised."""

    def __init__(self, answer: list[Message]) -> None:
        super().__init__()
        self._answer = answer

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:  # noqa: ARG002
        """Sends head and half of the body; a missing rest ends the connection."""
        head, *parts = self._answer
        body = b"".join(part.get("body", b"") for part in parts)
        await send(head)
        await send({"type": "http.response.body", "body": body[: len(body) // 2], "more_body": False})


class _Huge:
    """A JSON text of many bytes, whose length is not told."""

    def __init__(self, size: int) -> None:
        self._size = size

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:  # noqa: ARG002
        """Sends until it is done or the client is gone."""
        headers: list[Any] = [(b"content-type", b"application/json")]
        await send({"type": "http.response.start", "status": 200, "headers": headers})
        for _ in range(0, self._size, len(_PIECE)):
            await send({"type": "http.response.body", "body": _PIECE, "more_body": True})
        await send({"type": "http.response.body", "body": b"{}", "more_body": False})


async def _drain(receive: Receive) -> None:
    """Takes in a request that goes no further."""
    message = await receive()
    while message["type"] == "http.request" and message.get("more_body", False):
        message = await receive()
