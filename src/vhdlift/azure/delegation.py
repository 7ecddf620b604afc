"""Whether the world is sent to our zone: name servers seen by public resolvers against the zone's own.

Each resolver is asked for itself, since each keeps its own memory of an earlier answer.
"""

from __future__ import annotations

import asyncio
import ipaddress
import socket
import time
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import dns.asyncresolver
import dns.exception
import dns.nameserver
import dns.resolver

from vhdlift.errors import TookTooLong

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Sequence

TOTAL_SECONDS = 300.0
FIRST_PAUSE, LONGEST_PAUSE = 2.0, 20.0
LOOKUP_SECONDS = 5.0


@dataclass(frozen=True)
class Delegation:
    """The name servers of a domain: those of its zone, and those each resolver gives.

    `silent` names the resolvers that did not answer, each with the reason.
    """

    domain: str
    expected: frozenset[str]
    found: dict[str, frozenset[str]] = field(default_factory=dict)
    silent: dict[str, str] = field(default_factory=dict)

    @property
    def complete(self) -> bool:
        """At least one resolver answered, and every answer is the zone's name servers, which it has."""
        return bool(self.expected and self.found) and all(s == self.expected for s in self.found.values())

    @property
    def sentence(self) -> str:
        """Expected and found name servers, side by side."""
        found = [f"{r} gives {_list(s)}" for r, s in self.found.items()]
        silent = [f"{r} does not answer ({why})" for r, why in self.silent.items()]
        return f"{self.domain} is not delegated to its zone: expected {_list(self.expected)}; " + "; ".join(
            [*found, *silent]
        )

    @property
    def hint(self) -> str:
        """What to change at the registrar."""
        return f"Where {self.domain} is registered, set these name servers: {_list(self.expected)}."


async def check_ns_delegation(domain: str, expected: Sequence[str], resolvers: Sequence[str]) -> Delegation:
    """Ask each of `resolvers` ("host" or "host:port") once for the name servers of `domain`."""
    answers = await asyncio.gather(*(_ask(domain, r) for r in resolvers), return_exceptions=True)
    found: dict[str, frozenset[str]] = {}
    silent: dict[str, str] = {}
    for resolver, answer in zip(resolvers, answers, strict=True):
        if isinstance(answer, frozenset):
            found[resolver] = answer
        elif isinstance(answer, (dns.exception.DNSException, OSError, ValueError)):
            silent[resolver] = type(answer).__name__
        else:
            raise answer
    return Delegation(_plain(domain), frozenset(_plain(s) for s in expected), found, silent)


async def check_ns_delegation_with_retries(
    domain: str,
    expected: Sequence[str],
    resolvers: Sequence[str],
    scale: float = 1.0,
    waiting: Callable[[Delegation], Awaitable[None]] | None = None,
) -> Delegation:
    """Ask again until the delegation is right, for five minutes times `scale` in all.

    `waiting` is told of each answer that differs from the one before it.

    Raises:
        TookTooLong: it is still not right; expected and found name servers stand in the sentence.
    """
    ends, pause, told = time.monotonic() + TOTAL_SECONDS * scale, FIRST_PAUSE * scale, None
    while True:
        seen = await check_ns_delegation(domain, expected, resolvers)
        if seen.complete:
            return seen
        if time.monotonic() + pause > ends:
            raise TookTooLong(seen.sentence, seen.hint)
        if waiting and seen != told:
            await waiting(seen)
            told = seen
        await asyncio.sleep(pause)
        pause = min(pause * 1.5, LONGEST_PAUSE * scale)


async def _ask(domain: str, resolver: str) -> frozenset[str]:
    asked = dns.asyncresolver.Resolver(configure=False)
    address, port = await _address(resolver)
    asked.nameservers = [dns.nameserver.Do53Nameserver(address, port)]
    try:
        answer = await asked.resolve(_plain(domain), "NS", lifetime=LOOKUP_SECONDS, search=False)
    except (dns.resolver.NXDOMAIN, dns.resolver.NoAnswer):
        return frozenset()
    return frozenset(_plain(str(record.target)) for record in answer)


async def _address(resolver: str) -> tuple[str, int]:
    host, port = _split(resolver)
    try:
        return str(ipaddress.ip_address(host)), port
    except ValueError:
        found = await asyncio.get_running_loop().getaddrinfo(host, port, type=socket.SOCK_DGRAM)
        return str(found[0][4][0]), port


def _split(resolver: str) -> tuple[str, int]:
    """Host and port; an IPv6 address with a port stands in brackets."""
    if resolver.startswith("["):
        host, _, port = resolver[1:].partition("]")
        return host, int(port.lstrip(":") or 53)
    if resolver.count(":") == 1:
        host, _, port = resolver.partition(":")
        return host, int(port)
    return resolver, 53


def _plain(name: str) -> str:
    return name.rstrip(".").lower()


def _list(servers: frozenset[str]) -> str:
    return ", ".join(sorted(servers)) or "none"
