"""The ARM side of HTTPS: token, api-version, faults, then a provider; every answer with ARM's headers."""

from __future__ import annotations

import json
import logging
import re
import uuid
from dataclasses import dataclass
from typing import TYPE_CHECKING

from starlette.applications import Starlette
from starlette.responses import Response
from starlette.routing import Route

from armlocal.auth import Tokens, login_routes
from armlocal.control import control_routes
from armlocal.dating import Dated
from armlocal.dropping import Dropped, Unanswered
from armlocal.errors import ArmError
from armlocal.holding import Holding
from armlocal.ids import SUBSCRIPTION_TYPE, ArmId, parse_id
from armlocal.latencies import request_seconds
from armlocal.lro import retry_headers
from armlocal.polling import is_poll, poll, poll_name
from armlocal.providers.base import Reply
from armlocal.providers.table import ALL_ROUTES
from armlocal.ratelimits import provider_headers, rate_limits
from armlocal.requestlog import RequestLog
from armlocal.routing import INTERNAL_VERSION, Incoming, Router
from armlocal.signing import Signer
from armlocal.spoiling import Spoiling
from armlocal.writing import JSON_TYPE, common_headers, without_expiry, write_body

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Iterable, Sequence

    from starlette.requests import Request
    from starlette.routing import BaseRoute
    from starlette.types import ASGIApp

    from armlocal.dropping import Connections
    from armlocal.faults import Fault
    from armlocal.providers.base import Call, Routes
    from armlocal.state import World

log = logging.getLogger(__name__)
_VERSION = re.compile(r"20\d\d-[01]\d-[0-3]\d(-[a-z]+)?", re.IGNORECASE)
METHODS = ["GET", "HEAD", "PUT", "POST", "PATCH", "DELETE"]


@dataclass
class _Seen:
    """A request, the id of its answer, and its name as far as it is known."""

    request: Request
    id: str
    operation: str


@dataclass
class Front:
    """What stands before the providers.

    Attributes:
        world: everything there is.
        router: finds the handlers.
        signer: of polling addresses.
        tokens: checks bearer tokens.
        connections: to close one without an answer.
    """

    world: World
    router: Router
    signer: Signer
    tokens: Tokens
    connections: Connections

    async def arm(self, request: Request) -> Response:
        """Answers one request to ARM."""
        seen = _Seen(request, str(uuid.uuid4()), f"{request.method} {request.url.path}")
        try:
            self.tokens.check(request.headers.get("authorization"))
            incoming = await _read(request, seen.id)
            if is_poll(request.url.path):
                return await self._poll(seen)
            _check_version(incoming.api_version)
            call = self.router.call(self.world, request.method, self._parse(request.url.path), incoming)
            seen.operation = call.operation
            return await self._serve(call, seen)
        except ArmError as error:
            return self._write_error(seen, error)
        except Exception:
            log.exception("a provider broke: %s", seen.operation)
            broken = ArmError(500, "InternalServerError", "The stand-in's own code broke; see its log.")
            return self._write_error(seen, broken)

    async def _serve(self, call: Call, seen: _Seen) -> Response:
        """The provider's answer, unless a fault has it otherwise."""
        call.fault = self._strike(seen.operation, call.id.text)
        if call.fault is not None and call.fault.kind == "drop" and call.fault.when == "before":
            return Dropped(self.connections)
        await self.world.pause(request_seconds(call.operation))
        reply = await self.router.answer(call)
        return self._late(call.fault) or self._write(seen, reply)

    async def _poll(self, seen: _Seen) -> Response:
        """How an operation stands; faults count these as `GET Microsoft.Compute/locations/operations`."""
        seen.operation = f"GET {poll_name(seen.request.url.path)}"
        fault = self._strike(seen.operation, seen.request.url.path)
        await self.world.pause(request_seconds(seen.operation))
        reply = poll(self.world, self.signer, _target(seen.request))
        return self._late(fault) or self._write(seen, reply)

    def _strike(self, operation: str, path: str) -> Fault | None:
        """The fault of this request; what answers at once is raised."""
        fault = self.world.faults.strike(operation, path)
        if fault is not None and fault.kind in ("error", "throttle"):
            raise _asked_for(fault)
        return fault

    def _late(self, fault: Fault | None) -> Response | None:
        """What a fault makes of an answer that is ready, and of which no operation took charge."""
        if fault is None or fault.kind == "vanish":
            return None
        if fault.kind == "drop":
            return Dropped(self.connections)
        if fault.kind == "never_ends":
            return Unanswered()
        raise _asked_for(fault)

    def _parse(self, path: str) -> ArmId:
        if path.rstrip("/").lower() == "/subscriptions":
            return ArmId(self.world.subscription_id, None, SUBSCRIPTION_TYPE, (), path)
        try:
            arm_id = parse_id(path)
        except ValueError:
            raise ArmError(
                404, "InvalidResourcePath", f"The path '{path}' is not known.", gateway=True
            ) from None
        if arm_id.subscription.lower() != self.world.subscription_id:
            message = f"The subscription '{arm_id.subscription}' could not be found."
            raise ArmError(404, "SubscriptionNotFound", message, gateway=True)
        return arm_id

    def _write_error(self, seen: _Seen, error: ArmError) -> Response:
        headers = dict(error.headers)
        if error.gateway:
            headers["x-ms-failure-cause"] = "gateway"
        if error.retry_after is not None:
            headers |= retry_headers(error.retry_after, self.world.scale)
        return self._write(seen, Reply(error.status, error.body(), headers))

    def _write(self, seen: _Seen, reply: Reply) -> Response:
        method = seen.request.method
        content = b"" if reply.body is None or method == "HEAD" else write_body(reply.body, seen.operation)
        told = common_headers(self.world, seen.id)
        if reply.headers.get("x-ms-failure-cause") != "gateway":
            told |= rate_limits(method, seen.operation)
            told |= provider_headers(self.world, method, seen.operation)
            without_expiry(told, seen.operation)
        told |= reply.headers
        return Response(content, reply.status, told, media_type=JSON_TYPE if content else None)


