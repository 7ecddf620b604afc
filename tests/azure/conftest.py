"""An ARM of a few lines: a real HTTPS server whose answers each test writes down."""

from __future__ import annotations

import asyncio
import json
import ssl
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
import trustme
from aiohttp import web

from vhdlift.azure.clients import Azure, open_clients
from vhdlift.settings import Settings

SUBSCRIPTION = "00000000-0000-0000-0000-0000000000aa"
TENANT = "00000000-0000-0000-0000-0000000000bb"
CLIENT = "00000000-0000-0000-0000-0000000000cc"
SCALE = 0.02


@dataclass
class Answer:
    """One HTTP answer; `drop` closes the connection instead, `after` waits that many seconds first."""

    status: int = 200
    body: Any = None
    headers: dict[str, str] = field(default_factory=dict)
    drop: bool = False
    after: float = 0.0


@dataclass(frozen=True)
class Seen:
    """One request as it arrived."""

    method: str
    path: str
    at: float
    body: Any
    headers: dict[str, str]


Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]


class Arm:
    """Answers by rules: the answers given for `METHOD path` in turn, the last one for ever."""

    def __init__(self) -> None:
        self.url = ""
        self.ca = Path()
        self.seen: list[Seen] = []
        self.token: Answer = Answer(body={"token_type": "Bearer", "expires_in": 3599, "access_token": "t"})
        self.tokens: list[str] = []  # those to be given next, in place of the one above
        self.tokens_asked = 0
        self.other: Handler | None = None  # answers all but the sign-in in its place
        self.arrived = asyncio.Event()
        self._answers: dict[str, list[Answer]] = {}

    def on(self, request: str, *answers: Answer) -> None:
        """From now on answer `METHOD /path/without/query` so."""
        method, path = request.split(" ", 1)
        self._answers[f"{method} {path}".lower()] = list(answers)

    def of(self, method: str, part: str = "") -> list[Seen]:
        """The requests of a method whose path holds `part`, in order."""
        return [one for one in self.seen if one.method == method and part in one.path]

    async def handle(self, request: web.Request) -> web.StreamResponse:
        if "/oauth2/v2.0/token" in request.path:
            self.tokens_asked += 1
            given = {**self.token.body, "access_token": self.tokens.pop(0)} if self.tokens else None
            return _response(Answer(body=given) if given else self.token)
        if self.other is not None:
            return await self.other(request)
        text = await request.text()
        body = json.loads(text) if text else None
        self.seen.append(
            Seen(request.method, request.raw_path, time.monotonic(), body, dict(request.headers))
        )
        self.arrived.set()
        answers = self._answers.get(f"{request.method} {request.path}".lower())
        answer = (
            Answer(404, arm_error("ResourceNotFound", f"{request.path} was not found."))
            if not answers
            else None
        )
        if answers:
            answer = answers.pop(0) if len(answers) > 1 else answers[0]
        assert answer is not None
        await asyncio.sleep(answer.after)
        if answer.drop:
            assert request.transport is not None
            request.transport.close()
        return _response(answer)


def arm_error(code: str, message: str, *details: dict[str, Any]) -> dict[str, Any]:
    """An error body as ARM sends it."""
    return {"error": {"code": code, "message": message, "details": list(details)}}


def vm_path(action: str = "") -> str:
    return f"{group_path()}/providers/Microsoft.Compute/virtualMachines/vm1{action}"


def group_path() -> str:
    return f"/subscriptions/{SUBSCRIPTION}/resourceGroups/rg"


def _response(answer: Answer) -> web.Response:
    if answer.body is None:
        return web.Response(status=answer.status, headers=answer.headers)
    if isinstance(answer.body, str):  # a page of something in between
        return web.Response(
            text=answer.body, content_type="text/html", status=answer.status, headers=answer.headers
        )
    return web.json_response(answer.body, status=answer.status, headers=answer.headers)


@asynccontextmanager
async def serving_arm(folder: Path) -> AsyncIterator[Arm]:
    """An ARM on a free port; its certificates go into the folder."""
    arm = Arm()
    authority = trustme.CA()
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    authority.issue_cert("127.0.0.1").configure_cert(context)
    arm.ca = folder / "ca.pem"
    authority.cert_pem.write_to_path(str(arm.ca))
    app = web.Application()
    app.router.add_route("*", "/{rest:.*}", arm.handle)
    runner = web.AppRunner(app, shutdown_timeout=0.2)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0, ssl_context=context)
    await site.start()
    arm.url = f"https://127.0.0.1:{runner.addresses[0][1]}"
    yield arm
    await runner.cleanup()


@pytest.fixture
async def arm(tmp_path: Path) -> AsyncIterator[Arm]:
    async with serving_arm(tmp_path) as arm:
        yield arm


def settings_of(arm: Arm, **more: Any) -> Settings:
    return Settings(
        **{
            "cloud": "custom",
            "arm_endpoint": arm.url,
            "authority_host": arm.url,
            "ca_bundle": arm.ca,
            "tenant_id": TENANT,
            "client_id": CLIENT,
            "client_secret": "a-client-secret",
            "subscription_id": SUBSCRIPTION,
            "time_scale": SCALE,
            **more,
        }
    )


@pytest.fixture
async def azure(arm: Arm) -> AsyncIterator[Azure]:
    async with open_clients(settings_of(arm)) as azure:
        yield azure
