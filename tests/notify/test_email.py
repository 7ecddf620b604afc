"""The completion mail: what it says, and how it gets to the mail server."""

from __future__ import annotations

import dataclasses
import email
import email.policy
import ssl
from datetime import UTC, datetime
from email.message import EmailMessage
from html.parser import HTMLParser
from pathlib import Path

import pytest
import trustme
from pydantic import SecretStr

from tests.notify.mailbox import Mailbox, listening
from vhdlift import redaction
from vhdlift.errors import Leftover, VhdliftError
from vhdlift.notify.email import CompletionMail, completion_message, send_completion_email
from vhdlift.notify.mailing import _start_tls
from vhdlift.notify.templates import duration
from vhdlift.settings import Settings

LINK = "https://vhdusb01.blob.core.windows.net/vhdusb/office.vhd?sv=2025-05-05&se=2026-03-21T14%3A05%3A00Z&sig=Ab%2B%3D"
SNAPSHOT = "/subscriptions/0/resourceGroups/lab1-rg/providers/Microsoft.Compute/snapshots/office-3f2a91bc"
MAIL = CompletionMail(
    run_id="01JC8Z6Q3T5V7X9Y1A2B3C4D5E",
    vm_name="lab1",
    source_vm="office",
    resource_group="lab1-rg",
    artefact="office.vhd",
    link=LINK,
    link_expires=datetime(2026, 3, 21, 14, 5, tzinfo=UTC),
    size=127 * 2**30 + 512,
    sha256="9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08",
    addresses={service: f"{service}.lab1.example.org" for service in ("pin", "drop", "web")},
    durations=[("New VM", 131.4), ("Export of the VHD", 15_420)],
    elapsed=17_520,
    removed=["Snapshot office-3f2a91bc"],
    leftovers=[
        Leftover(SNAPSHOT, "The scope is locked (ScopeLocked).", f"az resource delete --ids {SNAPSHOT}")
    ],
)
TELLS = [
    "lab1",
    "office.vhd",
    LINK,
    "127.00 GiB",
    "136,365,212,160 bytes",
    "9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08",
    "21 March 2026, 14:05 UTC",
    "https://github.com/Azure/azure-storage-azcopy/releases",
    f'azcopy copy "{LINK}" "office.vhd"',
    "https://pin.lab1.example.org",
    "https://drop.lab1.example.org",
    "https://web.lab1.example.org",
    "136.4 GB, so a stick sold as 256 GB",
    'qemu-img convert -n -f vpc -O raw "office.vhd" /dev/sdX',
    "sgdisk -e",
    "ventoy_vhdboot.img",
    "64-bit UEFI",
    "bcdboot W:\\Windows /s S: /f UEFI",
    "INACCESSIBLE_BOOT_DEVICE",
    "VHD_BOOT_INITIALIZATION_FAILED",
    "2 min 11 s",
    "4 h 17 min",
    "4 h 52 min",
    "Snapshot office-3f2a91bc",
    SNAPSHOT,
    "ScopeLocked",
    f"az resource delete --ids {SNAPSHOT}",
    "licence of your own",
    "180 days",
    "01JC8Z6Q3T5V7X9Y1A2B3C4D5E",
]


class Page(HTMLParser):
    """What a reader of the HTML sees, what its links lead to, and what it would load."""

    def __init__(self, message: EmailMessage) -> None:
        super().__init__()
        self.seen = ""
        self.links: list[str] = []
        self.tags: set[str] = set()
        self.loads: list[str] = []
        body = message.get_body(("html",))
        assert body is not None
        self.source = body.get_content()
        self.feed(self.source)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.add(tag)
        self.links += [value or "" for name, value in attrs if name == "href"]
        self.loads += [value or "" for name, value in attrs if name in ("src", "background", "srcset")]

    def handle_data(self, data: str) -> None:
        self.seen += data


@pytest.fixture(scope="module")
def authority() -> trustme.CA:
    return trustme.CA()


@pytest.fixture(scope="module")
def tls(authority: trustme.CA) -> ssl.SSLContext:
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    authority.issue_cert("127.0.0.1").configure_cert(context)
    return context


@pytest.fixture
def settings(authority: trustme.CA, tmp_path: Path) -> Settings:
    authority.cert_pem.write_to_path(str(tmp_path / "ca.pem"))
    return Settings(
        email=("ann@example.org", "bob@example.org"),
        smtp_host="127.0.0.1",
        smtp_from="VHD Lift <noreply@example.org>",
        ca_bundle=tmp_path / "ca.pem",
    )


def signing_in(settings: Settings, port: int, password: str) -> Settings:
    changed = {"smtp_port": port, "smtp_username": "ann", "smtp_password": SecretStr(password)}
    return settings.model_copy(update=changed)


def text_of(message: EmailMessage) -> str:
    body = message.get_body(("plain",))
    assert body is not None
    return str(body.get_content())


def arrived(box: Mailbox) -> EmailMessage:
    (envelope,) = box.envelopes
    assert isinstance(envelope.content, bytes)
    return email.message_from_bytes(envelope.content, policy=email.policy.default)


