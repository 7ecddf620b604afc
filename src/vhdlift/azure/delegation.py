"""Whether the world is sent to our zone: name servers seen from outside against the zone's own.

The domain's parent and the zone's own servers are asked first, and the public resolvers only once these are
right, since a resolver remembers a wrong answer. Each resolver is asked for itself: each has its own memory.
"""

from __future__ import annotations

import asyncio
import time
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import dns.asyncresolver
import dns.exception
import dns.nameserver
import dns.resolver

from vhdlift.azure.nameservers import LOOKUP_SECONDS, Internet, Said, address, plain
from vhdlift.errors import TookTooLong

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Sequence

TOTAL_SECONDS = 300.0
FIRST_PAUSE, LONGEST_PAUSE = 2.0, 20.0


@dataclass(frozen=True)
class Delegation:
    """The name servers of a domain: those of its zone, and those that are seen from outside.

    Attributes:
        domain: without its last dot.
        expected: the zone's name servers, as Azure says.
        found: what each resolver gives; empty when none was asked.
        silent: resolvers that did not answer, each with the reason.
        parent: what the parent says; None when none of its servers answers.
        own: what one of the expected servers says; None when none of them answers.
    """

    domain: str
    expected: frozenset[str]
    found: dict[str, frozenset[str]] = field(default_factory=dict)
    silent: dict[str, str] = field(default_factory=dict)
    parent: Said | None = None
    own: Said | None = None

    @property
    def sent_right(self) -> bool:
        """Nothing that parent or zone say speaks against it; silence does not either."""
        return all(said is None or said.servers == self.expected for said in (self.parent, self.own))

    @property
    def complete(self) -> bool:
        """At least one resolver answered, and every answer is the zone's name servers, which it has."""
        seen = bool(self.expected and self.found) and all(s == self.expected for s in self.found.values())
        return seen and self.sent_right

    @property
    def sentence(self) -> str:
        """Expected and found name servers, side by side."""
        parent = (
            [f"its parent {self.parent.server} gives {_list(self.parent.servers)}"] if self.parent else []
        )
        own = [f"its server {self.own.server} gives {_list(self.own.servers)}"] if self.own else []
        found = [f"{r} gives {_list(s)}" for r, s in self.found.items()]
        silent = [f"{r} does not answer ({why})" for r, why in self.silent.items()]
        return f"{self.domain} is not delegated to its zone: expected {_list(self.expected)}; " + "; ".join(
            [*parent, *own, *found, *silent]
        )

    @property
    def hint(self) -> str:
        """What to change at the registrar, or what to wait for."""
        if self.parent and self.sent_right:
            return "The parent is right by now; resolvers remember what was before, for a while."
        return f"Where {self.domain} is registered, set these name servers: {_list(self.expected)}."


async def check_ns_delegation(domain: str, expected: Sequence[str], resolvers: Sequence[str]) -> Delegation:
    """Ask once for the name servers of `domain`: parent and zone, and then, if these are right, resolvers.

    Args:
        domain: the zone's name.
        expected: the zone's name servers, as Azure says.
        resolvers: "host" or "host:port" each.
    """
    internet, wanted = Internet(resolvers), frozenset(plain(server) for server in expected)
    parent, own = await asyncio.gather(internet.parent(domain), internet.own(domain, wanted))
    first = Delegation(plain(domain), wanted, parent=parent, own=own)
    if not first.sent_right:
        return first
    found, silent = await _resolved(domain, resolvers)
    return Delegation(plain(domain), wanted, found, silent, parent, own)


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
    ends, pause, told = time.monotonic() + TOTAL_SECONDS * scale, FIRST_PAUSE * scale, ""
    while True:
        seen = await check_ns_delegation(domain, expected, resolvers)
        if seen.complete:
            return seen
        if time.monotonic() + pause > ends:
            raise TookTooLong(seen.sentence, seen.hint)
        if waiting and seen.sentence != told:
            await waiting(seen)
            told = seen.sentence
        await asyncio.sleep(pause)
        pause = min(pause * 1.5, LONGEST_PAUSE * scale)


async def _resolved(
    domain: str, resolvers: Sequence[str]
) -> tuple[dict[str, frozenset[str]], dict[str, str]]:
    """What each resolver gives, and why those that are silent are."""
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
    return found, silent


async def _ask(domain: str, resolver: str) -> frozenset[str]:
    asked = dns.asyncresolver.Resolver(configure=False)
    asked.nameservers = [dns.nameserver.Do53Nameserver(*await address(resolver))]
    try:
        answer = await asked.resolve(plain(domain), "NS", lifetime=LOOKUP_SECONDS, search=False)
    except (dns.resolver.NXDOMAIN, dns.resolver.NoAnswer):
        return frozenset()
    return frozenset(plain(str(record.target)) for record in answer)


def _list(servers: frozenset[str]) -> str:
    return ", ".join(sorted(servers)) or "none"
