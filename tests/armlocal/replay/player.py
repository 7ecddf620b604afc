"""Plays a recording against a running stand-in, and tells where its answers differ."""

from __future__ import annotations

import asyncio
import json
import re
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from armlocal.state import Clock
from tests.armlocal.machines import PASSWORD
from tests.armlocal.replay.shape import paths_of

if TYPE_CHECKING:
    from collections.abc import Iterator

    import httpx

    from tests.armlocal.armworld import Arm
    from tests.armlocal.replay.story import Exchange, Story

TRANSPORT = """
    connection content-length date duration server server-timing set-cookie transfer-encoding vary
    x-aspnet-version x-cache x-ms-client-request-id x-msedge-ref x-powered-by
"""
"""Headers of the way between, which are another one here."""
HIDDEN = {
    "aso": "x-ms-request-id x-ms-correlation-request-id x-ms-routing-request-id",
    "azcli": "retry-after x-ms-request-id x-ms-correlation-request-id x-ms-routing-request-id "
    "x-ms-ratelimit-remaining-subscription-reads",
}
"""Headers that a recorder took out before it published."""
VERSION = "2024-11-01"


class HeldClock(Clock):
    """Operations are over when it is told so, and nothing else happens by itself."""

    def __init__(self) -> None:
        super().__init__()
        self._over = asyncio.Event()

    def monotonic(self) -> float:
        """Time stands still, so what comes a while later, such as the guest's agent, never comes."""
        return 0.0

    async def sleep(self, seconds: float) -> None:
        await self._over.wait()

    async def end_all(self, tasks: set[asyncio.Task[Any]]) -> None:
        """Ends every operation that runs."""
        self._over.set()
        while tasks:
            await asyncio.wait(set(tasks))
        self._over = asyncio.Event()


@dataclass(frozen=True)
class Difference:
    """One thing that the stand-in answers otherwise.

    Attributes:
        story: where.
        number: of the exchange in the recording.
        operation: its name.
        what: `status 400, not 404`, `header etag missing`, `key properties.sku added`...
    """

    story: str
    number: int
    operation: str
    what: str


@dataclass
class Player:
    """Plays one recording after the other.

    Attributes:
        arm: the stand-in.
        clock: its clock.
        answers: of the exchanges of this recording, by number.
        operations: their names.
    """

    arm: Arm
    clock: HeldClock
    answers: dict[int, httpx.Response] = field(default_factory=dict)
    operations: dict[int, str] = field(default_factory=dict)

    async def play(self, story: Story) -> list[Difference]:
        """Plays it in an empty world."""
        await self.arm.world.clear()
        self.answers.clear()
        found = []
        for exchange in story.exchanges:
            if not exchange.running:
                await self.clock.end_all(self.arm.world.tasks)
            answer = await self._send(exchange)
            if exchange.expected is None:
                answer.raise_for_status()
                continue
            self.answers[exchange.number] = answer
            name = self._name(exchange)
            found += [
                Difference(story.name, exchange.number, name, what)
                for what in _differences(exchange, answer, story.source)
            ]
        await self.clock.end_all(self.arm.world.tasks)
        return found

    def _name(self, exchange: Exchange) -> str:
        if exchange.poll is not None:
            return f"POLL {self.operations[exchange.poll]}"
        self.operations[exchange.number] = exchange.operation
        return exchange.operation

    async def _send(self, exchange: Exchange) -> httpx.Response:
        if exchange.poll is not None:
            return await self.arm.http.get(self.answers[exchange.poll].headers.get(exchange.at, "/none"))
        path = self._filled(exchange.path)
        if exchange.form:
            return await self.arm.http.post(path, data={k: self._filled(v) for k, v in exchange.form.items()})
        return await self.arm.http.request(
            exchange.method,
            path,
            params={"api-version": VERSION, **exchange.query},
            content=None if exchange.send is None else self._filled(json.dumps(exchange.send)),
            headers={
                "Content-Type": "application/json",
                **{name: value.replace("{etag}", self._etag(path)) for name, value in exchange.when.items()},
            },
        )

    def _etag(self, path: str) -> str:
        """The etag that is there: the recorded one was another."""
        resource = self.arm.world.find(path)
        return "" if resource is None else str(resource.body.get("etag", ""))

    def _filled(self, text: str) -> str:
        world = self.arm.world
        known = {
            "sub": world.subscription_id,
            "password": PASSWORD,
            "tenant": world.tenant_id,
            "client": world.client_id,
            "secret": world.client_secret,
        }
        return re.sub(r"\{(\w+)\}", lambda match: known.get(match.group(1), match.group(0)), text)


def _differences(exchange: Exchange, answer: httpx.Response, source: str) -> Iterator[str]:
    expected = exchange.expected
    assert expected is not None
    if answer.status_code != expected.status:
        yield f"status {answer.status_code}, not {expected.status}"
        return
    hidden = set(TRANSPORT.split()) | set(HIDDEN.get(source.rstrip("0123456789."), "").split())
    sent = {name.replace("x-ms-retry-after-ms", "retry-after") for name in answer.headers}
    yield from _sides("header", expected.headers - hidden, sent - hidden)
    keys = paths_of(answer.json()) if answer.content else set()
    yield from _sides("key", expected.keys, keys)


def _sides(kind: str, recorded: frozenset[str], here: set[str]) -> Iterator[str]:
    yield from (f"{kind} {name} missing" for name in sorted(recorded - here))
    yield from (f"{kind} {name} added" for name in sorted(here - recorded))
