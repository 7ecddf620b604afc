"""The mailbox, used by a real SMTP client."""

from __future__ import annotations

from email.message import EmailMessage
from typing import TYPE_CHECKING, Any

import aiosmtplib
import httpx
import pytest
import pytest_asyncio

from armlocal.mailbox import SENDER, USERNAME, Mailbox
from tests.armlocal.conftest import Certificates, serving

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path


@pytest_asyncio.fixture
async def mailbox(certificates: Certificates, tmp_path: Path) -> AsyncIterator[Mailbox]:
    made = Mailbox(tmp_path / "mail", certificates.serve())
    await made.start()
    yield made
    await made.stop()


@pytest.fixture
def login(mailbox: Mailbox, certificates: Certificates) -> dict[str, Any]:
    """All that a client needs."""
    return {
        "hostname": "127.0.0.1",
        "port": mailbox.port,
        "start_tls": True,
        "tls_context": certificates.trust(),
        "username": USERNAME,
        "password": mailbox.password,
    }


def mail(subject: str) -> EmailMessage:
    message = EmailMessage()
    message["From"], message["To"], message["Subject"] = SENDER, "owner@example.org", subject
    message.set_content("Grüße, and a line.\n.\nafter the dot\n")
    return message


async def test_mails_are_kept_one_a_file(mailbox: Mailbox, login: dict[str, Any]) -> None:
    """1.eml, 2.eml: each as it was sent."""
    for subject in ("first", "second"):
        await aiosmtplib.send(mail(subject), **login)
    kept = sorted(path.name for path in mailbox.folder.iterdir())
    assert kept == ["1.eml", "2.eml"]
    text = (mailbox.folder / "2.eml").read_text()
    assert "Subject: second" in text
    assert "after the dot" in text


async def test_a_wrong_password_is_refused(mailbox: Mailbox, login: dict[str, Any]) -> None:
    """535, and nothing is kept."""
    with pytest.raises(aiosmtplib.SMTPAuthenticationError):
        await aiosmtplib.send(mail("x"), **{**login, "password": "guess"})
    assert not list(mailbox.folder.iterdir())


async def test_mail_without_sign_in_is_refused(login: dict[str, Any]) -> None:
    """No AUTH, no mail."""
    with pytest.raises(aiosmtplib.SMTPResponseException, match="530"):
        await aiosmtplib.send(mail("x"), **{**login, "username": None, "password": None})


async def test_plain_text_is_refused(login: dict[str, Any]) -> None:
    """No STARTTLS, no mail."""
    plain = {"hostname": login["hostname"], "port": login["port"], "start_tls": False}
    with pytest.raises(aiosmtplib.SMTPResponseException, match="STARTTLS"):
        await aiosmtplib.send(mail("x"), **plain)


async def ask(mailbox: Mailbox, certificates: Certificates, body: Any) -> int:
    async with (
        serving(mailbox.routes(), certificates) as base,
        httpx.AsyncClient(verify=certificates.trust()) as client,
    ):
        return (await client.post(f"{base}/_control/mail", json=body)).status_code


async def test_it_refuses_when_it_is_told_to(
    mailbox: Mailbox, certificates: Certificates, login: dict[str, Any]
) -> None:
    """A reply can be asked for, until it is taken back."""
    assert await ask(mailbox, certificates, {"refusal": "451 4.3.0 Try again later"}) == 200
    with pytest.raises(aiosmtplib.SMTPDataError, match="451"):
        await aiosmtplib.send(mail("x"), **login)
    assert await ask(mailbox, certificates, {"refusal": None}) == 200
    await aiosmtplib.send(mail("x"), **login)


@pytest.mark.parametrize("body", [{"refusal": "no"}, {"refusal": 4}, []])
async def test_a_reply_that_is_none_is_refused(
    mailbox: Mailbox, certificates: Certificates, body: Any
) -> None:
    """A misspelt wish is told, not ignored."""
    assert await ask(mailbox, certificates, body) == 400


def test_the_password_is_not_shown(mailbox: Mailbox) -> None:
    """Not in its description either."""
    assert mailbox.password not in repr(mailbox)
