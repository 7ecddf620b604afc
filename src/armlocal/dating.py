"""The `Date` of every answer, by the world's own clock."""

from __future__ import annotations

from email.utils import format_datetime
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from starlette.types import ASGIApp, Message, Receive, Scope, Send

    from armlocal.state import World


class Dated:
    """Adds the header; the server itself must not."""

    def __init__(self, app: ASGIApp, world: World) -> None:
        self._app = app
        self._world = world

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serves one request."""

        async def dated(message: Message) -> None:
            if message["type"] == "http.response.start":
                date = format_datetime(self._world.clock.now(), usegmt=True)
                message["headers"] = [*message.get("headers", []), (b"date", date.encode("ascii"))]
            await send(message)

        await self._app(scope, receive, dated)
