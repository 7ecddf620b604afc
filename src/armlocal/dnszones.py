"""What the stand-in's name service knows: the DNS zones of the world, and who their parents say serves them.

One server plays two parts, told apart by the query's RD bit as on the real internet: asked for recursion it
is the public resolver, which sees a zone only through its parent's delegation; asked without, it is the
zone's own name server. At an address of its own it is a third: the parent of all zones, whose servers are
what `PARENT` is called, and who answers about a zone with a referral.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import dns.exception
import dns.flags
import dns.message
import dns.name
import dns.opcode
import dns.rcode
import dns.rdatatype
import dns.rrset

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from armlocal.state import Resource, World

ZONE = "microsoft.network/dnszones"
PARENT = "ns1.parents.invalid"
PARENT_HOST = "127.0.0.2"
_NS_TTL = 172800
_SOA = "{first} azuredns-hostmaster.microsoft.com. 1 3600 300 2419200 300"


class Delegations:
    """What parents say, where that differs from the truth; a zone not named here is delegated rightly."""

    def __init__(self) -> None:
        self._said: dict[str, tuple[str, ...]] = {}

    def say(self, zone: str, servers: Sequence[str] | None) -> None:
        """From now on the parent names these servers: none for no delegation, None for the right ones."""
        if servers is None:
            self._said.pop(_plain(zone), None)
        else:
            self._said[_plain(zone)] = tuple(f"{_plain(server)}." for server in servers)

    def reset(self) -> None:
        """All parents tell the truth."""
        self._said.clear()

    def servers(self, zone: Resource) -> tuple[str, ...]:
        """The servers that the parent of a zone names."""
        return self._said.get(_plain(zone.name), tuple(_servers(zone)))


class Zones:
    """Answers queries from the zones of a world."""

    def __init__(self, world: World, delegations: Delegations) -> None:
        self._world = world
        self._delegations = delegations

    def answer(self, wire: bytes, *, as_parent: bool = False) -> bytes | None:
        """The answer to a query, both in wire form; None for what is no query."""
        try:
            query = dns.message.from_wire(wire)
        except dns.exception.DNSException:
            return None
        if query.flags & dns.flags.QR:
            return None
        response = dns.message.make_response(query, recursion_available=True)
        if query.opcode() != dns.opcode.QUERY or len(query.question) != 1:
            response.set_rcode(dns.rcode.NOTIMP)
        elif as_parent:
            self._refer(response)
        else:
            self._fill(response, bool(query.flags & dns.flags.RD))
        return response.to_wire()

    def _refer(self, response: dns.message.Message) -> None:
        """The parent's answer: whom it sends the world to, or that there is nothing below it."""
        zone = self._zone_of(_plain(response.question[0].name.to_text()))
        said = self._delegations.servers(zone) if zone is not None else ()
        if zone is not None and said:
            name = dns.name.from_text(zone.name)
            response.authority.append(dns.rrset.from_text(name, _NS_TTL, "IN", "NS", *said))
            return
        response.flags |= dns.flags.AA
        response.set_rcode(dns.rcode.NXDOMAIN)

    def _fill(self, response: dns.message.Message, recursive: bool) -> None:
        question = response.question[0]
        name = _plain(question.name.to_text())
        if self._is_server(name):
            if question.rdtype == dns.rdatatype.A:
                response.answer.append(dns.rrset.from_text(question.name, _NS_TTL, "IN", "A", "127.0.0.1"))
            return
        if name == PARENT and question.rdtype == dns.rdatatype.A:
            response.answer.append(dns.rrset.from_text(question.name, _NS_TTL, "IN", "A", PARENT_HOST))
            return
        zone = self._zone_of(name)
        if zone is None and question.rdtype == dns.rdatatype.NS and self._is_parent(name):
            response.answer.append(dns.rrset.from_text(question.name, _NS_TTL, "IN", "NS", f"{PARENT}."))
            return
        if zone is None or (recursive and not self._reaches(zone, name, question.rdtype)):
            response.set_rcode(dns.rcode.NXDOMAIN)
            return
        if not recursive:
            response.flags |= dns.flags.AA
        self._from_zone(response, zone, name, recursive)

    def _reaches(self, zone: Resource, name: str, kind: dns.rdatatype.RdataType) -> bool:
        """Whether a resolver finds its way: by any delegation to the NS, by a right one to the rest."""
        said = self._delegations.servers(zone)
        if name == _plain(zone.name) and kind == dns.rdatatype.NS:
            return bool(said)
        return bool(set(map(_plain, said)) & set(map(_plain, _servers(zone))))

    def _from_zone(self, response: dns.message.Message, zone: Resource, name: str, recursive: bool) -> None:
        question = response.question[0]
        apex = dns.name.from_text(zone.name)
        soa = dns.rrset.from_text(apex, 3600, "IN", "SOA", _SOA.format(first=_servers(zone)[0]))
        if name == _plain(zone.name) and question.rdtype == dns.rdatatype.SOA:
            response.answer.append(soa)
        elif name == _plain(zone.name) and question.rdtype == dns.rdatatype.NS:
            servers = self._delegations.servers(zone) if recursive else _servers(zone)
            response.answer.append(dns.rrset.from_text(question.name, _NS_TTL, "IN", "NS", *servers))
        else:
            self._records(response, zone, name, soa)

    def _records(
        self, response: dns.message.Message, zone: Resource, name: str, soa: dns.rrset.RRset
    ) -> None:
        question = response.question[0]
        apex = _plain(zone.name)
        below = [r for r in self._world.children(zone.id) if _record_name(r, apex) == name]
        for record in below:
            kind = record.type.rsplit("/", 1)[-1].upper()
            texts = _addresses(record.properties) if kind == "A" else []
            if texts and question.rdtype == dns.rdatatype.A:
                ttl = int(_get(record.properties, "ttl") or 3600)
                response.answer.append(dns.rrset.from_text_list(question.name, ttl, "IN", "A", texts))
        if not response.answer:
            response.authority.append(soa)
            if not below and name != apex:
                response.set_rcode(dns.rcode.NXDOMAIN)

    def _zone_of(self, name: str) -> Resource | None:
        """The zone with the longest name that holds `name`."""
        holding = [z for z in self._all() if name == _plain(z.name) or name.endswith("." + _plain(z.name))]
        return max(holding, key=lambda z: len(z.name), default=None)

    def _is_parent(self, name: str) -> bool:
        return any(_plain(zone.name).endswith(f".{name}") for zone in self._all())

    def _is_server(self, name: str) -> bool:
        return any(name == _plain(server) for zone in self._all() for server in _servers(zone))

    def _all(self) -> Iterable[Resource]:
        return self._world.of_type(ZONE)


def _servers(zone: Resource) -> list[str]:
    return list(zone.properties.get("nameServers") or [])


def _record_name(record: Resource, apex: str) -> str:
    return apex if record.name == "@" else f"{record.name.lower()}.{apex}"


def _addresses(properties: dict[str, Any]) -> list[str]:
    return [str(row.get("ipv4Address")) for row in _get(properties, "arecords") or []]


def _get(properties: dict[str, Any], key: str) -> Any:
    """A value by its name without regard to case: `ARecords` is written in several ways."""
    return next((value for name, value in properties.items() if name.lower() == key), None)


def _plain(name: str) -> str:
    return name.rstrip(".").lower()
