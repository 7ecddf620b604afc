"""`/_control/`: what a test asks of the stand-in itself, apart from Azure's protocol. No token is needed.

`GET left`, `GET`/`POST`/`DELETE faults`, `GET held`, `POST release`, `POST reset`, `GET`/`POST knobs`,
`POST expire`, `POST delegation`, `POST rights`, `POST limits`.
"""

from __future__ import annotations

import json
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from armlocal.conditions import condition_routes
from armlocal.faults import read_fault

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from starlette.requests import Request

    from armlocal.dnszones import Delegations
    from armlocal.state import Resource, World

KNOBS = ("scale", "token_seconds", "clock_ahead")


def left(world: World) -> list[dict[str, Any]]:
    """Every resource with its tags and state: groups, DNS record sets and children too."""
    return [_told(resource) for resource in world.resources.values()]


def _told(resource: Resource) -> dict[str, Any]:
    told: dict[str, Any] = {
        "id": resource.id,
        "type": resource.type,
        "tags": dict(resource.tags),
        "provisioningState": resource.state,
    }
    power = resource.private.get("power")
    return told if power is None else {**told, "powerState": power}


def _set_faults(world: World, raw: bytes) -> str:
    """Adds faults from JSON, a list or a single one; returns what is wrong with it, "" for nothing."""
    try:
        given = json.loads(raw)
        faults = [read_fault(item) for item in (given if isinstance(given, list) else [given])]
    except (ValueError, TypeError, AttributeError) as error:
        return str(error)
    world.faults.all.extend(faults)
    return ""


def _turn(world: World, given: dict[str, Any]) -> str:
    """Sets knobs; returns what is wrong with them, "" for nothing."""
    wrong = [name for name, value in given.items() if name not in KNOBS or not isinstance(value, int | float)]
    if wrong:
        return f"{', '.join(wrong)}: none of {', '.join(KNOBS)}, or no number"
    for name, value in given.items():
        setattr(world, name, float(value))
    return ""


def control_routes(world: World, reset: Callable[[], Awaitable[None]]) -> list[Route]:
    """The routes.

    Args:
        world: everything there is.
        reset: makes the starting world again.
    """

    async def get_left(_: Request) -> Response:
        return JSONResponse({"resources": left(world)})

    async def faults(request: Request) -> Response:
        if request.method == "POST":
            problem = _set_faults(world, await request.body())
            if problem:
                return JSONResponse({"error": problem}, 400)
        elif request.method == "DELETE":
            world.faults.all.clear()
        return JSONResponse([asdict(fault) for fault in world.faults.all])

    async def post_reset(_: Request) -> Response:
        await reset()
        return Response(status_code=204)

    async def knobs(request: Request) -> Response:
        if request.method == "POST":
            problem = _turn(world, await request.json())
            if problem:
                return JSONResponse({"error": problem}, 400)
        return JSONResponse({name: getattr(world, name) for name in KNOBS})

    return [
        Route("/_control/left", get_left),
        *_holding_routes(world),
        *condition_routes(world),
        Route("/_control/faults", faults, methods=["GET", "POST", "DELETE"]),
        Route("/_control/reset", post_reset, methods=["POST"]),
        Route("/_control/knobs", knobs, methods=["GET", "POST"]),
    ]


def _holding_routes(world: World) -> list[Route]:
    """What is held, and its release: all of it, or `{"id": n}`; `{"lost": true}` lets it go nowhere."""

    async def expire(_: Request) -> Response:
        world.tokens_dead_since = world.clock.now().timestamp()
        return Response(status_code=204)

    async def held(_: Request) -> Response:
        return JSONResponse(world.faults.holds.told())

    async def release(request: Request) -> Response:
        raw = await request.body()
        which = json.loads(raw) if raw else {}
        gone = await world.faults.holds.release(which.get("id"), lost=bool(which.get("lost")))
        return JSONResponse(gone)

    return [
        Route("/_control/expire", expire, methods=["POST"]),
        Route("/_control/held", held),
        Route("/_control/release", release, methods=["POST"]),
    ]


def delegation_routes(delegations: Delegations) -> list[Route]:
    """The route that changes what a zone's parent says: `{"zone": "...", "servers": [...]}`.

    No servers: the zone is not delegated; null: rightly again.
    """

    async def post(request: Request) -> Response:
        given = await request.json()
        delegations.say(given["zone"], given.get("servers"))
        return Response(status_code=204)

    return [Route("/_control/delegation", post, methods=["POST"])]
