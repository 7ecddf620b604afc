"""The target VM, its OS disk, and the schedule that shuts it down, if one was asked for."""

from __future__ import annotations

from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING, Any

from vhdlift.azure import machine
from vhdlift.azure.failures import NO_ROOM
from vhdlift.azure.ownership import Resource, delete_now, delete_ours, is_ours, made, settled
from vhdlift.azure.polling import Watch
from vhdlift.azure.removal_parts import adopt_disk, remove_vm
from vhdlift.azure.schedule import ensure_schedule, schedule_of
from vhdlift.azure.sizes import check_vm_size_compatibility
from vhdlift.azure.waiting import finished, found
from vhdlift.errors import AzureRefused, Leftover, VhdliftError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from vhdlift.steps.base import Context, Made

_ABOUT_THE_SIZE = NO_ROOM | {"quotaexceeded", "skunotavailable", "vmsizenotsupported"}


class VmCreated:
    """A fresh Windows VM with Trusted Launch; size and image have been looked at by the preflight."""

    name = "vm_created"
    title = "Create the Windows VM"
    needs = ("interface_created",)

    async def do(self, c: Context) -> Made:
        """Make the VM.

        Raises:
            AzureRefused: what Azure answered; when it is about the size, the hint names others that fit.
        """
        resource = replace(virtual_machine(c), kind="vm_create")
        vm = await made(c.azure, resource, c.run.id, c.ledger, partial(_create, c))
        await adopt_disk(c.azure, _os_disk(c), c.run.tags)
        facts = {"vm_id": str(vm.id), "vm_size": c.run.spec.vm_size, "os_disk_id": _os_disk(c).id}
        if c.run.spec.auto_shutdown is None:
            return facts
        shutdown = f"{c.run.spec.auto_shutdown} {c.run.spec.auto_shutdown_timezone}"
        schedule_id = await ensure_schedule(c.azure, c.run, facts["vm_id"], c.ledger)
        return {**facts, "schedule_id": schedule_id, "auto_shutdown": shutdown}

    async def undo(self, c: Context) -> Sequence[Leftover]:
        """Delete the schedule, the VM, and then its disk, which is known by the VM until it has tags."""
        left = await _undo_schedule(c)
        vm, disk = virtual_machine(c), _os_disk(c)
        return [*left, *await remove_vm(c.azure, vm, disk, c.run.id, c.run.tags)]


def virtual_machine(c: Context) -> Resource:
    """The VM as a resource of the run."""
    return machine.vm_at(c.azure, c.names.group, c.names.vm)


def _os_disk(c: Context) -> Resource:
    return machine.os_disk_at(c.azure, c.names.group, c.names.os_disk)


async def _create(c: Context) -> Any:
    password = c.settings.admin_password
    if password is None:
        raise VhdliftError("There is no password for the admin account", "Set VHDLIFT_ADMIN_PASSWORD.")
    await _make_room(c)
    body = machine.virtual_machine(
        c.run.spec, c.run.tags, c.names.os_disk, c.facts["nic_id"], password.get_secret_value()
    )
    try:
        return await finished(
            c.azure.compute.virtual_machines.begin_create_or_update,
            c.names.group,
            c.names.vm,
            body,
            what=f"creating {virtual_machine(c).what}",
            kind="vm_create",
            scale=c.azure.scale,
            watch=Watch(virtual_machine(c).get),
        )
    except AzureRefused as refusal:
        raise await _with_sizes(c, refusal) from refusal


async def _make_room(c: Context) -> None:
    """A disk that an earlier, broken attempt left behind is in the way; one of somebody else is not touched.

    Not while the VM is there: then the disk is in its place.
    """
    disk = _os_disk(c)
    vm = await _look(c, virtual_machine(c))
    there = await settled(c.azure, disk)
    if vm is None and there is not None:
        if not is_ours(there.tags, c.run.id):
            hint = "Choose another --vm-name, or remove the disk first."
            raise AzureRefused(
                f"{disk.what} exists already and was not made by this run", "NotOurs", 409, hint
            )
        await delete_now(c.azure, disk)
    await c.ledger(disk.id)


async def _with_sizes(c: Context, refusal: AzureRefused) -> AzureRefused:
    """The refusal with the nearest sizes as its hint, when it is about the size."""
    about_cores = refusal.code.lower() == "operationnotallowed" and "quota" in refusal.sentence.lower()
    if refusal.code.lower() not in _ABOUT_THE_SIZE and not about_cores:
        return refusal
    spec = c.run.spec
    try:
        verdict = await check_vm_size_compatibility(c.azure, spec.location, spec.vm_size, always_nearest=True)
    except VhdliftError:  # the refusal says what is wrong; this would only have helped
        return refusal
    return AzureRefused(refusal.sentence, refusal.code, refusal.status, verdict.hint)


async def _undo_schedule(c: Context) -> list[Leftover]:
    """Without the setting there is none, and its provider need not be registered."""
    if c.run.spec.auto_shutdown is None:
        return []
    return await delete_ours(c.azure, schedule_of(c.azure, c.run), c.run.id)


async def _look(c: Context, resource: Resource) -> Any:
    return await found(resource.get, what=f"reading {resource.what}", scale=c.azure.scale)
