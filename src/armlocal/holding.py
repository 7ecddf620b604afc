"""Requests held at a known moment, so that a test can look around or end the client while they wait.

A fault of the kind `hold` names the request, as any fault does, and the side: `before` it takes effect or
`after`. It may also name what is no request to ARM: `POST oauth2/v2.0/token`, `POST _webhook`,
`GET _export`. `GET /_control/held` lists what waits, `POST /_control/release` lets it go: it goes on as if
nothing had been, or is `lost` on its way, there or back.
"""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Literal

from armlocal.dropping import Dropped
from armlocal.ids import parse_id
from armlocal.polling import is_poll, poll_name

if TYPE_CHECKING:
    from collections.abc import Callable

    from starlette.types import ASGIApp, Message, Receive, Scope, Send

    from armlocal.dropping import Connections
    from armlocal.ids import ArmId
    from armlocal.state import World

PATIENCE = 30.0
"""Seconds that a release waits for what it let go to be over."""


@dataclass
class Held:
    """One request that waits.

    Attributes:
        id: counts from 1.
        operation: its name, as faults know it.
        resource: its path.
        side: whether it waits before it takes effect or after.
        lost: it shall go no further when it is let go.
        released: it may go on.
        over: it has been dealt with.
    """

    id: int
    operation: str
    resource: str
    side: Literal["before", "after"]
    lost: bool = False
    released: asyncio.Event = field(default_factory=asyncio.Event)
    over: asyncio.Event = field(default_factory=asyncio.Event)

    def told(self) -> dict[str, Any]:
        """As `GET /_control/held` shows it."""
        return {"id": self.id, "operation": self.operation, "resource": self.resource, "side": self.side}


class Holds:
    """What is held right now."""

    def __init__(self) -> None:
        self._count = 0
        self._waiting: dict[int, Held] = {}

    def told(self) -> list[dict[str, Any]]:
        """All that waits, the oldest first."""
        return [held.told() for held in self._waiting.values()]

    def add(self, operation: str, path: str, side: Literal["before", "after"]) -> Held:
        """A request that begins to wait."""
        self._count += 1
        held = Held(self._count, operation, path, side)
        self._waiting[held.id] = held
        return held

    async def release(self, which: int | None = None, *, lost: bool = False) -> list[dict[str, Any]]:
        """Lets one go, or all, and waits until it is over; returns what was let go."""
        going = [held for held in self._waiting.values() if which in (None, held.id)]
        for held in going:
            del self._waiting[held.id]
            held.lost = lost
            held.released.set()
        for held in going:
            async with asyncio.timeout(PATIENCE):
                await held.over.wait()
        return [held.told() for held in going]


def operation_name(world: World, name_of: Callable[[str, ArmId], str], method: str, path: str) -> str:
    """What a hold calls a request, ARM's or not.

    Args:
        world: for the tenant, which is no part of a name.
        name_of: names an operation of a provider.
        method: of the request.
        path: of the request.
    """
    if is_poll(path):
        return f"{method} {poll_name(path)}"
    if path.lower().startswith("/subscriptions/"):
        try:
            return name_of(method, parse_id(path))
        except ValueError:
            return f"{method} {path}"
    parts = [part for part in path.split("/") if part and part != world.tenant_id]
    return f"{method} {parts[0] if path.startswith('/_') else '/'.join(parts)}"


class Holding:
    """Passes requests on, and holds the ones that were asked for; names them for the request log."""

    def __init__(
        self, app: ASGIApp, world: World, connections: Connections, name_of: Callable[[str, ArmId], str]
    ) -> None:
        self._app = app
        self._world = world
        self._connections = connections
        self._name_of = name_of

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """One request."""
        if scope["type"] != "http" or scope["path"].startswith("/_control/"):
            await self._app(scope, receive, send)
            return
        name = operation_name(self._world, self._name_of, scope["method"], scope["path"])
        scope["operation"] = name
        faults = self._world.faults
        fault = faults.strike_hold(name, scope["path"])
        if fault is None:
            await self._app(scope, receive, send)
            return
        receive = await _read_ahead(receive)
        held = faults.holds.add(name, scope["path"], fault.when)
        try:
            await self._held(held, scope, receive, send)
        finally:
            held.over.set()

    async def _held(self, held: Held, scope: Scope, receive: Receive, send: Send) -> None:
        if held.side == "before":
            await held.released.wait()
            await (Dropped(self._connections) if held.lost else self._app)(scope, receive, send)
            return

        async def when_released(message: Message) -> None:
            await held.released.wait()
            if not held.lost:
                await send(message)

        await self._app(scope, receive, when_released)
        if held.lost:
            await Dropped(self._connections)(scope, receive, send)


async def _read_ahead(receive: Receive) -> Receive:
    """The same request, whose body is here already: its client may be gone when it goes on."""
    waiting: list[Message] = []
    while True:
        waiting.append(await receive())
        if waiting[-1]["type"] != "http.request" or not waiting[-1].get("more_body", False):
            break

    async def again() -> Message:
        return waiting.pop(0) if waiting else await receive()

    return again
