"""The A records of the services, which all point to the target VM."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from vhdlift.azure import dns
from vhdlift.azure.removal_parts import record_id, take_back_record
from vhdlift.azure.together import together
from vhdlift.model import SERVICES

if TYPE_CHECKING:
    from collections.abc import Sequence

    from vhdlift.errors import Leftover
    from vhdlift.steps.base import Context, Made


class DnsRecordsCreated:
    """One record a service; what it overwrites is remembered in it, and put back by the undo."""

    name = "dns_records_created"
    title = "Write the DNS records of the services"
    needs = ("dns_zone_ready", "public_ip_created")

    async def do(self, c: Context) -> Made:
        """Write the records, all at the same time."""
        group = c.facts["zone_resource_group"]
        written = await together(*(_write(c, group, service) for service in SERVICES))
        return {
            "hosts": {service: c.names.host(service) for service in SERVICES},
            "overwritten": [record for record in written if record],
        }

    async def undo(self, c: Context) -> Sequence[Leftover]:
        """Put back what was overwritten, delete what was new, leave what somebody has changed since."""
        zones = await dns.zones_named(c.azure, c.names.zone, c.run.spec.dns_resource_group)
        places = [_place(c, dns.group_of(str(zone.id)), service) for zone in zones for service in SERVICES]
        left = await together(*(take_back_record(c.azure, place, c.run.id) for place in places))
        return [leftover for each in left for leftover in each]


async def _write(c: Context, group: str, service: str) -> dict[str, Any] | None:
    place = _place(c, group, service)
    await c.ledger(record_id(c.azure, place))
    original = await dns.put_address(c.azure, place, c.facts["address"], c.run)
    return {"host": c.names.host(service), **original["properties"]} if original else None


def _place(c: Context, group: str, service: str) -> dns.RecordPlace:
    return dns.RecordPlace(group, c.names.zone, c.names.record(service))
