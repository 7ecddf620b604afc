"""The completion mail: made from templates, sent once the artefact was verified."""

from __future__ import annotations

import ipaddress
import re
import ssl
from dataclasses import dataclass, field
from datetime import UTC, datetime
from email.headerregistry import Address
from email.message import EmailMessage
from email.utils import format_datetime, parseaddr
from typing import TYPE_CHECKING, Any

import aiosmtplib

from vhdlift.errors import Leftover, VhdliftError
from vhdlift.notify.templates import render
from vhdlift.notify.usb import UNTRIED, usb_of
from vhdlift.options import AZCOPY_RELEASES
from vhdlift.redaction import redact

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from vhdlift.settings import Settings

_TLS_PORT = 465
_SECONDS = 60.0
_LEAST_SECONDS = 10.0


@dataclass(frozen=True)
class CompletionMail:
    """What the mail tells.

    Attributes:
        run_id: the run; the mail's Message-ID is made of it, so that a repeat can be known as one.
        vm_name: the new VM.
        source_vm: the VM whose disk was exported.
        resource_group: of the new VM and of the storage account that keeps the artefact.
        artefact: the name of the VHD's blob.
        link: its address with a signature: a secret that only the mail may hold, as are the passwords.
        link_expires: when the link stops working.
        size: bytes of the VHD's file.
        sha256: of the whole file, in hexadecimal.
        addresses: the host of each service, by its name: `pin`, `drop`, `web`.
        services: of each service `on`, or why it is not served.
        passwords: of each user of the services that are on: secrets, and told nowhere else.
        durations: what each step is called and how many seconds it took, in order.
        elapsed: seconds from the run's start to the verified artefact; steps run side by side.
        removed: what was cleaned up, in words.
        scheme: `gpt` or `mbr`, the VHD's partition table.
        leftovers: what could not be removed.
        to: who gets it; without any, the addresses of the settings.
    """

    run_id: str
    vm_name: str
    source_vm: str
    resource_group: str
    artefact: str
    link: str = field(repr=False)
    link_expires: datetime
    size: int
    sha256: str
    addresses: Mapping[str, str]
    durations: Sequence[tuple[str, float]] = ()
    elapsed: float | None = None
    removed: Sequence[str] = ()
    scheme: str = "gpt"
    leftovers: Sequence[Leftover] = ()
    to: Sequence[str] = ()
    services: Mapping[str, str] = field(default_factory=dict)
    passwords: Mapping[str, str] = field(default_factory=dict, repr=False)

    @property
    def command(self) -> str:
        """The AzCopy command that downloads the artefact; quoted for cmd, PowerShell and sh alike."""
        return f'azcopy copy "{self.link}" "{self.artefact}"'

    @property
    def unserved(self) -> dict[str, str]:
        """Why a service is not served, by its name."""
        return {name: redact(how) for name, how in self.services.items() if how != "on"}

    @property
    def sign_ins(self) -> list[tuple[str, str, str]]:
        """Where a user signs in, the user, and the password."""
        served = {name for name, how in self.services.items() if how == "on"}
        places = {"drop": ("drop",), "pin": ("pin", "web")}
        return [
            (" and ".join(f"{name}." for name in places[user] if name in served), user, password)
            for user, password in self.passwords.items()
        ]

    @property
    def lost(self) -> bool:
        """Whether something is served whose password is not known."""
        return "on" in self.services.values() and not self.passwords


async def send_completion_email(settings: Settings, mail: CompletionMail) -> None:
    """Send the mail to all its addresses, in one go.

    Raises:
        VhdliftError: the mail server cannot be reached, or refuses it or some of the addresses.
    """
    if not settings.smtp_host or not settings.smtp_from:
        raise VhdliftError("no mail server is set", "set SMTP_HOST and SMTP_FROM")
    try:
        refused, _ = await aiosmtplib.send(
            completion_message(settings, mail), **connection(settings, settings.smtp_host)
        )
    except (aiosmtplib.SMTPException, OSError) as error:
        sentence = f"the mail server {settings.smtp_host}:{settings.smtp_port} did not take the mail: {error}"
        raise VhdliftError(redact(sentence), hint_of(error)) from error
    if refused:
        answers = "; ".join(
            f"{address}: {answer.code} {answer.message}" for address, answer in refused.items()
        )
        raise VhdliftError(redact(f"the mail server refused some addresses: {answers}"), "see --email")


def completion_message(settings: Settings, mail: CompletionMail) -> EmailMessage:
    """The mail as it is sent: headers, text, and the same as HTML."""
    values = _values(mail)
    sender = parseaddr(settings.smtp_from or "")
    message = EmailMessage()
    message["Subject"] = _one_line(render("completed/subject.txt", values))
    message["From"] = Address(sender[0], addr_spec=sender[1])
    message["To"] = [Address(addr_spec=address) for address in mail.to or settings.email]
    message["Date"] = format_datetime(datetime.now(UTC))
    message["Message-ID"] = f"<{_token(mail.run_id)}.completed@{_token(sender[1].rpartition('@')[2])}>"
    message["Auto-Submitted"] = "auto-generated"
    message.set_content(render("completed/body.txt", values))
    message.add_alternative(render("completed/body.html", values), subtype="html")
    return message


def _values(mail: CompletionMail) -> dict[str, Any]:
    """What templates may use; everything but the link and the passwords has its secrets taken out."""
    leftovers = [Leftover(redact(x.resource_id), redact(x.reason), redact(x.command)) for x in mail.leftovers]
    return {
        "mail": mail,
        "removed": [redact(line) for line in mail.removed],
        "leftovers": leftovers,
        "releases": AZCOPY_RELEASES,
        "usb": usb_of(mail.artefact, mail.size, mail.scheme),
        "untried": UNTRIED,
    }


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


def _one_line(text: str) -> str:
    return " ".join("".join(c if c.isprintable() else " " for c in text).split())


def _token(text: str) -> str:
    return re.sub(r"[^A-Za-z0-9.-]", "-", text)
