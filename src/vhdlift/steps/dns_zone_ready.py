"""The DNS zone: found where it is, made only where there is none."""

from __future__ import annotations

from typing import TYPE_CHECKING

from vhdlift.azure import dns
from vhdlift.azure.ownership import arm_id, is_ours
from vhdlift.azure.removal_parts import remove_zone

if TYPE_CHECKING:
    from collections.abc import Sequence

    from vhdlift.errors import Leftover
    from vhdlift.steps.base import Context, Made


class DnsZoneReady:
    """A zone that existed before is only used: making it again would change its name servers."""

    name = "dns_zone_ready"
    title = "Find or create the DNS zone"
    needs = ("resource_group_ready",)

    async def do(self, c: Context) -> Made:
        """Find the zone, or make it in the group for DNS, which is the target's if none was named."""
        spec = c.run.spec
        zone = await dns.find_zone(c.azure, c.names.zone, spec.dns_resource_group)
        if zone is None:
            group = spec.dns_resource_group or c.names.group
            await c.ledger(arm_id(c.azure, group, f"Microsoft.Network/dnsZones/{c.names.zone}"))
            zone = await dns.create_zone(c.azure, c.names.zone, group, c.run.tags)
        return {
            "zone_id": str(zone.id),
            "zone_resource_group": dns.group_of(str(zone.id)),
            "zone_created": is_ours(zone.tags, c.run.id),
            "name_servers": list(zone.name_servers or []),
        }

    async def undo(self, c: Context) -> Sequence[Leftover]:
        """Delete the zone if this run made it and nobody has put anything into it since."""
        left: list[Leftover] = []
        for zone in await dns.zones_named(c.azure, c.names.zone, c.run.spec.dns_resource_group):
            left += await remove_zone(c.azure, dns.group_of(str(zone.id)), c.names.zone, c.run.id)
        return left
