"""Delegation: asked of each resolver over a real socket, told side by side."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import dns.flags
import dns.message
import dns.rcode
import dns.rrset
import pytest

from vhdlift.azure.delegation import (
    Delegation,
    _address,
    check_ns_delegation,
    check_ns_delegation_with_retries,
)
from vhdlift.errors import TookTooLong

OURS = ["ns1-08.azure-dns.com.", "ns2-08.azure-dns.net."]
DOMAIN = "example.org"


class Resolver(asyncio.DatagramProtocol):
    """A name server that answers NS questions with `answers` in turn, the last for ever."""

    def __init__(self) -> None:
        self.answers: list[Any] = [[]]
        self.transport: Any = None
        self.asked = 0

    def connection_made(self, transport: Any) -> None:
        self.transport = transport

    def datagram_received(self, data: bytes, addr: Any) -> None:
        question = dns.message.from_wire(data)
        answer = dns.message.make_response(question)
        answer.flags |= dns.flags.RA
        self.asked += 1
        given = self.answers.pop(0) if len(self.answers) > 1 else self.answers[0]
        if isinstance(given, list) and given:
            answer.answer = [dns.rrset.from_text(question.question[0].name, 60, "IN", "NS", *given)]
        elif not isinstance(given, list):
            answer.set_rcode(given)
        self.transport.sendto(answer.to_wire(), addr)

    @property
    def name(self) -> str:
        """As the settings name it."""
        return f"127.0.0.1:{self.transport.get_extra_info('sockname')[1]}"


@pytest.fixture
async def resolvers() -> AsyncIterator[list[Resolver]]:
    loop = asyncio.get_running_loop()
    made = [(await loop.create_datagram_endpoint(Resolver, local_addr=("127.0.0.1", 0)))[1] for _ in range(2)]
    yield made
    for one in made:
        one.transport.close()


async def ask(resolvers: list[Resolver]) -> Delegation:
    return await check_ns_delegation(DOMAIN, OURS, [r.name for r in resolvers])


async def test_right_when_all_resolvers_agree(resolvers: list[Resolver]) -> None:
    """Case, order and the last dot do not matter."""
    for one in resolvers:
        one.answers = [["NS2-08.AZURE-DNS.NET.", "ns1-08.azure-dns.com."]]
    assert (await ask(resolvers)).complete


@pytest.mark.parametrize(
    "given", [["ns1.old.example."], OURS[:1], [*OURS, "ns9.old.example."], [], dns.rcode.NXDOMAIN]
)
async def test_wrong_when_one_resolver_differs(resolvers: list[Resolver], given: Any) -> None:
    """Other servers, too few, too many, none: not complete."""
    resolvers[0].answers = [OURS]
    resolvers[1].answers = [given]
    assert not (await ask(resolvers)).complete


async def test_a_zone_without_name_servers_is_not_delegated(resolvers: list[Resolver]) -> None:
    """Nothing found is not what was looked for, even if nothing was."""
    seen = await check_ns_delegation(DOMAIN, [], [r.name for r in resolvers])
    assert not seen.complete


async def test_sentence_has_expected_and_found(resolvers: list[Resolver]) -> None:
    """Both sets, and which resolver said what."""
    resolvers[0].answers = [["ns1.old.example."]]
    resolvers[1].answers = [dns.rcode.REFUSED]
    sentence = (await ask(resolvers)).sentence
    assert "expected ns1-08.azure-dns.com, ns2-08.azure-dns.net" in sentence
    assert f"{resolvers[0].name} gives ns1.old.example" in sentence
    assert f"{resolvers[1].name} does not answer" in sentence


async def test_silent_resolver_does_not_speak_against_it(resolvers: list[Resolver]) -> None:
    """One that refuses is left out; if none answers, nothing is known."""
    resolvers[0].answers = [OURS]
    resolvers[1].answers = [dns.rcode.SERVFAIL]
    assert (await ask(resolvers)).complete
    resolvers[0].answers = [dns.rcode.SERVFAIL]
    assert not (await ask(resolvers)).complete


async def test_asks_again_until_it_is_right(resolvers: list[Resolver]) -> None:
    """A delegation that comes later is waited for, and each change is told once."""
    told: list[Delegation] = []

    async def waiting(seen: Delegation) -> None:
        told.append(seen)

    for one in resolvers:
        one.answers = [["ns1.old.example."], ["ns1.old.example."], OURS]
    names = [r.name for r in resolvers]
    seen = await check_ns_delegation_with_retries(DOMAIN, OURS, names, 0.01, waiting)
    assert seen.complete
    assert len(told) == 1


async def test_gives_up_after_five_minutes_of_the_scale(resolvers: list[Resolver]) -> None:
    """The error says what to set where."""
    resolvers[0].answers = resolvers[1].answers = [["ns1.old.example."]]
    with pytest.raises(TookTooLong) as late:
        await check_ns_delegation_with_retries(DOMAIN, OURS, [r.name for r in resolvers], 0.002)
    assert "ns1.old.example" in late.value.sentence
    assert "ns1-08.azure-dns.com" in late.value.hint
    assert resolvers[0].asked > 5


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        ("8.8.8.8", ("8.8.8.8", 53)),
        ("127.0.0.1:5353", ("127.0.0.1", 5353)),
        ("::1", ("::1", 53)),
        ("[::1]:5353", ("::1", 5353)),
        ("[::1]", ("::1", 53)),
        ("localhost:5353", ("127.0.0.1", 5353)),
    ],
)
async def test_resolver_may_have_a_port_or_a_name(given: str, expected: tuple[str, int]) -> None:
    """Host or host:port, IPv6 in brackets, names looked up."""
    address, port = await _address(given)
    assert (address, port) == expected or (given.startswith("localhost") and address == "::1")
