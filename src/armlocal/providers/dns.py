"""DNS zones, in the manner of Azure DNS: bare errors, ids in lower case, deletes of a style of their own."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from armlocal.errors import ArmError
from armlocal.lro import DNS, Plan
from armlocal.providers import dns_records
from armlocal.providers.base import Call, Reply
from armlocal.providers.dns_records import HEADERS, TYPE, add_record, check_etag
from armlocal.state import make_resource

if TYPE_CHECKING:
    from armlocal.errors import ArmError as Refusal
    from armlocal.providers.base import Routes
    from armlocal.state import Resource, World

Json = dict[str, Any]
POOLS = 99
MAX_RECORD_SETS = 10000
DOMAINS = ("com", "net", "org", "info")


async def put(call: Call) -> Reply:
    """Makes or changes a zone; it is there at once, with its four name servers, NS and SOA."""
    world = call.world
    if call.body.get("location") != "global":
        raise _not_global(call)
    old = world.find(call.id.text)
    check_etag(call, old, "Zone")
    zone = old or _new_zone(world, call)
    zone.body["tags"] = dict(call.body.get("tags") or {})
    zone.body["etag"] = world.new_guid()
    return _shown(world, zone, 201 if old is None else 200)


def _not_global(call: Call) -> Refusal:
    message = (
        f"The provided location '{call.body.get('location')}' is not available for resource type "
        "'Microsoft.Network/dnszones'. List of available regions for the resource type is 'global'."
    )
    return ArmError(400, "LocationNotAvailableForResourceType", message, gateway=True)


def _new_zone(world: World, call: Call) -> Resource:
    """A zone whose name servers no other zone of the same name has, as on the real service."""
    name = call.id.name
    namesakes = len([z for z in world.of_type(TYPE) if z.name.lower() == name.lower()])
    pool = (sum(name.lower().encode()) + namesakes) % POOLS + 1
    servers = [f"ns{i}-{pool:02}.azure-dns.{domain}." for i, domain in enumerate(DOMAINS, start=1)]
    body: Json = {
        "id": dns_records.lower_type(call.id.text),
        "location": "global",
        "properties": {
            "maxNumberOfRecordSets": MAX_RECORD_SETS,
            "maxNumberOfRecordsPerRecordSet": None,
            "nameServers": servers,
            "zoneType": "Public",
        },
    }
    zone = world.add(make_resource(call.id.text, TYPE, body))
    add_record(
        world, zone, "NS", "@", {"TTL": 172800, "NSRecords": [{"nsdname": server} for server in servers]}
    )
    soa = {
        "email": "azuredns-hostmaster.microsoft.com",
        "expireTime": 2419200,
        "host": servers[0],
        "minimumTTL": 300,
        "refreshTime": 3600,
        "retryTime": 300,
        "serialNumber": 1,
    }
    add_record(world, zone, "SOA", "@", {"TTL": 3600, "SOARecord": soa})
    return zone


def render(world: World, zone: Resource) -> Json:
    """The zone as GET shows it, with the number of its record sets."""
    count = len(world.children(zone.id))
    return {**zone.body, "properties": {**zone.properties, "numberOfRecordSets": count}}


def _shown(world: World, zone: Resource, status: int) -> Reply:
    return Reply(status, render(world, zone), {**HEADERS, "ETag": zone.body["etag"]})


def found(call: Call) -> Resource:
    """The zone in the path.

    Raises:
        ArmError: ARM's 404, with DNS's own spelling of the type.
    """
    zone = call.world.find(call.id.text)
    if zone is None:
        message = (
            f"The Resource '{TYPE}/{call.id.name}' under resource group '{call.group}' was not found. "
            "For more details please go to https://aka.ms/ARMResourceNotFoundFix"
        )
        raise ArmError(404, "ResourceNotFound", message, gateway=True)
    return zone


async def get(call: Call) -> Reply:
    """The zone."""
    return _shown(call.world, found(call), 200)


async def patch(call: Call) -> Reply:
    """Changes the zone's tags."""
    zone = found(call)
    check_etag(call, zone, "Zone")
    zone.body["tags"] = dict(call.body.get("tags") or {})
    zone.body["etag"] = call.world.new_guid()
    return _shown(call.world, zone, 200)


async def list_zones(call: Call) -> Reply:
    """The zones of a group or of the subscription."""
    zones = call.world.of_type(TYPE, call.id.group)
    return Reply(200, {"value": [render(call.world, zone) for zone in zones]}, HEADERS)


async def delete(call: Call) -> Reply:
    """Takes the zone away with all its record sets."""
    world = call.world
    zone = world.find(call.id.text)
    if zone is None:
        return Reply(204, headers=HEADERS)
    check_etag(call, zone, "Zone")
    running = world.operations.running(zone, world)
    if running is not None:
        return Reply(202, headers=HEADERS | running.headers(world))

    async def work() -> None:
        world.remove(zone.id)

    plan = Plan("dns_zone_delete", work, zone, with_location=True, retry=(3, 3))
    return Reply(202, headers=HEADERS | (await call.start(DNS, plan)).headers(world))


ROUTES: Routes = {
    "PUT Microsoft.Network/dnsZones": put,
    "GET Microsoft.Network/dnsZones": get,
    "PATCH Microsoft.Network/dnsZones": patch,
    "LIST Microsoft.Network/dnsZones": list_zones,
    "DELETE Microsoft.Network/dnsZones": delete,
    **dns_records.ROUTES,
}
