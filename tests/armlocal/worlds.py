"""A world with nothing in it, for parts that only look things up."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, cast

from armlocal.faults import Faults
from armlocal.state import World, make_resource

if TYPE_CHECKING:
    from pathlib import Path

    from armlocal.state import Resource

GROUP = "/subscriptions/s/resourceGroups/lab/providers"


def empty_world(folder: Path, scale: float = 0.0) -> World:
    """A world whose other parts must not be used."""
    absent = cast("Any", None)
    return World(folder, scale, absent, absent, absent, absent, absent, Faults())


def zone(world: World, name: str, number: str = "01") -> Resource:
    """A DNS zone with four name servers."""
    servers = [f"ns{n}-{number}.azure-dns.{end}." for n, end in enumerate(("com", "net", "org", "info"), 1)]
    body = {"location": "global", "properties": {"nameServers": servers}}
    path = f"{GROUP}/Microsoft.Network/dnsZones/{name}"
    return world.add(make_resource(path, "Microsoft.Network/dnszones", body))


def record(world: World, of: Resource, kind: str, name: str, properties: dict[str, Any]) -> Resource:
    """A record set of a zone."""
    path = f"{of.id}/{kind}/{name}"
    return world.add(make_resource(path, f"{of.type}/{kind}", {"properties": properties}))
