"""Preflight of names: nothing of ours may meet something of somebody else's."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Any

from vhdlift.azure import dns
from vhdlift.azure.findings import Finding
from vhdlift.azure.ownership import is_ours
from vhdlift.azure.together import together
from vhdlift.azure.values import same_location
from vhdlift.azure.waiting import asked, found
from vhdlift.errors import AzureRefused
from vhdlift.model import SERVICES

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Coroutine

    from vhdlift.azure.clients import Azure
    from vhdlift.azure.scene import Scene
    from vhdlift.model import Names, Run, Spec

_FREE = "Choose another --vm-name, or remove what is there."


async def resources(scene: Scene) -> list[Finding]:
    """Names in the target's group if it is there, and, once there is a run, those of its storage accounts."""
    azure, run = scene.azure, scene.run
    looks = _in_group(scene, scene.some_run.names) if scene.group_exists else []
    if run is not None:
        looks += [_account(azure, run, name) for name in (run.names.export_account, run.names.script_account)]
    return [finding for answer in await together(*looks) for finding in answer]


def _in_group(scene: Scene, names: Names) -> list[Coroutine[Any, Any, list[Finding]]]:
    azure, run, group = scene.azure, scene.run, names.group
    network, compute = azure.network, azure.compute
    addresses = network.public_ip_addresses
    return [
        _taken(azure, run, "virtualMachines", names.vm, partial(compute.virtual_machines.get, group)),
        _taken(azure, run, "disks", names.os_disk, partial(compute.disks.get, group)),
        _taken(azure, run, "virtualNetworks", names.vnet, partial(network.virtual_networks.get, group)),
        _taken(azure, run, "publicIPAddresses", names.public_ip, partial(addresses.get, group)),
        _taken(azure, run, "networkInterfaces", names.nic, partial(network.network_interfaces.get, group)),
        _security_group(azure, scene.spec, names),
        _group(azure, scene.spec),
    ]


async def zone(scene: Scene) -> list[Finding]:
    """Whether the zone is clear, and what stands at the names of the services."""
    azure, spec, run = scene.azure, scene.spec, scene.run
    about = f"the DNS zone {spec.domain}"
    if not await scene.dns_group_exists():
        message = f"There is no resource group {spec.dns_resource_group} for the DNS zone."
        return [Finding("dns-group-missing", "error", message, about, "az group list --output table")]
    try:
        there = await scene.zone()
    except AzureRefused as refusal:
        if refusal.code != "ZoneNotClear":
            raise
        message = f"{refusal.sentence}. {refusal.hint}"
        return [
            Finding("dns-zone-not-clear", "error", message, about, "az network dns zone list --output table")
        ]
    if there is None:
        return []
    names, zone_group = scene.some_run.names, dns.group_of(str(there.id))
    answers = await together(*(_record(azure, names, run, zone_group, service) for service in SERVICES))
    return [finding for answer in answers for finding in answer]


async def _taken(
    azure: Azure, run: Run | None, kind: str, name: str, get: Callable[[str], Awaitable[Any]]
) -> list[Finding]:
    what = f"the name {name} in {kind}"
    there = await found(get, name, what=f"looking for {what}", scale=azure.scale)
    if there is None or (run is not None and is_ours(there.tags, run.id)):
        return []
    message = f"{there.id} exists already, and a run would make something of that name. {_FREE}"
    return [Finding("name-taken", "error", message, what, f"az resource show --ids {there.id}")]


async def _security_group(azure: Azure, spec: Spec, names: Names) -> list[Finding]:
    """An existing group is borrowed, which works in its own location only."""
    what = f"the network security group {names.nsg}"
    get = partial(azure.network.network_security_groups.get, names.group)
    there = await found(get, names.nsg, what=f"reading {what}", scale=azure.scale)
    if there is None or same_location(there.location, spec.location):
        return []
    message = f"{what} exists in {there.location}, and the VM is to be made in {spec.location}. {_FREE}"
    return [Finding("nsg-location", "error", message, what, f"az network nsg show --ids {there.id}")]


async def _group(azure: Azure, spec: Spec) -> list[Finding]:
    what = f"the resource group {spec.resource_group}"
    groups = azure.resources.resource_groups
    there = await found(groups.get, spec.resource_group, what=f"reading {what}", scale=azure.scale)
    state = str(there.properties.provisioning_state or "") if there and there.properties else ""
    if state.lower() != "deleting":
        return []
    message = f"{what} is being deleted."
    wait = f"az group wait --deleted --resource-group {spec.resource_group}"
    return [Finding("group-deleting", "error", message, what, wait)]


async def _account(azure: Azure, run: Run, name: str) -> list[Finding]:
    what = f"the name of the storage account {name}"
    get = partial(azure.storage.storage_accounts.get_properties, run.names.group)
    there = await found(get, name, what=f"looking for {what}", scale=azure.scale)
    if there is not None and is_ours(there.tags, run.id):
        return []
    body = {"name": name, "type": "Microsoft.Storage/storageAccounts"}
    check: Any = azure.storage.storage_accounts.check_name_availability
    answer = await asked(check, body, what=f"checking {what}", scale=azure.scale)
    if answer.name_available:
        return []
    message = f"The storage account name {name} cannot be used: {answer.message or answer.reason}"
    command = f"az storage account check-name --name {name}"
    return [Finding("account-name-taken", "error", message, what, command)]


async def _record(azure: Azure, names: Names, run: Run | None, group: str, service: str) -> list[Finding]:
    host, relative = names.host(service), names.record(service)
    what = f"the records of {host}"
    get = partial(azure.dns.record_sets.get, group, names.zone, relative)
    alias = await found(get, "CNAME", what=f"reading {what}", scale=azure.scale)
    place = f"--resource-group {group} --zone-name {names.zone} --name {relative}"
    if alias is not None:
        message = f"{host} is a CNAME record, and an A record cannot stand beside it."
        return [
            Finding(
                "record-conflict", "error", message, what, f"az network dns record-set cname show {place}"
            )
        ]
    there = await found(get, "A", what=f"reading {what}", scale=azure.scale)
    if there is None or (run is not None and is_ours(there.metadata, run.id)):
        return []
    message = f"{host} exists and will be overwritten; undoing the run puts it back."
    return [Finding("record-exists", "warning", message, what, f"az network dns record-set a show {place}")]
