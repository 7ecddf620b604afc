"""The name server, asked over UDP and TCP by dnspython's own resolver."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

import dns.asyncquery
import dns.asyncresolver
import dns.flags
import dns.message
import dns.rcode
import dns.resolver
import pytest
import pytest_asyncio

from armlocal.dnsserver import HOST, DnsServer
from armlocal.dnszones import Delegations, Zones
from tests.armlocal.worlds import empty_world, record, zone

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path

    from armlocal.state import World

SERVERS = [
    "ns1-01.azure-dns.com.",
    "ns2-01.azure-dns.net.",
    "ns3-01.azure-dns.org.",
    "ns4-01.azure-dns.info.",
]


class Names:
    """A running name server and what a test turns."""

    def __init__(self, world: World) -> None:
        self.world = world
        self.delegations = Delegations()
        self.server = DnsServer(Zones(world, self.delegations))

    async def ask(self, name: str, kind: str, *, tcp: bool = False) -> list[str]:
        """What a public resolver's client sees."""
        resolver = dns.asyncresolver.Resolver(configure=False)
        resolver.nameservers = [HOST]
        resolver.port = self.server.port
        answer = await resolver.resolve(name, kind, tcp=tcp, lifetime=5)
        return sorted(row.to_text() for row in answer)

    async def ask_directly(self, name: str, kind: str) -> dns.message.Message:
        """What the zone's own name server answers."""
        query = dns.message.make_query(name, kind, flags=0)
        return await dns.asyncquery.udp(query, HOST, timeout=5, port=self.server.port)


@pytest_asyncio.fixture
async def names(tmp_path: Path) -> AsyncIterator[Names]:
    world = empty_world(tmp_path)
    made = zone(world, "Example.org")
    record(world, made, "A", "pin.lab1", {"TTL": 300, "ARecords": [{"ipv4Address": "203.0.113.7"}]})
    record(world, made, "TXT", "note", {"TTL": 300, "TXTRecords": [{"value": ["x"]}]})
    running = Names(world)
    await running.server.start()
    yield running
    await running.server.stop()


@pytest.mark.parametrize("tcp", [False, True])
async def test_a_zone_is_delegated_to_its_name_servers(names: Names, tcp: bool) -> None:
    """A zone that exists is delegated rightly, over UDP and TCP, whatever the letters."""
    assert await names.ask("EXAMPLE.org", "NS", tcp=tcp) == SERVERS


async def test_a_record_resolves_to_its_address(names: Names) -> None:
    """A records answer with address and TTL."""
    assert await names.ask("pin.lab1.example.org", "A") == ["203.0.113.7"]


async def test_a_record_made_later_is_seen_at_once(names: Names) -> None:
    """Nothing is remembered between queries."""
    made = names.world.of_type("Microsoft.Network/dnsZones")[0]
    record(names.world, made, "A", "@", {"TTL": 60, "aRecords": [{"ipv4Address": "203.0.113.8"}]})
    assert await names.ask("example.org", "A") == ["203.0.113.8"]


async def test_what_does_not_exist_is_denied(names: Names) -> None:
    """No such name, no such zone; and a name without addresses is not the same as none."""
    for name in ("drop.lab1.example.org", "elsewhere.test"):
        with pytest.raises(dns.resolver.NXDOMAIN):
            await names.ask(name, "A")
    with pytest.raises(dns.resolver.NoAnswer):
        await names.ask("note.example.org", "A")


async def test_a_missing_delegation(names: Names) -> None:
    """Without a delegation resolvers know nothing of the zone; its own servers still do."""
    names.delegations.say("example.org", [])
    for name, kind in (("example.org", "NS"), ("pin.lab1.example.org", "A")):
        with pytest.raises(dns.resolver.NXDOMAIN):
            await names.ask(name, kind)
    answer = await names.ask_directly("example.org", "NS")
    assert answer.flags & dns.flags.AA
    assert sorted(row.to_text() for row in answer.answer[0]) == SERVERS


async def test_a_wrong_delegation(names: Names) -> None:
    """The parent names others: resolvers give those, and find nothing below."""
    names.delegations.say("Example.ORG.", ["ns1.elsewhere.test."])
    assert await names.ask("example.org", "NS") == ["ns1.elsewhere.test."]
    with pytest.raises(dns.resolver.NXDOMAIN):
        await names.ask("pin.lab1.example.org", "A")
    names.delegations.say("example.org", None)
    assert await names.ask("example.org", "NS") == SERVERS


async def test_the_name_servers_have_an_address(names: Names) -> None:
    """They are this very server."""
    assert await names.ask("ns2-01.azure-dns.net", "A") == ["127.0.0.1"]


async def test_the_closest_zone_answers(names: Names) -> None:
    """A zone of a subdomain goes before the one above it."""
    zone(names.world, "lab1.example.org", "07")
    assert (await names.ask("lab1.example.org", "NS"))[0] == "ns1-07.azure-dns.com."
    with pytest.raises(dns.resolver.NXDOMAIN):
        await names.ask("pin.lab1.example.org", "A")


async def test_a_zone_has_a_start_of_authority(names: Names) -> None:
    """SOA names the first server."""
    assert (await names.ask("example.org", "SOA"))[0].startswith(SERVERS[0])


async def test_noise_is_not_answered(names: Names) -> None:
    """What is no query gets nothing, and the server goes on."""
    reader, writer = await asyncio.open_connection(HOST, names.server.port)
    writer.write(b"\x00\x03abc")
    assert await reader.read() == b""
    writer.close()
    assert (await names.ask_directly("example.org", "SOA")).rcode() == dns.rcode.NOERROR
