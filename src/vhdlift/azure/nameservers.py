"""Name servers asked directly: those of the parent, who delegate a domain, and the domain's own.

Public resolvers remember that there was no delegation, for minutes up to a day. So they are not asked about a
domain until its parent, asked directly, sends the world to the right place.
"""

from __future__ import annotations

import asyncio
import ipaddress
import socket
from dataclasses import dataclass
from typing import TYPE_CHECKING

import dns.asyncquery
import dns.asyncresolver
import dns.exception
import dns.flags
import dns.message
import dns.name
import dns.nameserver
import dns.rcode
import dns.rdatatype
import dns.resolver

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

LOOKUP_SECONDS = 5.0
_DIRECT_SECONDS = 3.0
_MOST_ASKED = 3
_SILENCE = (dns.exception.DNSException, OSError, ValueError)


@dataclass(frozen=True)
class Said:
    """What a server that was asked directly says: who it is, and the name servers of the domain."""

    server: str
    servers: frozenset[str]


class Internet:
    """Where names are looked up.

    A resolver with a port of its own stands for a small internet of its own: all name servers that it
    leads to are asked at that port.

    Args:
        resolvers: "host" or "host:port", see `split`.
    """

    def __init__(self, resolvers: Sequence[str]) -> None:
        self._resolvers = list(resolvers)
        self._port = split(self._resolvers[0])[1] if self._resolvers else 53

    async def parent(self, domain: str) -> Said | None:
        """What the parent of a domain says, or None when no server of it answers."""
        name = dns.name.from_text(domain)
        while len(name.labels) > 2:  # noqa: PLR2004 - a label and the root
            name = name.parent()
            servers = await self._looked_up(name, "NS")
            if servers:
                zone = name.to_text(omit_final_dot=True)
                said = await self._first(servers, domain, of_parent=True)
                return Said(f"{zone} ({said.server})", said.servers) if said else None
        return None

    async def own(self, domain: str, servers: Iterable[str]) -> Said | None:
        """What one of the domain's own servers says, or None when none of them answers."""
        return await self._first(sorted(servers), domain, of_parent=False)

    async def _first(self, servers: Sequence[str], domain: str, *, of_parent: bool) -> Said | None:
        """The first answer of a few servers that are asked at the same time."""
        asking = [asyncio.ensure_future(self._ask(one, domain, of_parent)) for one in servers[:_MOST_ASKED]]
        try:
            for done in asyncio.as_completed(asking):
                if (said := await done) is not None:
                    return said
        finally:
            for one in asking:
                one.cancel()
            await asyncio.gather(*asking, return_exceptions=True)
        return None

    async def _ask(self, server: str, domain: str, of_parent: bool) -> Said | None:
        addresses = await self._looked_up(dns.name.from_text(server), "A")
        if not addresses:
            return None
        query = dns.message.make_query(domain, "NS", flags=0)
        try:
            answer, _ = await dns.asyncquery.udp_with_fallback(
                query, addresses[0], timeout=_DIRECT_SECONDS, port=self._port
            )
        except _SILENCE:
            return None
        servers = _read(answer, domain, of_parent=of_parent)
        return Said(server, servers) if servers is not None else None

    async def _looked_up(self, name: dns.name.Name, kind: str) -> list[str]:
        """The records of a name as text, from whichever resolver answers; none when there are none."""
        asked = dns.asyncresolver.Resolver(configure=False)
        places = await asyncio.gather(*map(address, self._resolvers), return_exceptions=True)
        asked.nameservers = [
            dns.nameserver.Do53Nameserver(*place) for place in places if isinstance(place, tuple)
        ]
        try:
            answer = await asked.resolve(name, kind, lifetime=LOOKUP_SECONDS, search=False)
        except _SILENCE:
            return []
        return [plain(record.to_text()) for record in answer]


def _read(answer: dns.message.Message, domain: str, *, of_parent: bool) -> frozenset[str] | None:
    """The name servers in an answer; None when the server does not know the domain's place at all.

    A parent answers with a referral (authority section), or, if it serves the domain itself, as its owner.
    """
    if answer.rcode() not in (dns.rcode.NOERROR, dns.rcode.NXDOMAIN):
        return None
    name = dns.name.from_text(domain)
    sections = [answer.answer, *([answer.authority] if of_parent else [])]
    for section in sections:
        for rows in section:
            if rows.rdtype == dns.rdatatype.NS and rows.name == name:
                return frozenset(plain(str(record.target)) for record in rows)
    return frozenset() if answer.flags & dns.flags.AA else None


async def address(resolver: str) -> tuple[str, int]:
    """Address and port of "host" or "host:port".

    Raises:
        OSError: the host has no address.
    """
    host, port = split(resolver)
    try:
        return str(ipaddress.ip_address(host)), port
    except ValueError:
        found = await asyncio.get_running_loop().getaddrinfo(host, port, type=socket.SOCK_DGRAM)
        return str(found[0][4][0]), port


def split(resolver: str) -> tuple[str, int]:
    """Host and port; an IPv6 address with a port stands in brackets."""
    if resolver.startswith("["):
        host, _, port = resolver[1:].partition("]")
        return host, int(port.lstrip(":") or 53)
    if resolver.count(":") == 1:
        host, _, port = resolver.partition(":")
        return host, int(port)
    return resolver, 53


def plain(name: str) -> str:
    """A name without its last dot, in small letters."""
    return name.rstrip(".").lower()