@pytest.mark.parametrize("told", TELLS)
def test_both_parts_tell_it(settings: Settings, told: str) -> None:
    """Who reads text learns all that who reads HTML learns."""
    message = completion_message(settings, MAIL)
    page = Page(message)
    assert told in text_of(message)
    assert told in page.seen or told in page.links


def test_a_disk_of_generation_1_starts_in_another_way(settings: Settings) -> None:
    """An MBR disk starts in legacy BIOS mode and has no spare partition table; both parts say so."""
    message = completion_message(settings, dataclasses.replace(MAIL, scheme="mbr"))
    for part in (text_of(message), Page(message).seen):
        assert "legacy BIOS mode" in part
        assert "/f BIOS" in part
        assert "UEFI" not in part
        assert "sgdisk" not in part


def test_a_disk_larger_than_any_stick_is_told_as_such(settings: Settings) -> None:
    """No stick is named that there is not."""
    large = completion_message(settings, dataclasses.replace(MAIL, size=2040 * 2**40 + 512))
    assert "so a USB disk that large." in text_of(large)


def test_nothing_is_loaded_from_outside(settings: Settings) -> None:
    """No picture, script, font or style sheet: a mail client shows all of it at once."""
    page = Page(completion_message(settings, MAIL))
    assert page.loads == []
    assert not page.tags & {"img", "script", "link", "iframe", "object", "form"}
    assert "url(" not in page.source
    assert "@import" not in page.source


def test_what_is_not_there_leaves_no_heading(settings: Settings) -> None:
    """Nothing left over, nothing measured, nothing removed: nothing said."""
    bare = dataclasses.replace(MAIL, leftovers=(), durations=(), removed=(), elapsed=None)
    message = completion_message(settings, bare)
    for heading in ("left over", "cleaned up", "how long"):
        assert heading not in text_of(message).lower()
        assert heading not in Page(message).seen.lower()


def test_names_are_text_and_never_html(settings: Settings) -> None:
    """A name with markup in it is shown, not obeyed; an address with quotes stays one address."""
    hostile = '<img src=x onerror="alert(1)">&{{ 7*7 }}'
    bad = dataclasses.replace(
        MAIL, source_vm=hostile, vm_name=hostile, artefact=hostile, link='https://a/"><b>'
    )
    page = Page(completion_message(settings, bad))
    assert "img" not in page.tags
    assert "b" not in page.tags
    assert hostile in page.seen
    assert 'https://a/"><b>' in page.links


def test_no_header_can_be_added(settings: Settings) -> None:
    """Line ends in a name or an id stay inside the one header."""
    bad = dataclasses.replace(
        MAIL, source_vm="x\r\nBcc: evil@example.org", run_id="y\r\nBcc: evil@example.org"
    )
    message = email.message_from_bytes(bytes(completion_message(settings, bad)), policy=email.policy.default)
    assert message["Bcc"] is None
    assert message["Subject"].startswith("x Bcc: evil@example.org: the VHD is ready")


def test_the_subject_says_what_is_left_over(settings: Settings) -> None:
    """The one thing to act on is seen in the list of mails."""
    assert completion_message(settings, MAIL)["Subject"] == (
        "office: the VHD is ready (127.00 GiB), something is left over"
    )
    done = dataclasses.replace(MAIL, leftovers=())
    assert completion_message(settings, done)["Subject"] == "office: the VHD is ready (127.00 GiB)"


def test_a_repeat_has_the_same_id(settings: Settings) -> None:
    """The Message-ID follows from the run, so that a second copy can be known as one."""
    first, second = completion_message(settings, MAIL), completion_message(settings, MAIL)
    assert first["Message-ID"] == second["Message-ID"] == "<01JC8Z6Q3T5V7X9Y1A2B3C4D5E.completed@example.org>"


def test_a_mail_may_name_its_own_readers(settings: Settings) -> None:
    """A run that is resumed elsewhere knows them itself; without them, the settings do."""
    assert completion_message(settings, MAIL)["To"] == "ann@example.org, bob@example.org"
    own = dataclasses.replace(MAIL, to=("eve@example.org",))
    assert completion_message(settings, own)["To"] == "eve@example.org"


def test_the_link_is_the_only_secret(settings: Settings) -> None:
    """What the rest of the mail is made of passes the redactor."""
    redaction.register("the-admin-password")
    leaky = [
        Leftover(
            "id", "GET https://a.example/b?sig=LeakedSignature failed", "az --password the-admin-password"
        )
    ]
    message = completion_message(
        settings, dataclasses.replace(MAIL, leftovers=leaky, removed=["the-admin-password"])
    )
    for part in (text_of(message), Page(message).source):
        assert "LeakedSignature" not in part
        assert "the-admin-password" not in part
    assert "Ab%2B" not in repr(MAIL)


async def test_starttls_is_used(settings: Settings, tls: ssl.SSLContext) -> None:
    """The mail goes to all addresses at once, encrypted, and arrives whole."""
    async with listening(tls) as box:
        await send_completion_email(settings.model_copy(update={"smtp_port": box.port}), MAIL)
    assert box.encrypted == [True]
    assert box.envelopes[0].rcpt_tos == ["ann@example.org", "bob@example.org"]
    assert box.envelopes[0].mail_from == "noreply@example.org"
    message = arrived(box)
    assert LINK in text_of(message)
    assert f'azcopy copy "{LINK}" "office.vhd"' in Page(message).seen


