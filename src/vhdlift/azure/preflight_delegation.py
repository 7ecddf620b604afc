"""Preflight of the delegation: whether the world is sent to the DNS zone that the run will write into."""

from __future__ import annotations

from typing import TYPE_CHECKING

from vhdlift.azure import dns
from vhdlift.azure.delegation import check_ns_delegation
from vhdlift.azure.findings import Finding, Severity
from vhdlift.azure.nameservers import Internet
from vhdlift.errors import VhdliftError

if TYPE_CHECKING:
    from vhdlift.azure.scene import Scene


async def look(scene: Scene) -> list[Finding]:
    """Expected and found name servers side by side, where they differ."""
    if not scene.resolvers:
        return []
    try:
        zone, there = await scene.zone(), await scene.dns_group_exists()
    except VhdliftError:
        return []  # the look at the zone tells it
    if zone is None and not there:
        return []
    if zone is None:
        return await _new_zone(scene)
    servers = list(zone.name_servers or [])
    seen = await check_ns_delegation(scene.spec.domain, servers, scene.resolvers)
    if seen.complete:
        return []
    # A resolver that lags behind may have caught up by then, and one that is silent says nothing.
    severity: Severity = "warning" if seen.sent_right and (seen.parent or not seen.found) else "error"
    group = dns.group_of(str(zone.id))
    command = (
        f"az network dns zone show --resource-group {group} --name {scene.spec.domain} --query nameServers"
    )
    message = f"{seen.sentence}. {seen.hint}"
    return [Finding("delegation", severity, message, f"the name servers of {scene.spec.domain}", command)]


async def _new_zone(scene: Scene) -> list[Finding]:
    """Its name servers are known only once it is made; then the run waits five minutes for the delegation."""
    spec = scene.spec
    parent = await Internet(scene.resolvers).parent(spec.domain)
    now = (
        f"; its parent {parent.server} now gives {', '.join(sorted(parent.servers)) or 'none'}"
        if parent
        else ""
    )
    message = (
        f"There is no DNS zone {spec.domain} yet: the run makes it, and fails unless its name servers are "
        f"set where {spec.domain} is registered within five minutes{now}. One that is made before has time."
    )
    group = spec.dns_resource_group or "GROUP"
    command = f"az network dns zone create --resource-group {group} --name {spec.domain}"
    return [Finding("dns-zone-new", "notice", message, f"the name servers of {spec.domain}", command)]
