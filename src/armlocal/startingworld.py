"""The world at the start: a resource group with a running Windows machine, whose disk is a real VHD.

Everything is made through the providers' own handlers, so it looks as if a client had made it.
"""

from __future__ import annotations

import asyncio
import secrets
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from armlocal.routing import Router
    from armlocal.state import World

GROUP = "lab"
LOCATION = "uksouth"
SOURCE_VM = "lab-source"
DOMAIN = "rehearsal.example"
TAGS = {"owner": "lab"}
_IMAGE = {
    "publisher": "MicrosoftWindowsServer",
    "offer": "WindowsServer",
    "sku": "2022-datacenter-g2",
    "version": "latest",
}
_GIB = 1024**3


async def make_starting_world(world: World, router: Router) -> None:
    """Makes it. The world must be empty.

    Raises:
        ArmError: a provider refused; that is a defect of this module.
    """
    group = f"/subscriptions/{world.subscription_id}/resourceGroups/{GROUP}"
    await router.invoke(world, "PUT", group, {"location": LOCATION, "tags": TAGS})
    for path, body in _resources(group):
        whole = {"location": LOCATION, "tags": TAGS, **body}
        await router.invoke(world, "PUT", f"{group}/providers/{path}", whole)
    vm = world.find(f"{group}/providers/Microsoft.Compute/virtualMachines/{SOURCE_VM}")
    assert vm is not None
    vm.private["agent_from"] = 0.0
    await _plant_disk(world, vm.properties["storageProfile"]["osDisk"])


async def _plant_disk(world: World, os_disk: dict[str, Any]) -> None:
    """Puts the real bytes under the machine's OS disk, and says their size."""
    disk = world.find(os_disk["managedDisk"]["id"])
    assert disk is not None
    await asyncio.to_thread(world.disks.plant_source, disk.id)
    size = world.disks.size(disk.id)
    disk.properties.update(diskSizeBytes=size, diskSizeGB=-(-size // _GIB))
    os_disk["diskSizeGB"] = disk.properties["diskSizeGB"]


def _resources(group: str) -> list[tuple[str, dict[str, Any]]]:
    network = f"{group}/providers/Microsoft.Network"
    subnet = f"{network}/virtualNetworks/{SOURCE_VM}-vnet/subnets/default"
    nsg = f"{network}/networkSecurityGroups/{SOURCE_VM}-nsg"
    address = f"{network}/publicIPAddresses/{SOURCE_VM}-ip"
    return [
        (f"Microsoft.Network/virtualNetworks/{SOURCE_VM}-vnet", {"properties": _vnet()}),
        (f"Microsoft.Network/networkSecurityGroups/{SOURCE_VM}-nsg", {"properties": {"securityRules": []}}),
        (
            f"Microsoft.Network/publicIPAddresses/{SOURCE_VM}-ip",
            {"sku": {"name": "Standard"}, "properties": {"publicIPAllocationMethod": "Static"}},
        ),
        (f"Microsoft.Network/networkInterfaces/{SOURCE_VM}-nic", {"properties": _nic(subnet, nsg, address)}),
        (
            f"Microsoft.Compute/virtualMachines/{SOURCE_VM}",
            {"properties": _machine(f"{network}/networkInterfaces/{SOURCE_VM}-nic")},
        ),
    ]


def _vnet() -> dict[str, Any]:
    return {
        "addressSpace": {"addressPrefixes": ["10.20.0.0/16"]},
        "subnets": [{"name": "default", "properties": {"addressPrefix": "10.20.0.0/24"}}],
    }


def _nic(subnet: str, nsg: str, address: str) -> dict[str, Any]:
    configuration = {
        "privateIPAllocationMethod": "Dynamic",
        "subnet": {"id": subnet},
        "publicIPAddress": {"id": address},
    }
    return {
        "networkSecurityGroup": {"id": nsg},
        "ipConfigurations": [{"name": "ipconfig1", "properties": configuration}],
    }


def _machine(nic: str) -> dict[str, Any]:
    return {
        "hardwareProfile": {"vmSize": "Standard_D2s_v5"},
        "storageProfile": {
            "imageReference": _IMAGE,
            "osDisk": {
                "name": f"{SOURCE_VM}_OsDisk",
                "createOption": "FromImage",
                "managedDisk": {"storageAccountType": "StandardSSD_LRS"},
            },
        },
        "osProfile": {
            "computerName": SOURCE_VM,
            "adminUsername": "labowner",
            "adminPassword": f"Aa1!{secrets.token_urlsafe(12)}",
        },
        "securityProfile": {
            "securityType": "TrustedLaunch",
            "uefiSettings": {"secureBootEnabled": True, "vTpmEnabled": True},
        },
        "networkProfile": {"networkInterfaces": [{"id": nic}]},
    }
