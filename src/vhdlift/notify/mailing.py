"""Handing a mail to its server: how to connect, when to come again, what to say when it is not taken."""

from __future__ import annotations

import asyncio
import ipaddress
import ssl
from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING, Any, NamedTuple

import aiosmtplib

from vhdlift.errors import VhdliftError
from vhdlift.redaction import redact

if TYPE_CHECKING:
    from email.message import EmailMessage

    from vhdlift.settings import Settings

Told = Callable[[str, float], Awaitable[None]]

_TLS_PORT = 465
_SECONDS = 60.0
_LEAST_SECONDS = 10.0
_PAUSES = (60.0, 120.0, 180.0)
"""Seconds before each further try where a server asks to come again: who greylists wants five minutes."""
_LATER = 4


class _Answer(NamedTuple):
    """What the server said to one address."""

    code: int
    message: str

    def __str__(self) -> str:
        return redact(f"{self.code} {self.message}")

    @property
    def passes(self) -> bool:
        """Whether it may take the same later: 4xx (RFC 5321, 4.2.1)."""
        return self.code // 100 == _LATER


async def nobody(_said: str, _seconds: float) -> None:
    """Hears of waits, and tells nobody."""


async def send(settings: Settings, message: EmailMessage, to: list[str], told: Told) -> None:
    """Hand the mail over for these addresses.

    A server that asks to come again, as those do that greylist, is asked again for six minutes, for the
    addresses that it has not taken. One that refuses, hangs or is not there is not waited for.

    Args:
        settings: the server, and the time scale.
        message: the mail.
        to: who is to get it.
        told: hears of each wait: a sentence and the seconds.

    Raises:
        VhdliftError: the server does not take the mail for all addresses.
    """
    refused, left = await _tried(settings, message, to)
    for pause in map(settings.scaled, _PAUSES):
        if not left:
            break
        await told(f"The mail server asks to come again later: {next(iter(left.values()))}", pause)
        await asyncio.sleep(pause)
        again, left = await _tried(settings, message, list(left))
        refused |= again
    if refused | left:
        said = "; ".join(f"{address}: {answer}" for address, answer in (refused | left).items())
        raise VhdliftError(redact(f"the mail server refused some addresses: {said}"), "see --email")


async def _tried(
    settings: Settings, message: EmailMessage, to: list[str]
) -> tuple[dict[str, _Answer], dict[str, _Answer]]:
    """One try; who is refused for good, and who may be taken later."""
    answers = await _sent(settings, message, to)
    final = {address: answer for address, answer in answers.items() if not answer.passes}
    return final, {address: answer for address, answer in answers.items() if answer.passes}


async def _sent(settings: Settings, message: EmailMessage, to: list[str]) -> dict[str, _Answer]:
    """What the server answers to the addresses that it does not take.

    Raises:
        VhdliftError: it does not take the mail for any, and does not ask to come again.
    """
    try:
        refused, _ = await aiosmtplib.send(
            message, recipients=to, **connection(settings, settings.smtp_host or "")
        )
    except aiosmtplib.SMTPRecipientsRefused as error:
        return {one.recipient: _Answer(one.code, one.message) for one in error.recipients}
    except (aiosmtplib.SMTPException, OSError) as error:
        if isinstance(error, aiosmtplib.SMTPResponseException) and error.code // 100 == _LATER:
            return dict.fromkeys(to, _Answer(error.code, error.message))
        sentence = f"the mail server {settings.smtp_host}:{settings.smtp_port} did not take the mail: {error}"
        raise VhdliftError(redact(sentence), hint_of(error)) from error
    return {address: _Answer(answer.code, answer.message) for address, answer in refused.items()}


def connection(settings: Settings, host: str) -> dict[str, Any]:
    """How to connect to the mail server and sign in, as aiosmtplib takes it."""
    implicit = settings.smtp_tls == "tls" or (settings.smtp_tls == "auto" and settings.smtp_port == _TLS_PORT)
    return {
        "hostname": host,
        "port": settings.smtp_port,
        "username": settings.smtp_username,
        "password": settings.smtp_password.get_secret_value() if settings.smtp_password else None,
        "timeout": max(settings.scaled(_SECONDS), _LEAST_SECONDS),
        "use_tls": implicit,
        "start_tls": False if implicit else _start_tls(settings.smtp_tls, host),
        "tls_context": ssl.create_default_context(cafile=settings.ca_bundle),
    }


def _start_tls(wanted: str, host: str) -> bool | None:
    """True: required; None: when offered; False: never. The mail holds a link that others must not read."""
    if wanted == "none":
        return False
    return None if wanted == "auto" and _is_this_machine(host) else True


def _is_this_machine(host: str) -> bool:
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


def hint_of(error: Exception) -> str:
    """What to look at, after an error of the mail server."""
    if isinstance(error, aiosmtplib.SMTPAuthenticationError):
        return "check SMTP_USERNAME and SMTP_PASSWORD"
    if "STARTTLS" in str(error):
        return "set SMTP_TLS=tls if the server speaks TLS from the start, or SMTP_TLS=none to do without"
    return "check SMTP_HOST, SMTP_PORT and SMTP_TLS"
