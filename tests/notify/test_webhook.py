"""One attempt at a webhook: what is sent, and what each answer means."""

from __future__ import annotations

import base64
import json
import socket
import time
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from itertools import islice

import httpx
import pytest
from standardwebhooks import Webhook

from tests.notify.receiver import answer, flooding, receiving, trickling
from vhdlift import redaction
from vhdlift.notify.webhook import DELIVERY, GaveUp, Retry, Sent, open_client, post_status_update
from vhdlift.settings import Settings

SECRET = "whsec_" + base64.b64encode(b"a key of twenty-four byte").decode()
BODY = {"vm_name": "lab1", "status": "provisioning", "details": {"message": "läuft"}}
OK = answer("204 No Content")


@pytest.fixture
async def client() -> AsyncIterator[httpx.AsyncClient]:
    async with open_client(Settings()) as made:
        yield made


async def test_a_post_is_json_in_utf8_with_an_id(client: httpx.AsyncClient) -> None:
    """The body goes as it is, with an id by which a repeat is known, and unsigned without a secret."""
    async with receiving(OK) as receiver:
        assert Sent() == await post_status_update(client, receiver.url, None, BODY, "01J.7")
    ((headers, body),) = receiver.posts
    assert headers[":line"] == "POST /hook?code=the-hook-code HTTP/1.1"
    assert headers["content-type"] == "application/json; charset=utf-8"
    assert headers["webhook-id"] == "01J.7"
    assert not {"webhook-signature", "webhook-timestamp"} & set(headers)
    assert json.loads(body.decode("utf-8")) == BODY
    assert "läuft".encode() in body


async def test_a_signature_is_one_that_the_standard_verifies(client: httpx.AsyncClient) -> None:
    """With a secret, the reference library accepts the very bytes that arrived."""
    async with receiving(OK) as receiver:
        await post_status_update(client, receiver.url, SECRET, BODY, "01J.7")
    ((headers, body),) = receiver.posts
    assert Webhook(SECRET).verify(body, headers) == BODY


async def test_no_secret_leaves_in_a_body(client: httpx.AsyncClient) -> None:
    """Whatever a message was made of, the redactor sees it last."""
    redaction.register("the-admin-password")
    body = {"details": {"message": "the-admin-password", "error": "GET https://a.example/b?sv=1&sig=AbCd%3D"}}
    async with receiving(OK) as receiver:
        await post_status_update(client, receiver.url, SECRET, body, "01J.7")
    assert b"the-admin-password" not in receiver.posts[0][1]
    assert b"sig=" not in receiver.posts[0][1]


async def test_text_that_is_no_unicode_is_sent_all_the_same(client: httpx.AsyncClient) -> None:
    """A broken message must not keep the events behind it from being told."""
    async with receiving(OK) as receiver:
        assert Sent() == await post_status_update(client, receiver.url, SECRET, {"m": "\ud800"}, "01J.7")
    assert Webhook(SECRET).verify(receiver.posts[0][1], receiver.posts[0][0]) == {"m": "?"}


@pytest.mark.parametrize("status", ["200 OK", "201 Created", "202 Accepted", "299 Fine"])
async def test_any_2xx_is_success(client: httpx.AsyncClient, status: str) -> None:
    """Receivers differ in which they send."""
    async with receiving(answer(status)) as receiver:
        assert Sent() == await post_status_update(client, receiver.url, None, BODY, "1")


async def test_gone_is_for_good(client: httpx.AsyncClient) -> None:
    """410 says that the receiver will not come back."""
    async with receiving(answer("410 Gone")) as receiver:
        assert GaveUp("answered 410 Gone") == await post_status_update(client, receiver.url, None, BODY, "1")


async def test_an_address_that_no_try_can_reach_is_given_up(client: httpx.AsyncClient) -> None:
    """It would otherwise break the delivery of all events, without a word."""
    found = await post_status_update(client, "https://[v1.x]/hook", None, BODY, "1")
    assert found == GaveUp("its address cannot be used")


@pytest.mark.parametrize(
    ("status", "refused"),
    [
        ("400 Bad Request", True),
        ("415 Unsupported", True),
        ("422 Unprocessable", True),
        ("401 Unauthorized", False),
        ("403 Site Disabled", False),
        ("404 Not Found", False),
        ("413 Too Large", True),
        ("408 Request Timeout", False),
        ("425 Too Early", False),
        ("429 Too Many Requests", False),
        ("500 Oh", False),
        ("503 Busy", False),
    ],
)
async def test_any_other_answer_is_tried_again(client: httpx.AsyncClient, status: str, refused: bool) -> None:
    """A receiver that is being deployed answers 404 for a while; what is no matter of the moment is told."""
    async with receiving(answer(status)) as receiver:
        found = await post_status_update(client, receiver.url, None, BODY, "1")
    assert found == Retry(f"answered {status}", refused=refused)


@pytest.mark.parametrize("status", ["301 Moved", "302 Found", "303 Other", "307 Moved", "308 Moved"])
async def test_a_redirect_is_not_followed(client: httpx.AsyncClient, status: str) -> None:
    """Body and signature go to the address that was given and checked, and nowhere else."""
    async with receiving(OK) as other, receiving(answer(status, f"location: {other.url}")) as receiver:
        found = await post_status_update(client, receiver.url, SECRET, BODY, "1")
    assert found == Retry(f"answered {status}; redirects are not followed")
    assert other.posts == []


