"""Microsoft.Compute/virtualMachines: made, changed, read and deleted.

Source: recordings `Test_Compute_VM_20201201_CRUD` [15]-[18], [39]-[42] (PUT, DELETE and their polls),
`test_vm_user_update_win` (Windows), `test_delete_dependent_resources` (what a delete leaves).
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from armlocal.errors import resource_not_found
from armlocal.lro import COMPUTE_VM, Plan
from armlocal.providers.base import Call, Reply
from armlocal.providers.compute_bodies import (
    AGENT_READY,
    instance_view,
    machine_body,
    with_resources,
)
from armlocal.providers.compute_checks import check_machine, check_size, disk_id
from armlocal.providers.compute_disks import GIB, attach, data_properties, make_disk
from armlocal.providers.compute_refusals import refusal
from armlocal.state import make_resource

if TYPE_CHECKING:
    from armlocal.providers.base import Routes
    from armlocal.providers.compute_checks import Checked
    from armlocal.state import Resource, World

Json = dict[str, Any]
VM = "Microsoft.Compute/virtualMachines"
CHANGEABLE = ("diagnosticsProfile", "licenseType", "securityProfile")
"""Beside size and tags, what an update may set. Source: `Test_Compute_VM_20201201_CRUD` [20]."""
CREATE_RETRY = (10, 35, 4)
DELETE_RETRY = (10, 30)


async def _put(call: Call) -> Reply:
    old = call.world.find(call.id.text)
    if old is not None:
        return await _update(call, old)
    checked = check_machine(call)
    vm = _make(call, checked)
    first = with_resources(call.world, vm)

    async def work() -> None:
        _booted(call.world, vm)

    async def failed() -> None:
        vm.private["power"] = "stopped"

    plan = Plan(_create_latency(vm), work, vm, "Creating", retry=CREATE_RETRY, failed=failed)
    reply = Reply(201, first)
    _give_disk(call, vm, checked)
    reply.headers |= (await call.start(COMPUTE_VM, plan)).headers(call.world)
    return reply


def _make(call: Call, checked: Checked) -> Resource:
    """The machine in the world, with its interfaces taken; its disk comes next."""
    world = call.world
    body = machine_body(call.body, checked, world.new_guid(), world.timestamp())
    vm = world.add(make_resource(call.id.text, VM, body))
    generation = checked.image.generation if checked.image else ""
    if checked.disk is not None:
        generation = str(checked.disk.properties.get("hyperVGeneration", "V1"))
    vm.private |= {
        "power": "starting",
        "generation": generation,
        "changed": world.timestamp(),
        "agent_from": 0.0,
    }
    for nic in checked.nics:
        nic.properties["virtualMachine"] = {"id": vm.id}
        nic.reserved_for = None
    return vm


def _give_disk(call: Call, vm: Resource, checked: Checked) -> None:
    """Makes the OS disk, or takes the one that was named; it shows in the machine's next GET."""
    os_disk = vm.properties["storageProfile"]["osDisk"]
    if checked.disk is not None:
        os_disk |= {"name": checked.disk.name, "diskSizeGB": checked.disk.properties["diskSizeGB"]}
        attach(call.world, checked.disk.id, vm.id, "Attached")
        return
    asked = (call.body["properties"].get("storageProfile") or {}).get("osDisk") or {}
    name = asked.get("name") or f"{vm.name}_OsDisk_1_{call.world.new_guid().replace('-', '')}"
    made = make_disk(
        call.world,
        disk_id(call, name),
        vm.location,
        os_disk["managedDisk"]["storageAccountType"],
        _os_disk_properties(call, vm, os_disk["diskSizeGB"] * GIB),
    )
    vm.properties["storageProfile"]["osDisk"] = {
        "osType": "Windows",
        "name": name,
        **os_disk,
        "managedDisk": {**os_disk["managedDisk"], "id": made.id},
    }
    attach(call.world, made.id, vm.id, "Attached")


def _os_disk_properties(call: Call, vm: Resource, size: int) -> Json:
    image = vm.properties["storageProfile"]["imageReference"]
    path = "/Publishers/{publisher}/ArtifactTypes/VMImage/Offers/{offer}/Skus/{sku}/Versions/{exactVersion}"
    root = f"/Subscriptions/{call.id.subscription}/Providers/Microsoft.Compute/Locations/{vm.location}"
    reference = {"id": root + path.format(**image)}
    properties: Json = {
        "osType": "Windows",
        "hyperVGeneration": vm.private["generation"],
        "supportsHibernation": True,
        "supportedCapabilities": {
            "diskControllerTypes": "SCSI, NVMe",
            "acceleratedNetwork": True,
            "architecture": "x64",
        },
        **data_properties(call.world, {"createOption": "FromImage", "imageReference": reference}, size),
    }
    security = vm.properties.get("securityProfile") or {}
    if security.get("securityType"):
        properties["securityProfile"] = {"securityType": security["securityType"]}
    return properties


def _create_latency(vm: Resource) -> str:
    security = vm.properties.get("securityProfile") or {}
    trusted = security.get("securityType") == "TrustedLaunch"
    return "vm_create_windows_trusted_launch" if trusted else "vm_create_windows"


