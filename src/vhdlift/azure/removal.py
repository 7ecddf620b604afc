"""Removes what belongs to a run, in the order in which things depend on each other, by its tags alone.

The source VM gets its power state back first, as long as the snapshot's tags tell which; then what nothing
else holds on to goes, then what that held, and so on. Each removal looks at the tag again and, afterwards,
that Azure says 404. What cannot be removed keeps nothing else from being removed.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from shlex import quote
from typing import TYPE_CHECKING

from vhdlift.azure import machine
from vhdlift.azure.ownership import Resource, Versions, delete_ours, exists, inventory, place_of, tag
from vhdlift.azure.power import give_back, power_of, read_vm
from vhdlift.azure.removal_parts import (
    record_id,
    remove_group,
    remove_rule,
    remove_vm,
    remove_zone,
    rule_of,
    take_back_record,
)
from vhdlift.azure.snapshot import delete_snapshot_at, snapshot_at
from vhdlift.azure.source import os_disk_id
from vhdlift.azure.storage import remove_account
from vhdlift.azure.together import together
from vhdlift.azure.waiting import found
from vhdlift.errors import Leftover, VhdliftError
from vhdlift.model import POWER_TAG

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Iterator

    from vhdlift.azure.belongings import Belongings
    from vhdlift.azure.clients import Azure
    from vhdlift.azure.ownership import Tagged

    Told = Callable[[str, list[Leftover]], None]

_VM = "microsoft.compute/virtualmachines"
_SNAPSHOT = "microsoft.compute/snapshots"
_ACCOUNT = "microsoft.storage/storageaccounts"
_ZONE = "microsoft.network/dnszones"
_GROUP = ""

_STAGES = {
    _VM: 0,
    _SNAPSHOT: 0,
    _ACCOUNT: 0,
    "microsoft.devtestlab/schedules": 0,
    "microsoft.compute/disks": 1,
    "microsoft.network/networkinterfaces": 1,
    "microsoft.network/publicipaddresses": 2,
    "microsoft.network/networksecuritygroups": 2,
    "microsoft.network/virtualnetworks": 3,
    _ZONE: 3,
    _GROUP: 5,
}
_ANY_OTHER = 4
"""The stage of types that no run makes today: nothing above holds on to them."""


@dataclass(frozen=True)
class _Removal:
    """One thing to remove: its id, when its turn is, and the work, which returns what is left of it."""

    id: str
    stage: int
    work: Callable[[], Awaitable[list[Leftover]]]

    async def done(self, told: Told) -> list[Leftover]:
        """Do it and tell the end."""
        left = await self.work()
        told(self.id, left)
        return left


async def remove(azure: Azure, belongings: Belongings, told: Told, group: str = "") -> list[Leftover]:
    """Remove all of it; never raises for what Azure answers.

    Args:
        azure: the clients.
        belongings: what was found.
        told: told the id of each thing when it has been dealt with, and what is left of it.
        group: the only resource group that was looked in; empty for the whole subscription.

    Returns:
        What is still there, each with the reason.
    """
    left = await _give_source_back(azure, belongings)
    for row in left:
        told(row.resource_id, [row])
    removals = list(_removals(azure, belongings, keep_memory=bool(left)))
    for stage in sorted({one.stage for one in removals}):
        ends = await together(*(one.done(told) for one in removals if one.stage == stage))
        left += [row for end in ends for row in end]
    return [*left, *await _overlooked(azure, belongings, left, group)]


async def doubt_about_source(azure: Azure, belongings: Belongings) -> str:
    """A sentence when the source VM is off and nothing tells whether this run stopped it; else empty.

    Between the stop of the VM and its snapshot only the run's database knows what it was.
    """
    source = belongings.source
    if source is None or any(tag(thing.tags, POWER_TAG) for thing in belongings.things):
        return ""
    try:
        now = power_of(await read_vm(azure, source.group, source.name))
    except VhdliftError as error:
        return f"The source VM {source.name} could not be looked at: {error}"
    if now in {None, "running"}:
        return ""
    start = f"az vm start --resource-group {quote(source.group)} --name {quote(source.name)}"
    return (
        f"The source VM {source.name} is {now}, and no tag tells whether it ran before; `{start}` starts it."
    )


async def _give_source_back(azure: Azure, belongings: Belongings) -> list[Leftover]:
    source = belongings.source
    if source is None or source.wanted is None:
        return []
    return await give_back(azure, source.group, source.name, source.wanted)


def _removals(azure: Azure, belongings: Belongings, *, keep_memory: bool) -> Iterator[_Removal]:
    run_id = belongings.run_id
    for record in belongings.records:
        yield _Removal(record_id(azure, record), 0, partial(take_back_record, azure, record, run_id))
    for rule in belongings.rules:
        of = (rule.group, rule.security_group, rule.name)
        yield _Removal(rule_of(azure, *of).id, 0, partial(remove_rule, azure, *of))
    for thing in belongings.things:
        remembers = keep_memory and tag(thing.tags, POWER_TAG)
        work = partial(_keep if remembers else _REMOVE.get(thing.type, _remove_any), azure, thing)
        yield _Removal(thing.id, _STAGES.get(thing.type, _ANY_OTHER), work)


async def _keep(azure: Azure, thing: Tagged) -> list[Leftover]:
    """The snapshot stays as long as the source VM is off: nothing else knows that it ran."""
    snapshot = snapshot_at(azure, thing.group, thing.name)
    return [snapshot.leftover("its tags alone tell what power state the source VM is still to be given back")]


async def _remove_vm(azure: Azure, thing: Tagged) -> list[Leftover]:
    vm = machine.vm_at(azure, thing.group, thing.name)
    try:
        there = await found(vm.get, what=f"reading {vm.what}", scale=azure.scale)
    except VhdliftError as error:
        return [vm.leftover(str(error))]
    disk_id = os_disk_id(there) if there is not None else ""
    if not disk_id:
        return await delete_ours(azure, vm, thing.run_id)
    disk = machine.os_disk_at(azure, *place_of(disk_id))
    return await remove_vm(azure, vm, disk, thing.run_id, thing.tags)


async def _remove_any(azure: Azure, thing: Tagged) -> list[Leftover]:
    generic = azure.resources.resources
    what = f"{thing.name} ({thing.type})"
    try:
        version = await Versions(azure).of(thing.id)
    except VhdliftError as error:
        return [Resource(thing.id, what, partial(generic.get_by_id, thing.id)).leftover(str(error))]
    resource = Resource(
        thing.id,
        what,
        get=partial(generic.get_by_id, thing.id, api_version=version),
        begin_delete=partial(generic.begin_delete_by_id, thing.id, api_version=version),
    )
    return await delete_ours(azure, resource, thing.run_id)


_REMOVE: dict[str, Callable[[Azure, Tagged], Awaitable[list[Leftover]]]] = {
    _VM: _remove_vm,
    _SNAPSHOT: lambda azure, thing: delete_snapshot_at(azure, thing.group, thing.name, thing.run_id),
    _ACCOUNT: lambda azure, thing: remove_account(azure, thing.group, thing.name, thing.run_id),
    _ZONE: lambda azure, thing: remove_zone(azure, thing.group, thing.name, thing.run_id),
    _GROUP: lambda azure, thing: remove_group(azure, thing.name, thing.run_id),
}


async def _overlooked(
    azure: Azure, belongings: Belongings, left: list[Leftover], group: str
) -> list[Leftover]:
    """What is there all the same, of what was found and of what carries the tag by now."""
    known = {row.resource_id.lower() for row in left}
    asked = [thing.id for thing in belongings.things if thing.id.lower() not in known]
    try:
        there = await inventory(azure, belongings.run_id, asked, group)
    except VhdliftError as error:
        where = f"/subscriptions/{azure.subscription_id}"
        command = f"vhdlift cleanup --run-id {belongings.run_id}"
        return [Leftover(where, f"Nobody has seen that all is gone: {error}", command)]
    # A list lags behind deletions, so what it names is asked for by itself.
    late = [one for one in there if one.lower() not in known]
    return [
        Leftover(one, "It is still there.", f"az resource delete --ids {quote(one)}")
        for one in late
        if one in asked or await exists(azure, one)
    ]
