"""Preflight of those who will be told: the mail server and the webhook, tried as a run will use them."""

from __future__ import annotations

import uuid
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import aiosmtplib

from vhdlift.azure.findings import Finding
from vhdlift.notify.mailing import connection, hint_of
from vhdlift.notify.webhook import Sent, open_client, post_status_update
from vhdlift.redaction import redact

if TYPE_CHECKING:
    from vhdlift.model import Spec
    from vhdlift.settings import Settings

STEP = "preflight"
_SECONDS = 10.0
_SMTP_PORT = 25


async def mail_server(settings: Settings) -> list[Finding]:
    """Whether the mail server is there and takes our login; nothing is sent."""
    host = settings.smtp_host
    if not settings.email or not host:
        return []
    server = aiosmtplib.SMTP(**{**connection(settings, host), "timeout": _SECONDS})
    try:
        async with server:
            await server.noop()
    except aiosmtplib.SMTPAuthenticationError as error:
        return [_mail("smtp-login", settings, f"does not take the login: {error}", hint_of(error))]
    except (aiosmtplib.SMTPConnectError, aiosmtplib.SMTPTimeoutError, OSError) as error:
        return [_mail("smtp-unreachable", settings, f"cannot be reached: {error}{_of_port_25(settings)}")]
    except aiosmtplib.SMTPException as error:
        return [_mail("smtp-refused", settings, f"does not work with us: {error}", hint_of(error))]
    return []


async def webhook(settings: Settings, spec: Spec) -> list[Finding]:
    """Whether the receiver takes a post: a test, which belongs to no run."""
    if settings.webhook_url is None:
        return []
    url, key = settings.webhook_url.get_secret_value(), settings.webhook_secret
    secret = key.get_secret_value() if key else None
    async with open_client(settings) as client:
        # Whatever the time scale, a receiver gets its full ten seconds: there is no second post to wait for.
        answer = await post_status_update(client, url, secret, test_body(spec), f"test_{uuid.uuid4().hex}")
    if isinstance(answer, Sent):
        return []
    message = f"The webhook did not take a test post: {answer.reason}. A run goes on without it."
    return [Finding("webhook", "warning", message, "a test post to the webhook", "--webhook-url URL")]


def test_body(spec: Spec) -> dict[str, Any]:
    """A post in the shape of all others, without a run and without a number."""
    return {
        "vm_name": spec.vm_name,
        "status": "provisioning",
        "resource_group": spec.resource_group,
        "location": spec.location,
        "run_id": None,
        "sequence": None,
        "details": {
            "step": STEP,
            "state": "progress",
            "message": "A test of this webhook: nothing has been started",
            "timestamp": datetime.now(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z"),
            "test": True,
        },
    }


def _mail(code: str, settings: Settings, what: str, mends: str = "") -> Finding:
    about = f"the mail server {settings.smtp_host}:{settings.smtp_port}"
    message = redact(f"{about} {what}. A run would end without its mail.")
    return Finding(code, "warning", message[0].upper() + message[1:], about, mends or "check SMTP_HOST")


def _of_port_25(settings: Settings) -> str:
    """From Azure's own networks, port 25 leads nowhere in most subscriptions."""
    if settings.smtp_port != _SMTP_PORT:
        return ""
    return " (Azure blocks port 25 to the outside for most subscriptions: SMTP_PORT=587 is not blocked)"
