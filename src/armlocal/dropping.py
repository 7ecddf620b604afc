"""Connections that end without an answer: closed at once, or left waiting."""

from __future__ import annotations

from typing import TYPE_CHECKING

from starlette.responses import Response
from uvicorn.protocols.http.h11_impl import H11Protocol

if TYPE_CHECKING:
    import asyncio

    from starlette.types import Receive, Scope, Send

Connections = dict[tuple[str, int], "asyncio.Transport"]
"""The open connections of a server, by the client's address and port."""


def protocol_with(connections: Connections) -> type[H11Protocol]:
    """The HTTP protocol of uvicorn, which also keeps its transport in `connections` while it is open."""

    class Protocol(H11Protocol):
        def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
            super().connection_made(transport)
            if self.client is not None:
                connections[self.client] = transport

        def connection_lost(self, exc: Exception | None) -> None:
            if self.client is not None:
                connections.pop(self.client, None)
            super().connection_lost(exc)

    return Protocol


async def _until_gone(receive: Receive) -> None:
    while (await receive())["type"] != "http.disconnect":
        pass


class Dropped(Response):
    """No answer: the connection is closed."""

    def __init__(self, connections: Connections) -> None:
        super().__init__()
        self._connections = connections

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:  # noqa: ARG002
        """Closes the connection of this request."""
        transport = self._connections.get(tuple(scope["client"]))
        if transport is not None:
            transport.abort()
        await _until_gone(receive)


class Unanswered(Response):
    """No answer: the connection stays open until the client gives up."""

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:  # noqa: ARG002
        """Waits for the client to go."""
        await _until_gone(receive)
