"""Telling a webhook about one change of state: one call is one attempt, when to try again is data.

Headers follow the Standard Webhooks specification. A repeat carries the same `webhook-id`, so that a receiver
can drop it.
"""

from __future__ import annotations

import asyncio
import json
import random
import ssl
from dataclasses import dataclass
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from functools import cache
from http import HTTPStatus
from typing import TYPE_CHECKING, Any

import httpx
from standardwebhooks import Webhook

from vhdlift import __version__
from vhdlift.notify import guarded
from vhdlift.redaction import redact, redact_json

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from vhdlift.settings import Settings

_ATTEMPT_SECONDS = 10.0
_LONGEST_WAIT_ASKED_FOR = 3600.0
_LONGEST_PHRASE = 80
# Below this a real network would not answer in time, however fast the stand-in's clock runs.
_LEAST_SCALE = 0.1
# What of 4xx speaks of the moment and not of the post.
# What speaks of this one post. Any other 4xx may be a gateway's, in place of a receiver that is away.
_REFUSALS = frozenset(
    {
        HTTPStatus.BAD_REQUEST,
        HTTPStatus.REQUEST_ENTITY_TOO_LARGE,
        HTTPStatus.UNSUPPORTED_MEDIA_TYPE,
        HTTPStatus.UNPROCESSABLE_ENTITY,
    }
)


@dataclass(frozen=True)
class Sent:
    """The receiver has it: it answered with a 2xx."""


@dataclass(frozen=True)
class Retry:
    """Not delivered yet.

    Attributes:
        reason: why, without the address of the receiver.
        after: the least number of seconds that the receiver asked to be left alone.
        refused: the receiver is there, and does not want this post (400, 413, 415, 422).
    """

    reason: str
    after: float | None = None
    refused: bool = False


@dataclass(frozen=True)
class GaveUp:
    """Never to be delivered: the receiver does not exist any more."""

    reason: str


@dataclass(frozen=True)
class Schedule:
    """How long to wait between attempts and when to stop, in seconds of the real service.

    Posts go out in order, so each waits for those before it: until the receiver takes them, until they are
    `deadline` old, or until the receiver has refused them for `patience`, as no repeat will please it then.
    """

    first: float = 1.0
    longest: float = 300.0
    factor: float = 2.0
    jitter: float = 0.2
    deadline: float = 24 * 3600.0
    patience: float = 900.0

    def delays(self, scale: float = 1.0, chance: Callable[[], float] = random.random) -> Iterator[float]:
        """The wait before the second attempt, the third, and so on without end.

        Args:
            scale: the settings' `time_scale`.
            chance: gives numbers from 0 to 1 that spread each wait by up to `jitter` both ways.
        """
        wait = self.first
        while True:
            yield wait * (1 + self.jitter * (2 * chance() - 1)) * scale
            wait = min(wait * self.factor, self.longest)


DELIVERY = Schedule()


def open_client(settings: Settings) -> httpx.AsyncClient:
    """A client for posts to the webhook of these settings; close it at the end."""
    return guarded.open_client(
        settings.webhook_url.get_secret_value() if settings.webhook_url else "",
        _trust(str(settings.ca_bundle) if settings.ca_bundle else None),
        allow_private=settings.webhook_allow_private,
        agent=f"vhdlift/{__version__}",
    )


@cache
def _trust(ca_bundle: str | None) -> ssl.SSLContext:
    """Read once: the certificates of a whole system are many."""
    return ssl.create_default_context(cafile=ca_bundle)


async def post_status_update(
    client: httpx.AsyncClient,
    url: str,
    secret: str | None,
    body: dict[str, Any],
    webhook_id: str,
    *,
    scale: float = 1.0,
) -> Sent | Retry | GaveUp:
    """Post one body once, with every secret taken out of it.

    Args:
        client: shared by all posts.
        url: where to; it is a secret itself and in no reason that is returned.
        secret: signs the post; None or empty for no signature.
        body: as `Event.webhook_body` makes it.
        webhook_id: the same for every attempt at the same event.
        scale: the settings' `time_scale`.
    """
    text = json.dumps(redact_json(body), ensure_ascii=False, separators=(",", ":"))
    content = text.encode("utf-8", "replace")
    headers = {"content-type": "application/json; charset=utf-8", **_headers(secret, webhook_id, content)}
    limit = _ATTEMPT_SECONDS * max(scale, _LEAST_SCALE)
    # Streamed, and never read: what a receiver says besides its status is of no use, and may not end.
    request = client.stream(
        "POST", url, content=content, headers=headers, follow_redirects=False, timeout=limit
    )
    try:
        async with asyncio.timeout(limit), request as response:
            return _judged(response, scale)
    except (TimeoutError, httpx.TimeoutException):
        return Retry(f"no answer in {limit:g} s")
    except httpx.TransportError as error:
        return Retry(redact(f"not reached: {str(error) or type(error).__name__}").replace(url, "[redacted]"))
    except httpx.InvalidURL:
        return GaveUp("its address cannot be used")


def _headers(secret: str | None, webhook_id: str, content: bytes) -> dict[str, str]:
    if not secret:
        return {"webhook-id": webhook_id}
    now = datetime.now(UTC)
    return {
        "webhook-id": webhook_id,
        "webhook-timestamp": str(int(now.timestamp())),
        "webhook-signature": Webhook(secret).sign(webhook_id, now, content.decode()),
    }


def _judged(response: httpx.Response, scale: float) -> Sent | Retry | GaveUp:
    if response.is_success:
        return Sent()
    reason = redact(f"answered {response.status_code} {response.reason_phrase[:_LONGEST_PHRASE]}").rstrip()
    if response.status_code == HTTPStatus.GONE:
        return GaveUp(reason)
    if response.has_redirect_location:
        reason += "; redirects are not followed"
    after = _asked_for(response.headers.get("retry-after", ""), _LONGEST_WAIT_ASKED_FOR * scale)
    return Retry(reason, after, response.status_code in _REFUSALS)


def _asked_for(value: str, longest: float) -> float | None:
    """The seconds that a Retry-After header asks for, as a number or a date; None if it makes no sense."""
    try:
        seconds = float(value) if value.isdecimal() else _seconds_until(value)
    except (ValueError, TypeError):
        return None
    return min(max(seconds, 0.0), longest)


def _seconds_until(date: str) -> float:
    return (parsedate_to_datetime(date) - datetime.now(UTC)).total_seconds()