def _booted(world: World, vm: Resource) -> None:
    vm.private |= {
        "power": "running",
        "made": True,
        "changed": world.timestamp(),
        "agent_from": world.clock.monotonic() + world.scaled(AGENT_READY),
    }
    _next_etag(vm)


def _next_etag(vm: Resource) -> None:
    number = int(str(vm.body["etag"]).strip('"')) + 1
    vm.body["etag"] = f'"{number}"'


async def _update(call: Call, vm: Resource) -> Reply:
    """PUT of a machine that is there: tags and size change, what it was made from does not."""
    call.refuse_if_busy(vm)
    asked = call.body.get("properties") or {}
    _refuse_changes(vm, asked)
    if asked.get("hardwareProfile"):
        vm.properties["hardwareProfile"] = {"vmSize": check_size(call, asked).name}
    vm.properties.update({key: asked[key] for key in CHANGEABLE if asked.get(key) is not None})
    return await _change(call, vm, "vm_update")


async def _change(call: Call, vm: Resource, latency: str) -> Reply:
    if "tags" in call.body:
        vm.body["tags"] = dict(call.body["tags"] or {})

    async def work() -> None:
        vm.private["changed"] = call.world.timestamp()
        _next_etag(vm)

    operation = await call.start(COMPUTE_VM, Plan(latency, work, vm, "Updating"))
    told = operation.headers(call.world) | {"ETag": str(vm.body["etag"])}
    return Reply(200, with_resources(call.world, vm), told)


def _refuse_changes(vm: Resource, asked: Json) -> None:
    paths = (
        ("storageProfile", "imageReference", "sku"),
        ("osProfile", "adminUsername"),
        ("osProfile", "computerName"),
    )
    for path in paths:
        old, new = _at(vm.properties, path), _at(asked, path)
        if new is not None and new != old:
            name = ".".join(path[:2])
            raise refusal("property_fixed", name=name)


def _at(value: Any, path: tuple[str, ...]) -> Any:
    for key in path:
        value = (value or {}).get(key)
    return value


async def _patch(call: Call) -> Reply:
    vm = call.found()
    call.refuse_if_busy(vm)
    return await _change(call, vm, "vm_patch")


async def _get(call: Call) -> Reply:
    """GET; only the machine without its instance view was recorded with an ETag header."""
    vm = call.found()
    body = with_resources(call.world, vm)
    if "instanceview" in call.query.get("$expand", "").lower():
        view = instance_view(call.world, vm)
        return Reply(200, {**body, "properties": {**body["properties"], "instanceView": view}})
    return Reply(200, body, {"ETag": str(body["etag"])})


async def _view(call: Call) -> Reply:
    vm = call.world.find(call.id.parent.text)
    if vm is None:
        raise resource_not_found(VM, call.id.parent.name, call.group)
    return Reply(200, instance_view(call.world, vm))


async def _list(call: Call) -> Reply:
    found = call.world.of_type(VM, call.id.group)
    return Reply(200, {"value": [with_resources(call.world, vm) for vm in found]})


async def _delete(call: Call) -> Reply:
    """DELETE: preempts whatever runs on the machine."""
    world = call.world
    vm = world.find(call.id.text)
    if vm is None:
        return Reply(204)
    under_way = world.operations.running(vm, world)
    if under_way is not None and vm.state == "Deleting":
        return Reply(202, None, under_way.headers(world))
    for busy in (vm, *world.children(vm.id)):
        world.operations.abandon(busy, world)

    async def work() -> None:
        await world.guest.stop(vm.id)
        _release(world, vm)
        world.remove(vm.id)

    plan = Plan("vm_delete", work, vm, "Deleting", with_location=True, retry=DELETE_RETRY)
    operation = await call.start(COMPUTE_VM, plan)
    return Reply(202, None, operation.headers(world))


def _release(world: World, vm: Resource) -> None:
    """What becomes of the disk and the interfaces: deleted with the machine, or free again.

    The interface of a machine that ran is free at once: `Test_MachineLearning_Workspaces_20240401_CRUD` [67].
    That of one that never came up is kept for it a while, as operators report.
    """
    os_disk = vm.properties["storageProfile"]["osDisk"]
    owned = (os_disk.get("managedDisk") or {}).get("id", "")
    if os_disk.get("deleteOption") == "Delete":
        world.remove(owned)
        world.disks.remove(owned)
    else:
        attach(world, owned, None, "Unattached")
    for reference in vm.properties["networkProfile"]["networkInterfaces"]:
        nic = world.find(reference["id"])
        if nic is None:
            continue
        if (reference.get("properties") or {}).get("deleteOption") == "Delete":
            world.remove(nic.id)
            continue
        nic.properties.pop("virtualMachine", None)
        if not vm.private.get("made"):
            world.reserve_nic(nic, vm.id)


ROUTES: Routes = {
    f"PUT {VM}": _put,
    f"PATCH {VM}": _patch,
    f"GET {VM}": _get,
    f"LIST {VM}": _list,
    f"LIST {VM}/instanceView": _view,
    f"DELETE {VM}": _delete,
}
