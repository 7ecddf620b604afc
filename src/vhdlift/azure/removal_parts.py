"""Removals that need more care than a look at the tag; steps and the removal by tag share them.

A resource group and a DNS zone go only when nothing of anybody else is in them. A rule in a security group
that was there before has no tag, and is known by its name. The OS disk of the target VM is made by Azure
itself, and is known by its VM until it has tags of its own.
"""

from __future__ import annotations

from contextlib import suppress
from functools import partial
from shlex import quote
from typing import TYPE_CHECKING, Any

from vhdlift.azure import dns, machine
from vhdlift.azure.ownership import Resource, arm_id, delete_now, delete_ours, is_ours, place_of
from vhdlift.azure.waiting import finished, found, listed, until
from vhdlift.errors import Leftover, TookTooLong, VhdliftError

if TYPE_CHECKING:
    from collections.abc import Mapping

    from vhdlift.azure.clients import Azure


def group_of(azure: Azure, name: str) -> Resource:
    """A resource group as a resource of a run."""
    groups = azure.resources.resource_groups
    return Resource(
        id=arm_id(azure, name),
        what=f"the resource group {name}",
        get=partial(groups.get, name),
        begin_delete=partial(groups.begin_delete, name),
        kind="group_delete",
        command=f"az group delete --name {quote(name)} --yes",
    )


async def remove_group(azure: Azure, name: str, run_id: str) -> list[Leftover]:
    """Delete the group if this run made it and nothing is left in it."""
    group = group_of(azure, name)
    try:
        there = await found(group.get, what=f"reading {group.what}", scale=azure.scale)
        if there is None or not is_ours(there.tags, run_id):
            return []
        if remaining := await _remaining(azure, name, run_id):
            return [group.leftover(f"it still holds {', '.join(remaining)}")]

        async def still_empty(there: Any) -> bool:
            return is_ours(there.tags, run_id) and not await _remaining(azure, name, run_id)

        await delete_now(azure, group, still_empty)
    except VhdliftError as error:
        return [group.leftover(str(error))]
    return []


async def _remaining(azure: Azure, name: str, run_id: str) -> list[str]:
    """The ids of what is in the group, once those that are already deleted have left ARM's list.

    ARM's list lags behind deletions, so what is ours is given a minute to disappear.
    """
    seen: list[Any] = []

    async def look() -> list[str] | None:
        seen[:] = await listed(
            azure.resources.resources.list_by_resource_group,
            name,
            what=f"listing the resource group {name}",
            scale=azure.scale,
        )
        lagging = seen and all(is_ours(item.tags, run_id) for item in seen)
        return None if lagging else [str(item.id) for item in seen]

    try:
        return await until(look, what="the group's emptiness", scale=azure.scale, kind="list")
    except TookTooLong:
        return [str(item.id) for item in seen]


async def remove_zone(azure: Azure, group: str, name: str, run_id: str) -> list[Leftover]:
    """Delete the DNS zone if this run made it and nobody has put anything into it since."""
    zones = azure.dns.zones
    resource = Resource(
        id=arm_id(azure, group, f"Microsoft.Network/dnsZones/{name}"),
        what=f"the DNS zone {name}",
        get=partial(zones.get, group, name),
        command=f"az network dns zone delete --resource-group {quote(group)} --name {quote(name)}",
    )
    try:
        there = await found(resource.get, what=f"reading {resource.what}", scale=azure.scale)
        if there is None or not is_ours(there.tags, run_id):
            return []
        records = await dns.foreign_records(azure, name, group)
    except VhdliftError as error:
        return [resource.leftover(str(error))]
    if records:
        return [resource.leftover(f"it holds records that this step did not make: {', '.join(records)}")]
    guarded = partial(zones.begin_delete, group, name, if_match=there.etag)
    return await delete_ours(azure, Resource(**{**vars(resource), "begin_delete": guarded}), run_id)


async def take_back_record(azure: Azure, place: dns.RecordPlace, run_id: str) -> list[Leftover]:
    """Put back what this run's record overwrote, or delete it."""
    try:
        await dns.take_back(azure, place, run_id)
    except VhdliftError as error:
        command = (
            f"az network dns record-set a delete --resource-group {quote(place.group)} "
            f"--zone-name {quote(place.zone)} --name {quote(place.name)}"
        )
        return [Leftover(record_id(azure, place), str(error), command)]
    return []