async def test_an_answer_of_a_byte_at_a_time_is_no_answer(client: httpx.AsyncClient) -> None:
    """Each byte comes soon enough, and all of them never would."""
    async with trickling(b"HTTP/1.1 200 OK\r\nx: " + b"y" * 1000) as url:
        found = await post_status_update(client, url, None, BODY, "1", scale=0.001)
    assert found == Retry("no answer in 1 s")


@pytest.mark.parametrize("again", [b"HTTP/1.1 100 Continue\r\n\r\n", b"x-header: y\r\n"])
async def test_an_answer_that_never_begins_is_no_answer(client: httpx.AsyncClient, again: bytes) -> None:
    """Interim answers, or headers, without end."""
    first = b"" if again.startswith(b"HTTP") else b"HTTP/1.1 200 OK\r\n"
    async with flooding(first, again) as url:
        found = await post_status_update(client, url, None, BODY, "1", scale=0.001)
    assert isinstance(found, Retry)


async def test_a_flood_of_a_body_is_not_read(client: httpx.AsyncClient) -> None:
    """The status has been said; the rest may go on for ever."""
    async with flooding(b"HTTP/1.1 200 OK\r\n\r\n", b"x" * 65536) as url:
        assert Sent() == await post_status_update(client, url, None, BODY, "1")


async def test_a_secret_in_an_answer_is_in_no_reason(client: httpx.AsyncClient) -> None:
    """A receiver may say back what it was sent."""
    async with receiving(answer(f"500 code=the-hook-code {SECRET}")) as receiver:
        redaction.register(SECRET)
        redaction.register("code=the-hook-code")
        found = await post_status_update(client, receiver.url, None, BODY, "1")
    assert isinstance(found, Retry)
    assert "the-hook-code" not in found.reason
    assert SECRET not in found.reason


@pytest.mark.parametrize(
    ("header", "seconds"),
    [
        ("7", 7.0),
        ("0", 0.0),
        ("999999", 3600.0),
        ("soon", None),
        ("-1", None),
        ("Wed, 21 Oct 2015 07:28:00 GMT", 0.0),
    ],
)
async def test_retry_after_is_heard(client: httpx.AsyncClient, header: str, seconds: float | None) -> None:
    """Up to an hour; what makes no sense is not heard."""
    async with receiving(answer("503 Busy", f"retry-after: {header}")) as receiver:
        found = await post_status_update(client, receiver.url, None, BODY, "1")
    assert found == Retry("answered 503 Busy", seconds)


async def test_retry_after_may_be_a_date(client: httpx.AsyncClient) -> None:
    """Both forms of HTTP are understood."""
    later = format_datetime(datetime.now(UTC) + timedelta(seconds=60), usegmt=True)
    async with receiving(answer("503 Busy", f"retry-after: {later}")) as receiver:
        found = await post_status_update(client, receiver.url, None, BODY, "1")
    assert isinstance(found, Retry)
    assert found.after is not None
    assert 50 < found.after <= 60


async def test_an_answer_that_does_not_end_holds_nobody_up(client: httpx.AsyncClient) -> None:
    """The status is all that counts."""
    endless = b"HTTP/1.1 200 OK\r\ncontent-length: 1000000\r\n\r\nand so on..."
    async with receiving(endless) as receiver:
        start = time.monotonic()
        assert Sent() == await post_status_update(client, receiver.url, None, BODY, "1")
    assert time.monotonic() - start < 25


async def test_no_answer_is_tried_again_after_the_time_is_up(client: httpx.AsyncClient) -> None:
    """Ten seconds of the real service; a tenth of it is the least."""
    async with receiving(b"HTTP/1.1 200...") as receiver:
        found = await post_status_update(client, receiver.url, None, BODY, "1", scale=0.001)
    assert found == Retry("no answer in 1 s")


@pytest.mark.parametrize("first", [b"", b"SSH-2.0-what\r\n\r\n"])
async def test_a_broken_connection_is_tried_again(client: httpx.AsyncClient, first: bytes) -> None:
    """Closed without a word, or no HTTP at all; the address stays out of the reason."""
    async with receiving(first) as receiver:
        found = await post_status_update(client, receiver.url, None, BODY, "1")
    assert isinstance(found, Retry)
    assert found.reason.startswith("not reached: ")
    assert "the-hook-code" not in found.reason


async def test_nobody_there_is_tried_again(client: httpx.AsyncClient) -> None:
    """A port where nothing listens."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        url = f"http://127.0.0.1:{free.getsockname()[1]}/"
        found = await post_status_update(client, url, None, BODY, "1")
    assert isinstance(found, Retry)


def test_the_schedule_starts_at_a_second_and_doubles_to_five_minutes() -> None:
    """In the middle of its jitter, and scaled."""
    waits = list(islice(DELIVERY.delays(chance=lambda: 0.5), 11))
    assert waits == [1, 2, 4, 8, 16, 32, 64, 128, 256, 300, 300]
    assert list(islice(DELIVERY.delays(0.5, lambda: 0.5), 2)) == [0.5, 1]
    assert DELIVERY.deadline == 86_400


def test_waits_are_spread() -> None:
    """Receivers that come back are not met by all senders at once."""
    assert next(DELIVERY.delays(chance=lambda: 0.0)) == pytest.approx(0.8)
    assert next(DELIVERY.delays(chance=lambda: 1.0)) == pytest.approx(1.2)
