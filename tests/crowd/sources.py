"""A source VM for each run, as two cannot stop and start the same one; and the DNS zone of all."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from typing import Any

from tests.localcloud import LocalCloud

GROUP = "sources"
_PLACE = {"location": "uksouth"}
_NETWORK, _COMPUTE = "2024-05-01", "2024-07-01"
_AT_ONCE = 8
_IMAGE = {
    "publisher": "MicrosoftWindowsServer",
    "offer": "WindowsServer",
    "sku": "2022-datacenter-g2",
    "version": "latest",
}


def name_of(number: int) -> str:
    """The source VM of the run of this number."""
    return f"old{number:03}"


def make_sources(cloud: LocalCloud, numbers: range) -> None:
    """Running Windows VMs, each with an interface of its own."""
    if not cloud.arm("GET", f"resourceGroups/{GROUP}", "2021-04-01").is_success:
        cloud.put(f"resourceGroups/{GROUP}", "2021-04-01", _PLACE)
        subnets = [{"name": "default", "properties": {"addressPrefix": "10.30.0.0/16"}}]
        space = {"addressSpace": {"addressPrefixes": ["10.30.0.0/16"]}, "subnets": subnets}
        cloud.put(f"{_at('Network/virtualNetworks')}/net", _NETWORK, {**_PLACE, "properties": space})
        # All runs share it: which of them is to make it, they could not know.
        zone = f"{_at('Network/dnsZones')}/{cloud.env['VHDLIFT_DOMAIN']}"
        cloud.put(zone, "2018-05-01", {"location": "global"})
    with ThreadPoolExecutor(_AT_ONCE) as pool:
        list(pool.map(lambda number: _make(cloud, name_of(number)), numbers))


def _at(kind: str) -> str:
    return f"resourceGroups/{GROUP}/providers/Microsoft.{kind}"


def _make(cloud: LocalCloud, name: str) -> None:
    base = f"/subscriptions/{cloud.env['AZURE_SUBSCRIPTION_ID']}/"
    subnet = {"id": f"{base}{_at('Network/virtualNetworks')}/net/subnets/default"}
    configuration = {"name": "c", "properties": {"privateIPAllocationMethod": "Dynamic", "subnet": subnet}}
    nic = f"{_at('Network/networkInterfaces')}/{name}-nic"
    cloud.put(nic, _NETWORK, {**_PLACE, "properties": {"ipConfigurations": [configuration]}})
    vm = {**_PLACE, "properties": _machine(name, base + nic)}
    cloud.put(f"{_at('Compute/virtualMachines')}/{name}", _COMPUTE, vm)


def _machine(name: str, nic: str) -> dict[str, Any]:
    disk = {"name": f"{name}_OsDisk", "createOption": "FromImage"}
    return {
        "hardwareProfile": {"vmSize": "Standard_D2s_v5"},
        "storageProfile": {"imageReference": _IMAGE, "osDisk": disk},
        "osProfile": {"computerName": name, "adminUsername": "owner1", "adminPassword": "Correct-Horse-9"},
        "networkProfile": {"networkInterfaces": [{"id": nic}]},
    }
