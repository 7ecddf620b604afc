"""Delegation: asked of each resolver over a real socket, told side by side."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from dataclasses import dataclass
from functools import partial
from typing import Any

import dns.flags
import dns.message
import dns.rcode
import dns.rdatatype
import dns.rrset
import pytest

from vhdlift.azure.delegation import (
    Delegation,
    check_ns_delegation,
    check_ns_delegation_with_retries,
)
from vhdlift.azure.nameservers import address
from vhdlift.errors import TookTooLong

OURS = ["ns1-08.azure-dns.com.", "ns2-08.azure-dns.net."]
DOMAIN = "example.org"


class Resolver(asyncio.DatagramProtocol):
    """A public resolver: answers about the domain with `answers` in turn, the last for ever.

    With a `parent` it also leads to the servers of the domain's parent, and to the domain's own.
    """

    def __init__(self) -> None:
        self.answers: list[Any] = [[]]
        self.transport: Any = None
        self.asked = 0
        self.parent = False

    def connection_made(self, transport: Any) -> None:
        self.transport = transport

    def datagram_received(self, data: bytes, addr: Any) -> None:
        question = dns.message.from_wire(data)
        answer = dns.message.make_response(question)
        answer.flags |= dns.flags.RA
        name, kind = question.question[0].name.to_text(), question.question[0].rdtype
        if (name, kind) != (f"{DOMAIN}.", dns.rdatatype.NS):
            self._lead(answer, name, kind)
            self.transport.sendto(answer.to_wire(), addr)
            return
        self.asked += 1
        given = self.answers.pop(0) if len(self.answers) > 1 else self.answers[0]
        if isinstance(given, list) and given:
            answer.answer = [dns.rrset.from_text(question.question[0].name, 60, "IN", "NS", *given)]
        elif not isinstance(given, list):
            answer.set_rcode(given)
        self.transport.sendto(answer.to_wire(), addr)

    def _lead(self, answer: dns.message.Message, name: str, kind: dns.rdatatype.RdataType) -> None:
        """To the parent at 127.0.0.2 and to the domain's own servers at 127.0.0.3."""
        if self.parent and (name, kind) == ("org.", dns.rdatatype.NS):
            answer.answer = [dns.rrset.from_text(name, 60, "IN", "NS", "ns.registry.example.")]
        elif self.parent and kind == dns.rdatatype.A:
            host = "127.0.0.2" if name == "ns.registry.example." else "127.0.0.3"
            answer.answer = [dns.rrset.from_text(name, 60, "IN", "A", host)]
        else:
            answer.set_rcode(dns.rcode.NXDOMAIN)

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
        await check_ns_delegation_with_retries(DOMAIN, OURS, [r.name for r in resolvers], 0.01)
    assert "ns1.old.example" in late.value.sentence
    assert "ns1-08.azure-dns.com" in late.value.hint
    assert resolvers[0].asked > 1


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
    found, port = await address(given)
    assert (found, port) == expected or (given.startswith("localhost") and found == "::1")


class Server(asyncio.DatagramProtocol):
    """A server that is asked directly: refers to `servers` as a parent does, or owns the domain."""

    def __init__(self, servers: list[str], *, owns: bool) -> None:
        self.servers = servers
        self.owns = owns
        self.transport: Any = None

    def connection_made(self, transport: Any) -> None:
        self.transport = transport

    def datagram_received(self, data: bytes, addr: Any) -> None:
        question = dns.message.from_wire(data)
        answer = dns.message.make_response(question)
        rows = [dns.rrset.from_text(question.question[0].name, 60, "IN", "NS", *self.servers)]
        if self.owns or not self.servers:
            answer.flags |= dns.flags.AA
        if self.servers:
            section = answer.answer if self.owns else answer.authority
            section.extend(rows)
        else:
            answer.set_rcode(dns.rcode.NXDOMAIN)
        self.transport.sendto(answer.to_wire(), addr)


@dataclass
class Places:
    """A resolver with a parent and an own server of the domain behind it."""

    resolver: Resolver
    parent: Server
    own: Server

    async def ask(self) -> Delegation:
        return await check_ns_delegation(DOMAIN, OURS, [self.resolver.name])


@pytest.fixture
async def places(resolvers: list[Resolver]) -> AsyncIterator[Places]:
    loop = asyncio.get_running_loop()
    resolver = resolvers[0]
    resolver.parent, resolver.answers = True, [OURS]
    port = int(resolver.name.rpartition(":")[2])
    made = [
        (await loop.create_datagram_endpoint(partial(Server, OURS, owns=owns), local_addr=(host, port)))[1]
        for host, owns in (("127.0.0.2", False), ("127.0.0.3", True))
    ]
    yield Places(resolver, *made)
    for one in made:
        one.transport.close()


async def test_parent_zone_and_resolver_agree(places: Places) -> None:
    """All three were asked, and all say the same."""
    seen = await places.ask()
    assert seen.complete
    assert seen.parent is not None
    assert seen.parent.server == "org (ns.registry.example)"
    assert seen.own is not None


@pytest.mark.parametrize("given", [["ns1.old.example."], []])
async def test_resolver_is_left_alone_as_long_as_the_parent_is_wrong(
    places: Places, given: list[str]
) -> None:
    """It would remember the answer; what the parent says stands beside what is expected."""
    places.parent.servers = given
    seen = await places.ask()
    assert not seen.complete
    assert places.resolver.asked == 0
    assert f"its parent org (ns.registry.example) gives {given[0][:-1] if given else 'none'}" in seen.sentence
    assert "set these name servers" in seen.hint


async def test_zone_that_says_otherwise_is_told(places: Places) -> None:
    """A server that is expected serves something else."""
    places.own.servers = ["ns9.old.example."]
    seen = await places.ask()
    assert not seen.complete
    assert "gives ns9.old.example" in seen.sentence


async def test_resolver_that_lags_behind_is_told_as_such(places: Places) -> None:
    """The parent is right already: there is nothing to change, only to wait."""
    places.resolver.answers = [["ns1.old.example."]]
    seen = await places.ask()
    assert (seen.complete, seen.sent_right) == (False, True)
    assert "remember" in seen.hint
