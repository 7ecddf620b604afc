"""The completion mail: made from templates, sent once the artefact was verified."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from datetime import UTC, datetime
from email.headerregistry import Address
from email.message import EmailMessage
from email.utils import format_datetime, parseaddr
from typing import TYPE_CHECKING, Any

from vhdlift.errors import Leftover, VhdliftError
from vhdlift.notify.mailing import Told, nobody, send
from vhdlift.notify.templates import render
from vhdlift.notify.usb import UNTRIED, usb_of
from vhdlift.options import AZCOPY_RELEASES
from vhdlift.redaction import redact

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from vhdlift.settings import Settings


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
        holes: whether the blob knows which of its parts are empty, so that a download leaves them out.
        services: of each service `on`, or why it is not served.
        passwords: of each user of the services that are on: secrets, and told nowhere else.
        durations: what each step is called and how many seconds it took, in order.
        elapsed: seconds from the run's start to the verified artefact; steps run side by side.
        removed: what was cleaned up, in words.
        leaving: what is still to be cleaned up, in words.
        stays: all else that carries the run's tag, each as `type name`.
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
    leaving: Sequence[str] = ()
    stays: Sequence[str] = ()
    scheme: str = "gpt"
    leftovers: Sequence[Leftover] = ()
    to: Sequence[str] = ()
    holes: bool = True
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


async def send_completion_email(settings: Settings, mail: CompletionMail, told: Told = nobody) -> None:
    """Send the mail to all its addresses.

    Args:
        settings: the server and the sender.
        mail: what to say.
        told: hears of waits, as in `mailing.send`.

    Raises:
        VhdliftError: there is no mail server, or it does not take the mail for all addresses.
    """
    if not settings.smtp_host or not settings.smtp_from:
        raise VhdliftError("no mail server is set", "set SMTP_HOST and SMTP_FROM")
    await send(settings, completion_message(settings, mail), list(mail.to or settings.email), told)


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
        "leaving": [redact(line) for line in mail.leaving],
        "stays": [redact(line) for line in mail.stays],
        "leftovers": leftovers,
        "releases": AZCOPY_RELEASES,
        "usb": usb_of(mail.artefact, mail.size, mail.scheme),
        "untried": UNTRIED,
    }


def _one_line(text: str) -> str:
    return " ".join("".join(c if c.isprintable() else " " for c in text).split())


def _token(text: str) -> str:
    return re.sub(r"[^A-Za-z0-9.-]", "-", text)