async def test_tls_from_the_start(settings: Settings, tls: ssl.SSLContext) -> None:
    """SMTP_TLS=tls speaks TLS before the first word."""
    async with listening(tls, implicit=True) as box:
        changed = {"smtp_port": box.port, "smtp_tls": "tls"}
        await send_completion_email(settings.model_copy(update=changed), MAIL)
    assert len(box.envelopes) == 1


async def test_it_signs_in(tls: ssl.SSLContext, settings: Settings) -> None:
    """With the name and password of the settings."""
    async with listening(tls) as box:
        login = signing_in(settings, box.port, "right-password")
        await send_completion_email(login, MAIL)
    assert box.logins == [b"ann"]


async def test_a_wrong_password_is_told_without_it(tls: ssl.SSLContext, settings: Settings) -> None:
    """The hint names the settings to look at."""
    async with listening(tls) as box:
        login = signing_in(settings, box.port, "wrong-password")
        with pytest.raises(VhdliftError) as caught:
            await send_completion_email(login, MAIL)
    assert caught.value.hint == "check SMTP_USERNAME and SMTP_PASSWORD"
    assert "wrong-password" not in str(caught.value)


async def test_a_server_on_this_machine_may_lack_tls(settings: Settings) -> None:
    """There is no network between them on which to listen."""
    async with listening() as box:
        await send_completion_email(settings.model_copy(update={"smtp_port": box.port}), MAIL)
    assert box.encrypted == [False]


async def test_localhost_is_this_machine(settings: Settings) -> None:
    """By its name as well."""
    async with listening() as box:
        changed = {"smtp_port": box.port, "smtp_host": "localhost"}
        await send_completion_email(settings.model_copy(update=changed), MAIL)
    assert len(box.envelopes) == 1


@pytest.mark.parametrize("host", ["mail.example", "192.0.2.1", "2001:db8::1"])
def test_a_server_elsewhere_may_not_lack_tls(host: str) -> None:
    """The mail holds a link that nobody on the way may read."""
    assert _start_tls("auto", host) is True


async def test_tls_can_be_done_without(settings: Settings, tls: ssl.SSLContext) -> None:
    """SMTP_TLS=none does not use even what is offered."""
    async with listening(tls) as box:
        changed = {"smtp_port": box.port, "smtp_tls": "none"}
        await send_completion_email(settings.model_copy(update=changed), MAIL)
    assert box.encrypted == [False]


async def test_starttls_can_be_demanded(settings: Settings) -> None:
    """Then a server without it gets no mail."""
    async with listening() as box:
        changed = {"smtp_port": box.port, "smtp_tls": "starttls"}
        with pytest.raises(VhdliftError) as caught:
            await send_completion_email(settings.model_copy(update=changed), MAIL)
    assert box.envelopes == []
    assert "SMTP_TLS=none" in caught.value.hint


async def test_a_certificate_that_nobody_vouches_for_is_refused(
    settings: Settings, tls: ssl.SSLContext
) -> None:
    """A mail with a download link is not given to a stranger."""
    async with listening(tls) as box:
        changed = {"smtp_port": box.port, "ca_bundle": None}
        with pytest.raises(VhdliftError, match="certificate"):
            await send_completion_email(settings.model_copy(update=changed), MAIL)
    assert box.envelopes == []


async def test_a_refused_address_is_told(settings: Settings, tls: ssl.SSLContext) -> None:
    """The others have got their mail all the same."""
    async with listening(tls, refuse=("bob@example.org",)) as box:
        with pytest.raises(VhdliftError, match=r"bob@example\.org: 550 no such mailbox"):
            await send_completion_email(settings.model_copy(update={"smtp_port": box.port}), MAIL)
    assert box.envelopes[0].rcpt_tos == ["ann@example.org"]


async def test_nobody_there_is_told(settings: Settings) -> None:
    """With the address that was tried."""
    async with listening() as box:
        port = box.port
    with pytest.raises(VhdliftError, match=rf"the mail server 127\.0\.0\.1:{port} did not take the mail"):
        await send_completion_email(settings.model_copy(update={"smtp_port": port}), MAIL)


async def test_no_server_is_told() -> None:
    """Without a mail server in the settings there is nothing to try."""
    with pytest.raises(VhdliftError, match="no mail server is set"):
        await send_completion_email(Settings(), MAIL)


@pytest.mark.parametrize(
    ("seconds", "words"),
    [
        (0.2, "under 1 s"),
        (59.4, "59 s"),
        (59.6, "1 min 00 s"),
        (192, "3 min 12 s"),
        (3600, "1 h 00 min"),
        (90_061, "25 h 01 min"),
    ],
)
def test_durations_are_said_as_people_say_them(seconds: float, words: str) -> None:
    """Two units at most."""
    assert duration(seconds) == words
