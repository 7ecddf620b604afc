"""The webhook receiver, over a real HTTPS socket."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import httpx
import pytest_asyncio

from armlocal.webhooks import PATH, Webhooks
from tests.armlocal.conftest import Certificates, serving

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path


class Receiver:
    """A running receiver and a client."""

    def __init__(self, hooks: Webhooks, client: httpx.AsyncClient) -> None:
        self.hooks = hooks
        self.client = client

    def rows(self) -> list[dict[str, Any]]:
        return [json.loads(line) for line in self.hooks.file.read_text().splitlines()]


@pytest_asyncio.fixture
async def receiver(certificates: Certificates, tmp_path: Path) -> AsyncIterator[Receiver]:
    hooks = Webhooks(tmp_path / "webhooks.ndjson")
    async with (
        serving(hooks.routes(), certificates) as base,
        httpx.AsyncClient(base_url=base, verify=certificates.trust()) as client,
    ):
        yield Receiver(hooks, client)


async def test_a_post_is_kept_with_time_headers_and_body(receiver: Receiver) -> None:
    """One line each; the query, which may be secret, is left out."""
    answer = await receiver.client.post(f"{PATH}?sig=abc", json={"a": 1}, headers={"webhook-id": "run.1"})
    assert answer.status_code == 200
    (row,) = receiver.rows()
    assert (row["body"], row["headers"]["webhook-id"], row["status"]) == ({"a": 1}, "run.1", 200)
    assert "abc" not in receiver.hooks.file.read_text()


async def test_what_is_no_json_is_kept_as_text(receiver: Receiver) -> None:
    """Nothing is lost."""
    await receiver.client.post(PATH, content=b"{half")
    assert receiver.rows()[0]["body"] == "{half"


async def test_it_refuses_as_often_as_it_is_told(receiver: Receiver) -> None:
    """Asked-for answers come in order, and then it is well again."""
    wanted = [{"status": 503, "times": 2, "retry_after": 7}, {"status": 400}]
    assert (await receiver.client.post("/_control/webhook", json=wanted)).status_code == 200
    answers = [await receiver.client.post(PATH, json={}) for _ in range(4)]
    assert [a.status_code for a in answers] == [503, 503, 400, 200]
    assert answers[0].headers["retry-after"] == "7"
    assert [row["status"] for row in receiver.rows()] == [503, 503, 400, 200]


async def test_a_standing_refusal_ends_with_a_delete(receiver: Receiver) -> None:
    """`times` 0 refuses until it is taken away."""
    await receiver.client.post("/_control/webhook", json={"status": 500, "times": 0})
    assert [(await receiver.client.post(PATH)).status_code for _ in range(3)] == [500] * 3
    await receiver.client.delete("/_control/webhook")
    assert (await receiver.client.post(PATH)).status_code == 200


async def test_a_knob_that_there_is_not_is_refused(receiver: Receiver) -> None:
    """A misspelt wish is told, not ignored."""
    answer = await receiver.client.post("/_control/webhook", json={"statsu": 500})
    assert answer.status_code == 400