def _asked_for(fault: Fault) -> ArmError:
    headers = {} if fault.retry_after is None else {"Retry-After": f"{fault.retry_after:g}"}
    return ArmError(fault.status, fault.code, fault.message, headers=headers)


def _target(request: Request) -> str:
    """Path and query, byte for byte as sent."""
    raw: bytes = request.scope.get("raw_path") or request.url.path.encode()
    query: bytes = request.scope["query_string"]
    return raw.split(b"?", 1)[0].decode("latin-1") + ("?" + query.decode("latin-1") if query else "")


async def _read(request: Request, request_id: str) -> Incoming:
    """The request without its path.

    Raises:
        ArmError: 400, no api-version or a body that is no JSON object.
    """
    query = {name.lower(): value for name, value in request.query_params.items()}
    version = query.pop("api-version", "")
    if not version:
        message = "The api-version query parameter (?api-version=) is required for all requests."
        raise ArmError(400, "MissingApiVersionParameter", message, gateway=True)
    raw = await request.body()
    try:
        body = json.loads(raw) if raw else {}
    except ValueError:
        body = None
    if not isinstance(body, dict):
        message = "The request content was invalid and could not be deserialized."
        raise ArmError(400, "InvalidRequestContent", message, gateway=True)
    headers = {name.lower(): value for name, value in request.headers.items()}
    return Incoming(version, query, headers, body, request_id)


def _check_version(version: str) -> None:
    """Lets no request on whose api-version is no date; which date it is makes no difference here.

    Raises:
        ArmError: 400 InvalidApiVersionParameter.
    """
    if not _VERSION.fullmatch(version):
        message = f"The api-version '{version}' is invalid. It is a date such as '{INTERNAL_VERSION}'."
        raise ArmError(400, "InvalidApiVersionParameter", message, gateway=True)


def make_app(
    world: World,
    connections: Connections,
    *,
    reset: Callable[[Router], Awaitable[None]],
    extra: Sequence[BaseRoute] = (),
    routes: Iterable[Routes] = ALL_ROUTES,
) -> tuple[ASGIApp, Router]:
    """The application, and the router to make the starting world with.

    Args:
        world: everything there is.
        connections: of the server that will run it.
        reset: makes the starting world again.
        extra: routes beside ARM: the export bridge, the webhook receiver.
        routes: the providers.
    """
    signer, tokens = Signer(), Tokens(world)
    router = Router(routes, signer)
    front = Front(world, router, signer, tokens, connections)

    async def start_again() -> None:
        await reset(router)

    app = Starlette(
        routes=[
            *control_routes(world, start_again),
            *extra,
            *login_routes(world, tokens),
            Route("/{path:path}", front.arm, methods=METHODS),
        ]
    )
    spoiling = Spoiling(app, world, connections)
    answering = Dated(RequestLog(spoiling, world), world)
    return Holding(answering, world, connections, router.operation), router