def record_id(azure: Azure, place: dns.RecordPlace) -> str:
    """The ARM id of an A record."""
    return arm_id(azure, place.group, f"Microsoft.Network/dnsZones/{place.zone}/A/{place.name}")


def rule_of(azure: Azure, group: str, security_group: str, name: str) -> Resource:
    """One rule of a network security group."""
    rules = azure.network.security_rules
    of = (group, security_group, name)
    return Resource(
        id=arm_id(
            azure, group, f"Microsoft.Network/networkSecurityGroups/{security_group}/securityRules/{name}"
        ),
        what=f"the rule {name} of the network security group {security_group}",
        get=partial(rules.get, *of),
        begin_delete=partial(rules.begin_delete, *of),
    )


async def remove_rule(azure: Azure, group: str, security_group: str, name: str) -> list[Leftover]:
    """Delete a rule, whose name says that it is the run's, and look that it is gone."""
    resource = rule_of(azure, group, security_group, name)
    try:
        await delete_now(azure, resource)
    except VhdliftError as error:
        return [resource.leftover(str(error))]
    return []


def belongs(disk: Any | None, vm: Any | None, run_id: str) -> bool:
    """Whether a disk is this run's, by its own tags or by those of the VM that it is attached to."""
    if disk is None:
        return False
    if is_ours(disk.tags, run_id):
        return True
    attached = vm is not None and str(disk.managed_by or "").lower() == str(vm.id).lower()
    return attached and vm is not None and is_ours(vm.tags, run_id)


async def remove_vm(
    azure: Azure, vm: Resource, disk: Resource, run_id: str, tags: Mapping[str, str]
) -> list[Leftover]:
    """Delete the VM if this run made it, and then its OS disk, which is known by the VM until it has tags.

    Args:
        azure: the clients.
        vm: the VM; nothing need be there.
        disk: its OS disk; nothing need be there.
        run_id: the run.
        tags: what the disk is given before the VM goes.
    """
    known, doubt = False, ""
    try:
        known = await _adopted(azure, vm, disk, run_id, tags)
    except VhdliftError as error:
        doubt = str(error)
    left = await delete_ours(azure, vm, run_id)
    try:
        there = await _look(azure, disk)
        if there is None:
            return left
        if not (known or is_ours(there.tags, run_id)):
            return [*left, disk.leftover(f"nobody knows whose it is: {doubt}")] if doubt else left
        if left:
            return [*left, disk.leftover(f"it is attached to {vm.what}, which could not be removed")]
        await delete_now(azure, disk)
    except VhdliftError as error:
        return [*left, disk.leftover(str(error))]
    return left


async def _adopted(azure: Azure, vm: Resource, disk: Resource, run_id: str, tags: Mapping[str, str]) -> bool:
    """Whether the disk is this run's; its tags say so from here on, as the VM that does is about to go."""
    there = await _look(azure, disk)
    ours = belongs(there, await _look(azure, vm), run_id)
    if ours and not is_ours(there.tags, run_id):
        with suppress(VhdliftError):  # known in this process all the same
            await adopt_disk(azure, disk, tags)
    return ours


async def _look(azure: Azure, resource: Resource) -> Any:
    return await found(resource.get, what=f"reading {resource.what}", scale=azure.scale)


async def adopt_disk(azure: Azure, disk: Resource, tags: Mapping[str, str]) -> None:
    """Give a disk the run's tags beside its own.

    Azure makes the OS disk of a VM, and takes no tags for it. That it gives it those of the VM is observed
    and not promised, so it is mended: at the latest before the VM goes, by which alone it is known.

    Raises:
        VhdliftError: what Azure answered.
    """
    there = await _look(azure, disk)
    if there is None or tags.items() <= dict(there.tags or {}).items():
        return
    await finished(
        partial(azure.compute.disks.begin_update, *place_of(disk.id)),
        machine.disk_tags({**(there.tags or {}), **tags}),
        what=f"tagging {disk.what}",
        kind="snapshot",
        scale=azure.scale,
    )
