"""What Compute sells and what of it is used: SKUs of a region, and usages of its limits."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

from armlocal.errors import ArmError
from armlocal.providers.base import Call, Reply
from armlocal.providers.regions import regions
from armlocal.providers.vmsizes import families, find_size, sizes, sku, sold_in

if TYPE_CHECKING:
    from armlocal.providers.base import Routes
    from armlocal.state import Resource

Json = dict[str, Any]
VM = "Microsoft.Compute/virtualMachines"
_FILTER = re.compile(r"\s*location\s+eq\s+'([^']*)'\s*$", re.IGNORECASE)
CORES_LIMIT = 100


async def list_skus(call: Call) -> Reply:
    """The SKUs of the region that `$filter` names, or of every region.

    Only `location eq '...'` can be asked for, as on the real service; the rest is for the client to sift.
    """
    text = call.query.get("$filter", "")
    match = _FILTER.match(text)
    if text and match is None:
        raise ArmError(400, "InvalidFilter", f"The $filter '{text}' is not supported.")
    wanted = [match[1].replace(" ", "").lower()] if match else list(regions())
    value = [row for location in wanted if location in regions() for row in _rows(location)]
    return Reply(200, {"value": value})


def _rows(location: str) -> list[Json]:
    vms = [sku(size, location) for size in sizes().values() if sold_in(size, location)]
    return [*vms, *(_other(kind, name, tier, location) for kind, name, tier in _OTHERS)]


_OTHERS = (
    ("disks", "Premium_LRS", "Premium"),
    ("disks", "StandardSSD_LRS", "Standard"),
    ("disks", "Standard_LRS", "Standard"),
    ("snapshots", "Standard_LRS", "Standard"),
    ("snapshots", "Standard_ZRS", "Standard"),
    ("availabilitySets", "Aligned", "Standard"),
)


def _other(kind: str, name: str, tier: str, location: str) -> Json:
    return {
        "resourceType": kind,
        "name": name,
        "tier": tier,
        "locations": [location],
        "locationInfo": [{"location": location, "zones": [], "zoneDetails": []}],
        "capabilities": [],
        "restrictions": [],
    }


def cores_used(vms: list[Resource]) -> dict[str, int]:
    """Cores that these VMs take, by family; "" for all together. A VM that is deallocated takes none."""
    used = {"": 0}
    for vm in vms:
        size = find_size(str((vm.properties.get("hardwareProfile") or {}).get("vmSize", "")))
        if size is None or vm.private.get("power") == "deallocated":
            continue
        used[""] += size.vcpus
        used[size.family.name] = used.get(size.family.name, 0) + size.vcpus
    return used


async def usages(call: Call) -> Reply:
    """What is used of Compute's limits in a region. Source of shape and limits: `test_vm_usage` [0]."""
    location = call.id.names[0].lower()
    here = {kind: _count(call, kind, location) for kind in ("virtualMachines", "disks", "snapshots")}
    used = cores_used([vm for vm in call.world.of_type(VM) if vm.location == location])
    rows = [
        ("availabilitySets", "Availability Sets", 0, 2500),
        ("cores", "Total Regional vCPUs", used[""], CORES_LIMIT),
        ("virtualMachines", "Virtual Machines", here["virtualMachines"], 25000),
        ("virtualMachineScaleSets", "Virtual Machine Scale Sets", 0, 2500),
        ("lowPriorityCores", "Total Regional Low-priority vCPUs", 0, 100),
        *((f.name, f.title, used.get(f.name, 0), f.limit) for f in families().values()),
        ("StandardDiskCount", "Standard Storage Managed Disks", here["disks"], 50000),
        ("StandardSnapshotCount", "StandardStorageSnapshots", here["snapshots"], 75000),
    ]
    value = [
        {
            "limit": call.world.conditions.limit(name, limit),
            "unit": "Count",
            "currentValue": now,
            "name": {"value": name, "localizedValue": title},
        }
        for name, title, now, limit in rows
    ]
    return Reply(200, {"value": value})


def _count(call: Call, kind: str, location: str) -> int:
    return len([r for r in call.world.of_type(f"Microsoft.Compute/{kind}") if r.location == location])


ROUTES: Routes = {
    "LIST Microsoft.Compute/skus": list_skus,
    "LIST Microsoft.Compute/locations/usages": usages,
}
