"""All of Microsoft.Network but DNS: its routes together, and what is used of its limits."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from armlocal.providers import (
    network_addresses,
    network_common,
    network_interfaces,
    network_security,
    network_vnets,
)
from armlocal.providers.base import Call, Reply

if TYPE_CHECKING:
    from armlocal.providers.base import Routes

LIMITS: dict[str, tuple[str, str, int]] = {
    "VirtualNetworks": ("Virtual Networks", network_vnets.TYPE, 1000),
    "StaticPublicIPAddresses": ("Static Public IP Addresses", network_addresses.TYPE, 20),
    "NetworkSecurityGroups": ("Network Security Groups", network_security.TYPE, 5000),
    "PublicIPAddresses": ("Public IP Addresses", network_addresses.TYPE, 20),
    "NetworkInterfaces": ("Network Interfaces", network_common.NIC, 65536),
    "IPv4StandardSkuPublicIpAddresses": ("Public IPv4 Addresses - Standard", network_addresses.TYPE, 20),
}
"""Name: what people read, the type that is counted, the limit. Source: `test_network_usage_list` [0]."""


async def usages(call: Call) -> Reply:
    """What of the limits is used in a region."""
    location = call.id.names[0].lower()
    base = (
        f"/subscriptions/{call.world.subscription_id}/providers/Microsoft.Network/locations/{location}/usages"
    )
    rows: list[dict[str, Any]] = [
        {
            "currentValue": len([r for r in call.world.of_type(type_) if r.location == location]),
            "id": f"{base}/{name}",
            "limit": call.world.conditions.limit(name, limit),
            "name": {"localizedValue": title, "value": name},
            "unit": "Count",
            "isAdjustable": True,
        }
        for name, (title, type_, limit) in LIMITS.items()
    ]
    basic = {
        "currentValue": 0,
        "id": f"{base}/IPv4BasicSkuPublicIpAddresses",
        "limit": 0,
        "name": {"localizedValue": "Public IPv4 Addresses - Basic", "value": "IPv4BasicSkuPublicIpAddresses"},
        "unit": "Count",
        "isAdjustable": False,
    }
    return Reply(200, {"value": [*rows, basic]})


ROUTES: Routes = {
    **network_vnets.ROUTES,
    **network_addresses.ROUTES,
    **network_security.ROUTES,
    **network_interfaces.ROUTES,
    "LIST Microsoft.Network/locations/usages": usages,
}
