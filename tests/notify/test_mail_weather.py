"""A mail server in bad weather: who asks to come again is asked again, and nobody else is waited for."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from email.message import EmailMessage
from typing import Any

import pytest

from tests.fasttime import in_fast_time
from tests.notify.mailbox import listening
from vhdlift.errors import VhdliftError
from vhdlift.notify.mailing import send
from vhdlift.settings import Settings

GREY = "451 4.7.1 Greylisted, come again in 300 seconds"


@dataclass
class Post:
    """One mail to two people, and the waits that were told."""

    settings: Settings
    to: tuple[str, ...] = ("a@example.org", "b@example.org")
    waits: list[tuple[str, float]] = field(default_factory=list)

    async def send(self) -> None:
        message = EmailMessage()
        message["From"], message["To"], message["Subject"] = "run@example.org", ", ".join(self.to), "done"
        message.set_content("The disk is ready.")
        await send(self.settings, message, list(self.to), self._heard)

    async def _heard(self, said: str, seconds: float) -> None:
        self.waits.append((said, seconds))


def post(port: int, **more: Any) -> Post:
    server = {"smtp_host": "127.0.0.1", "smtp_port": port, "smtp_from": "run@example.org", "smtp_tls": "none"}
    return Post(Settings(**{**server, "time_scale": 0.001, **more}))


async def test_greylisting_is_waited_out() -> None:
    """The mail arrives once at each address, and the waits are told."""
    async with listening(first=[GREY] * 4) as box:
        mail = post(box.port)
        await mail.send()
    assert sorted(to for envelope in box.envelopes for to in envelope.rcpt_tos) == list(mail.to)
    assert [said for said, _ in mail.waits] == [f"The mail server asks to come again later: {GREY}"] * 2
    assert sum(seconds for _, seconds in mail.waits) == pytest.approx(0.18)


async def test_only_who_was_greylisted_gets_it_later() -> None:
    """Who has it already does not get it twice."""
    async with listening(first=["250 OK", GREY]) as box:
        mail = post(box.port)
        await mail.send()
    assert [envelope.rcpt_tos for envelope in box.envelopes] == [["a@example.org"], ["b@example.org"]]


async def test_a_server_that_is_full_is_asked_again() -> None:
    """A refusal of the whole mail that passes is as good as one of all addresses."""
    async with listening(data=["452 4.3.1 Insufficient system storage"]) as box:
        mail = post(box.port)
        await mail.send()
    assert [envelope.rcpt_tos for envelope in box.envelopes] == [list(mail.to)]
    assert len(mail.waits) == 1


async def test_who_is_greylisted_for_ever_is_named_in_the_end() -> None:
    """Six minutes at scale 1, which whoever greylists for five lets pass."""
    async with listening(first=[GREY] * 100) as box:
        mail = post(box.port)
        with pytest.raises(VhdliftError, match="451") as refused:
            await mail.send()
    assert all(address in refused.value.sentence for address in mail.to)
    assert sum(seconds for _, seconds in mail.waits) == pytest.approx(0.36)
    assert box.envelopes == []


async def test_a_refusal_for_good_is_not_waited_for() -> None:
    async with listening(first=["550 no such mailbox"] * 2) as box:
        mail = post(box.port)
        with pytest.raises(VhdliftError, match="550"):
            await mail.send()
    assert mail.waits == []


async def test_a_refusal_for_good_does_not_hide_behind_one_that_passes() -> None:
    """The one is told after the other has been waited for."""
    async with listening(first=["550 no such mailbox", GREY]) as box:
        mail = post(box.port)
        with pytest.raises(VhdliftError, match=r"a@example\.org: 550") as refused:
            await mail.send()
    assert "b@example.org" not in refused.value.sentence
    assert [envelope.rcpt_tos for envelope in box.envelopes] == [["b@example.org"]]


@asynccontextmanager
async def saying(*lines: bytes) -> AsyncIterator[int]:
    """A server that says this, and then nothing for ever; its port."""
    talking: set[asyncio.StreamWriter] = set()

    async def talk(_reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        talking.add(writer)
        for line in lines:
            writer.write(line)
            await writer.drain()

    async with await asyncio.start_server(talk, "127.0.0.1", 0) as server:
        yield server.sockets[0].getsockname()[1]
        for writer in talking:
            writer.transport.abort()


HANGS = {
    "at once": [],
    "after its greeting": [b"220 mail.example ESMTP\r\n"],
    "in the middle of a line": [b"220 mail.exam"],
}


@pytest.mark.parametrize("when", HANGS)
def test_a_server_that_hangs_is_given_up(when: str) -> None:
    """After a minute, on a clock that runs fast, and without another try."""

    async def give_up() -> None:
        async with saying(*HANGS[when]) as port:
            mail = post(port, time_scale=1.0)
            began = asyncio.get_running_loop().time()
            with pytest.raises(VhdliftError, match="did not take the mail"):
                await mail.send()
            assert asyncio.get_running_loop().time() - began >= 55
            assert mail.waits == []

    in_fast_time(give_up())


@pytest.mark.parametrize("said", [b"HTTP/1.1 200 OK\r\n\r\n", b"\xff\xfe\x00\r\n", b"220" + b"x" * 100_000])
async def test_what_is_no_mail_server_is_told_as_such(said: bytes) -> None:
    async with saying(said) as port:
        with pytest.raises(VhdliftError, match="did not take the mail") as refused:
            async with asyncio.timeout(25):
                await post(port).send()
    assert "SMTP_HOST" in refused.value.hint
    assert len(refused.value.sentence) < 2000
