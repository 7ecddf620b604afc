"""`requests.ndjson`: one line for each request to ARM and to the token endpoint, without secrets."""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from starlette.types import ASGIApp, Message, Receive, Scope, Send

    from armlocal.state import World

FILE = "requests.ndjson"
NO_ANSWER = 0
_SECRET = re.compile(r"([?&](?:sig|c|s|h)=)[^&]*", re.IGNORECASE)


class RequestLog:
    """Passes requests on and writes down what became of them."""

    def __init__(self, app: ASGIApp, world: World) -> None:
        self._app = app
        self._world = world

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """One connection or request."""
        if scope["type"] != "http" or scope["path"].startswith("/_"):
            await self._app(scope, receive, send)
            return
        status = NO_ANSWER

        async def watch(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
            await send(message)

        time, began = self._world.timestamp(), self._world.clock.monotonic()
        try:
            await self._app(scope, receive, watch)
        finally:
            self._write(scope, time, status, self._world.clock.monotonic() - began)

    def _write(self, scope: Scope, time: str, status: int, seconds: float) -> None:
        """A request that got no answer has the status 0."""
        query = scope["query_string"].decode("latin-1")
        path = _SECRET.sub(r"\1*", scope["path"] + ("?" + query if query else ""))
        line = {
            "time": time,
            "operation": scope.get("operation", ""),
            "method": scope["method"],
            "path": path,
            "status": status,
            "duration": round(seconds, 6),
        }
        with (self._world.dir / FILE).open("a", encoding="utf-8") as log:
            log.write(json.dumps(line) + "\n")

    def clear(self) -> None:
        """Empties the file."""
        (self._world.dir / FILE).write_text("", encoding="utf-8")
