"""Preflight of quotas: what the subscription may still make in the target's location."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from vhdlift.azure.findings import Finding
from vhdlift.azure.plainly import plain_list
from vhdlift.azure.waiting import listed

if TYPE_CHECKING:
    from collections.abc import Mapping

    from vhdlift.azure.scene import Scene
    from vhdlift.azure.sizes import Size

NETWORK_VERSION, STORAGE_VERSION = "2024-05-01", "2024-01-01"
TOTAL = "cores"
# Usage: how many of it the run makes, and the kind that `az quota` knows. Names: recorded from the service.
_ADDRESSES = ("PublicIPAddresses", "StaticPublicIPAddresses", "IPv4StandardSkuPublicIpAddresses")
_NETWORK = {
    **dict.fromkeys(_ADDRESSES, "quota-public-ips"),
    "VirtualNetworks": "quota-network",
    "NetworkInterfaces": "quota-network",
    "NetworkSecurityGroups": "quota-network",
}
_ACCOUNTS = 2


async def cores(scene: Scene, wanted: Size, *, usable: bool) -> list[Finding]:
    """Cores in all, VMs, and cores of the size's family, unless another size has to be taken anyway."""
    azure, location = scene.azure, scene.spec.location
    what = f"reading the quota of {location}"
    usages = await listed(azure.compute.usage.list, location, what=what, scale=azure.scale)
    family = {wanted.family.lower(): wanted.vcpus} if usable else {}
    needs = {**family, TOTAL: wanted.vcpus, "virtualmachines": 1}
    codes = {TOTAL: "quota-cores", "virtualmachines": "quota-vms"}
    rows = [_row(usage.name.value if usage.name else "", usage) for usage in usages]
    return [
        _finding(
            scene, codes.get(name.lower(), "quota-family"), "Microsoft.Compute", row, needs[name.lower()]
        )
        for name, row in rows
        if name.lower() in needs and _free(row) < needs[name.lower()]
    ]


async def network(scene: Scene) -> list[Finding]:
    """Addresses, networks, interfaces and security groups: one of each is made."""
    rows = await _usages(scene, "Microsoft.Network", NETWORK_VERSION)
    short = {_NETWORK[row["name"]["value"]]: row for row in rows if _is_short(row, _NETWORK, 1)}
    return [_finding(scene, code, "Microsoft.Network", row, 1) for code, row in short.items()]


async def storage(scene: Scene) -> list[Finding]:
    """Storage accounts: one for the artefact, one for the setup script."""
    rows = await _usages(scene, "Microsoft.Storage", STORAGE_VERSION)
    short = [row for row in rows if _is_short(row, {"StorageAccounts": ""}, _ACCOUNTS)]
    return [_finding(scene, "quota-storage", "Microsoft.Storage", row, _ACCOUNTS) for row in short]


async def _usages(scene: Scene, namespace: str, version: str) -> list[dict[str, Any]]:
    location = scene.spec.location
    path = f"{scene.subscription}/providers/{namespace}/locations/{location}/usages"
    return await plain_list(
        scene.azure, path, version, what=f"reading the quota of {namespace} in {location}"
    )


def _row(name: str | None, usage: Any) -> tuple[str, dict[str, Any]]:
    """A usage of the SDK as the plain JSON that the others are."""
    title = usage.name.localized_value if usage.name else ""
    told = {"name": {"value": name, "localizedValue": title}, "limit": usage.limit}
    return name or "", {**told, "currentValue": usage.current_value}


def _is_short(row: dict[str, Any], of: Mapping[str, str], needed: int) -> bool:
    return (row.get("name") or {}).get("value") in of and _free(row) < needed


def _free(row: dict[str, Any]) -> int:
    return int(row.get("limit") or 0) - int(row.get("currentValue") or 0)


def _finding(scene: Scene, code: str, namespace: str, row: dict[str, Any], needed: int) -> Finding:
    location, name = scene.spec.location, row["name"]["value"]
    title = row["name"].get("localizedValue") or name
    free, wanted = max(_free(row), 0), int(row.get("currentValue") or 0) + needed
    message = f"The run needs {needed} of {title} in {location}: {free} are free, of {row.get('limit') or 0}."
    command = (
        f"az quota update --resource-name {name} --limit-object value={wanted} --scope "
        f"{scene.subscription}/providers/{namespace}/locations/{location}"
    )
    return Finding(code, "error", message, f"the quota of {namespace} in {location}", command)
