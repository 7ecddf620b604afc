"""The target VM and its OS disk."""

from __future__ import annotations

from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING, Any

from vhdlift.azure import machine
from vhdlift.azure.failures import NO_ROOM
from vhdlift.azure.ownership import Resource, arm_id, delete_now, delete_ours, is_ours, made, settled
from vhdlift.azure.polling import Watch
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
        await _tag_disk(c)
        return {"vm_id": str(vm.id), "vm_size": c.run.spec.vm_size, "os_disk_id": _os_disk(c).id}

    async def undo(self, c: Context) -> Sequence[Leftover]:
        """Delete the VM and then its disk, which is recognised by the VM if its tags are not there yet."""
        vm, disk = virtual_machine(c), _os_disk(c)
        known = _belongs(c, await _look(c, disk), await _look(c, vm))
        left = await delete_ours(c.azure, vm, c.run.id)
        try:
            there = await _look(c, disk)
            if there is None or not (known or is_ours(there.tags, c.run.id)):
                return left
            if left:
                return [*left, disk.leftover(f"it is attached to {vm.what}, which could not be removed")]
            await delete_now(c.azure, disk)
        except VhdliftError as error:
            return [*left, disk.leftover(str(error))]
        return []


def virtual_machine(c: Context) -> Resource:
    """The VM as a resource of the run."""
    machines = c.azure.compute.virtual_machines
    group, name = c.names.group, c.names.vm
    return Resource(
        id=arm_id(c.azure, group, f"Microsoft.Compute/virtualMachines/{name}"),
        what=f"the VM {name}",
        get=partial(machines.get, group, name),
        begin_delete=partial(machines.begin_delete, group, name),
        kind="vm_delete",
    )


def _os_disk(c: Context) -> Resource:
    disks = c.azure.compute.disks
    group, name = c.names.group, c.names.os_disk
    return Resource(
        id=arm_id(c.azure, group, f"Microsoft.Compute/disks/{name}"),
        what=f"the OS disk {name}",
        get=partial(disks.get, group, name),
        begin_delete=partial(disks.begin_delete, group, name),
    )


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
    verdict = await check_vm_size_compatibility(c.azure, spec.location, spec.vm_size, always_nearest=True)
    return AzureRefused(refusal.sentence, refusal.code, refusal.status, verdict.hint)


async def _tag_disk(c: Context) -> None:
    """The disk that a VM PUT makes takes the VM's tags over, and has no tags of its own in the request.

    That is observed and not promised, so it is looked at, and mended.
    """
    disk = _os_disk(c)
    there = await _look(c, disk)
    if there is None or is_ours(there.tags, c.run.id):
        return
    await finished(
        c.azure.compute.disks.begin_update,
        c.names.group,
        c.names.os_disk,
        machine.disk_tags({**(there.tags or {}), **c.run.tags}),
        what=f"tagging {disk.what}",
        kind="snapshot",
        scale=c.azure.scale,
    )


def _belongs(c: Context, disk: Any | None, vm: Any | None) -> bool:
    """Whether the disk is this run's, by its own tags or by those of the VM that it is attached to."""
    if disk is None or vm is None or not is_ours(vm.tags, c.run.id):
        return disk is not None and is_ours(disk.tags, c.run.id)
    return str(disk.managed_by or "").lower() == str(vm.id).lower()


async def _look(c: Context, resource: Resource) -> Any:
    return await found(resource.get, what=f"reading {resource.what}", scale=c.azure.scale)
