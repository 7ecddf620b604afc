"""Microsoft.Compute disks and snapshots: made by reference, exported by SAS, refused while in use.

Source: recordings `Test_Compute_Disk_20240302_CRUD`, `test_disk_trusted_launch`, `test_snapshot_access`,
`test_vm_snapshot_copy_start_detection`, `test_delete_dependent_resources`.
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

from armlocal.errors import ArmError, resource_not_found
from armlocal.ids import parse_id
from armlocal.lro import COMPUTE_DISK, Plan
from armlocal.providers.base import Call, Reply, required
from armlocal.providers.compute_refusals import refusal
from armlocal.providers.compute_tiers import performance, tier
from armlocal.state import make_resource

if TYPE_CHECKING:
    from armlocal.providers.base import Routes
    from armlocal.state import Resource, World

Json = dict[str, Any]
DISK = "Microsoft.Compute/disks"
SNAPSHOT = "Microsoft.Compute/snapshots"
GIB = 1024**3
_WORD = {DISK: "Disk", SNAPSHOT: "Snapshot"}
_INHERITED = ("osType", "hyperVGeneration", "supportsHibernation", "supportedCapabilities", "securityProfile")
_MADE = ("diskIOPSReadWrite", "diskMBpsReadWrite")
"""What only the kinds of disk that are not carried let a client choose: `test_disk_access` [14]."""
_SETTABLE = ("networkAccessPolicy", "publicNetworkAccess", "diskAccessId")


def data_properties(world: World, creation: Json, size_bytes: int) -> Json:
    """The properties that all disks and snapshots have, but what they inherit."""
    return {
        "creationData": creation,
        "diskSizeGB": -(-size_bytes // GIB),
        "encryption": {"type": "EncryptionAtRestWithPlatformKey"},
        "networkAccessPolicy": "AllowAll",
        "publicNetworkAccess": "Enabled",
        "timeCreated": world.timestamp(),
        "provisioningState": "Succeeded",
        "diskState": "Unattached",
        "diskSizeBytes": size_bytes,
        "uniqueId": world.new_guid(),
    }


def settle(world: World, resource: Resource) -> None:
    """Ends an export whose time is over: the state goes back to what it was."""
    until = resource.private.get("export_until")
    if until is not None and until <= world.clock.monotonic():
        _end_export(resource)


def _end_export(resource: Resource) -> None:
    resource.private.pop("export_until", None)
    resource.properties["diskState"] = resource.private.pop("state_before_export", "Unattached")


def _found(call: Call) -> Resource:
    """The disk or snapshot; just after its deletion the 404 is the provider's own."""
    resource = call.world.find(call.id.text)
    if resource is not None:
        settle(call.world, resource)
        return resource
    if call.world.is_ghost(call.id.text):
        raise ArmError(404, "NotFound", f"{_WORD[call.type]} {call.id.name} is not found.")
    raise resource_not_found(call.type, call.id.name, call.group)


async def _get(call: Call) -> Reply:
    return Reply(200, _found(call).body)


async def _list(call: Call) -> Reply:
    found = call.world.of_type(call.type, call.id.group)
    for resource in found:
        settle(call.world, resource)
    return Reply(200, {"value": [resource.body for resource in found]})


def _source(call: Call, creation: Json) -> Resource:
    """What a Copy is made from.

    Raises:
        ArmError: 404, also when it lies in another region (recorded).
    """
    source_id = str(required({"creationData": creation}, "creationData", "sourceResourceId"))
    source = call.world.find(source_id)
    ready = source is not None and "diskSizeBytes" in source.properties
    if source is None or not ready or source.location != call.body.get("location"):
        name = source_id.rstrip("/").rsplit("/", 1)[-1]
        raise refusal("disk_missing", name=name)
    call.refuse_if_busy(source)
    return source


def _new_properties(call: Call, creation: Json, source: Resource | None) -> Json:
    asked = call.body.get("properties") or {}
    size = int(asked.get("diskSizeGB") or 0) * GIB
    if source is not None:
        creation["sourceUniqueId"] = source.properties.get("uniqueId")
        size = max(size, int(source.properties["diskSizeBytes"]))
    if size <= 0:
        raise refusal("disk_no_size")
    inherited = {k: source.properties[k] for k in _INHERITED if source and k in source.properties}
    properties = {**inherited, **data_properties(call.world, creation, size)}
    given = (*_SETTABLE, "incremental", "securityProfile", "osType", "hyperVGeneration")
    return properties | {k: asked[k] for k in given if k in asked}


async def _put(call: Call) -> Reply:
    """PUT: 202, first with what was asked for and Updating alone, the whole when it is done."""
    old = call.world.find(call.id.text)
    if old is not None:
        call.refuse_if_busy(old)
        return await _update(call, old)
    creation = dict(required(call.body, "properties", "creationData"))
    option = str(creation.get("createOption", ""))
    if option not in ("Empty", "Copy"):
        raise refusal("disk_option", option=option)
    source = _source(call, creation) if option == "Copy" else None
    properties = _new_properties(call, creation, source)
    asked = {**(call.body.get("properties") or {}), "provisioningState": "Updating"}
    name = str((call.body.get("sku") or {}).get("name") or "Standard_LRS")
    first = {**call.body, "properties": asked, "sku": {"name": name}}
    resource = call.world.add(make_resource(call.id.text, call.type, first))

    async def work() -> Json:
        if source is not None:
            await asyncio.to_thread(_copy_bytes, call.world, source, resource)
        resource.body["sku"] = {"name": name, "tier": tier(name)}
        resource.body["properties"] = {**properties, **_extras(call.type, name, properties["diskSizeGB"])}
        return resource.body

    kind = "snapshot" if call.type == SNAPSHOT else "disk"
    plan = Plan(
        f"{kind}_create_{option.lower()}", work, resource, "Updating", with_location=True, retry=(2, None)
    )
    operation = await call.start(COMPUTE_DISK, plan)
    return Reply(202, resource.body, operation.headers(call.world))


def _copy_bytes(world: World, source: Resource, target: Resource) -> None:
    """The source's bytes, where it has any. Every image is the same small Windows here, written when read."""
    from_image = source.properties.get("creationData", {}).get("createOption") == "FromImage"
    if from_image and not world.disks.has(source.id):
        world.disks.plant_source(source.id)
    if world.disks.has(source.id):
        world.disks.snapshot(source.id, target.id)


def _extras(type_: str, sku: str, size_gb: int) -> Json:
    """What only snapshots have, or only disks."""
    if type_ == SNAPSHOT:
        return {"incremental": False, "snapshotAccessState": "Available"}
    return performance(sku, size_gb)


async def _update(call: Call, resource: Resource) -> Reply:
    """PUT of what is there, and PATCH: tags, kind, size and access, and nothing that would change data.

    Answered like a new one, with what was asked for: `Test_Compute_Disk_20240302_CRUD` [6].
    """
    asked = call.body.get("properties") or {}
    size = int(asked.get("diskSizeGB") or 0)
    if 0 < size < int(resource.properties["diskSizeGB"]):
        raise refusal("disk_shrinks", name=resource.name, size=size, old=resource.properties["diskSizeGB"])
    name = str((call.body.get("sku") or {}).get("name") or resource.body["sku"]["name"])
    first = {
        **{key: resource.body[key] for key in ("name", "id", "type", "location")},
        **call.body,
        "properties": {
            **{key: value for key, value in asked.items() if key not in _MADE},
            "provisioningState": "Updating",
            **_tier_of(resource, name, size),
        },
        "sku": {"name": name},
    }

    async def work() -> Json:
        _change(call, resource, name)
        return resource.body

    plan = Plan("disk_create_empty", work, resource, "Updating", with_location=True, retry=(2, None))
    operation = await call.start(COMPUTE_DISK, plan)
    return Reply(202, first, operation.headers(call.world))


def _tier_of(resource: Resource, sku: str, size: int) -> Json:
    """The tier that a Premium disk will have, which an update tells at once."""
    told = performance(sku, size or int(resource.properties["diskSizeGB"]))
    return {"tier": told["tier"]} if resource.type == DISK and "tier" in told else {}


def _change(call: Call, resource: Resource, sku: str) -> None:
    """What an update may set, in the resource."""
    asked = call.body.get("properties") or {}
    if "tags" in call.body:
        resource.body["tags"] = dict(call.body["tags"] or {})
    resource.body["sku"] = {"name": sku, "tier": tier(sku)}
    resource.properties.update({key: asked[key] for key in _SETTABLE if key in asked})
    size = int(asked.get("diskSizeGB") or resource.properties["diskSizeGB"])
    if size != resource.properties["diskSizeGB"]:
        resource.properties.update({"diskSizeGB": size, "diskSizeBytes": size * GIB})
    if resource.type == DISK:
        resource.properties.update(performance(sku, size))


async def _patch(call: Call) -> Reply:
    resource = _found(call)
    call.refuse_if_busy(resource)
    return await _update(call, resource)


async def _delete(call: Call) -> Reply:
    world = call.world
    resource = world.find(call.id.text)
    if resource is None:
        return Reply(204)
    call.refuse_if_busy(resource)
    settle(world, resource)
    _refuse_in_use(resource)

    async def work() -> None:
        world.remove(resource.id)
        world.leave_ghost(resource.id)
        await asyncio.to_thread(world.disks.remove, resource.id)

    latency = "snapshot_delete" if call.type == SNAPSHOT else "disk_delete"
    operation = await call.start(COMPUTE_DISK, Plan(latency, work, resource, "Deleting", with_location=True))
    return Reply(202, None, operation.headers(world))


def _refuse_in_use(resource: Resource) -> None:
    """409 while a VM has the disk (recorded) or an export is granted (documented; no recording has it)."""
    owner = resource.body.get("managedBy")
    if owner:
        raise refusal("disk_attached", name=resource.name, owner=owner)
    if resource.properties.get("diskState") == "ActiveSAS":
        raise refusal("disk_exported", kind=_WORD[resource.type].lower(), name=resource.name)


async def _begin_access(call: Call) -> Reply:
    world, resource = call.world, _found(call)
    call.refuse_if_busy(resource)
    access, seconds = required(call.body, "access"), int(required(call.body, "durationInSeconds"))
    if access not in ("Read", "Write") or seconds <= 0:
        raise refusal("access_value")
    if resource.properties.get("diskState") == "Attached":
        raise refusal("disk_in_use_by_running", name=resource.name, owner=resource.body["managedBy"])

    async def work() -> Json:
        resource.private.setdefault("state_before_export", resource.properties["diskState"])
        resource.private["export_until"] = world.clock.monotonic() + seconds
        resource.properties["diskState"] = "ActiveSAS"
        return {"accessSAS": world.base_url + world.exports.grant(resource.id, seconds)}

    kind = "snapshot" if call.type == SNAPSHOT else "disk"
    operation = await call.start(
        COMPUTE_DISK, Plan(f"{kind}_begin_get_access", work, resource, with_location=True)
    )
    return Reply(202, None, operation.headers(world))


async def _end_access(call: Call) -> Reply:
    world, resource = call.world, _found(call)
    call.refuse_if_busy(resource)

    async def work() -> None:
        world.exports.revoke(resource.id)
        if resource.properties.get("diskState") == "ActiveSAS":
            _end_export(resource)

    kind = "snapshot" if call.type == SNAPSHOT else "disk"
    operation = await call.start(
        COMPUTE_DISK, Plan(f"{kind}_end_get_access", work, resource, with_location=True)
    )
    return Reply(202, None, operation.headers(world))


def attach(world: World, disk_id: str, vm_id: str | None, state: str) -> None:
    """Says on the disk which VM has it, and in what state that leaves it; None takes it away from all."""
    disk = world.find(disk_id)
    if disk is None:
        return
    if vm_id is None:
        disk.body.pop("managedBy", None)
    else:
        disk.body["managedBy"] = vm_id
        disk.properties.setdefault("LastOwnershipUpdateTime", world.timestamp())
    disk.properties["diskState"] = state


def make_disk(world: World, disk_id: str, location: str, sku: str, properties: Json) -> Resource:
    """A disk that a VM brings with it."""
    body = {
        "name": parse_id(disk_id).name,
        "location": location,
        "sku": {"name": sku, "tier": tier(sku)},
        "properties": {**properties, **performance(sku, properties["diskSizeGB"])},
    }
    return world.add(make_resource(disk_id, DISK, body))


ROUTES: Routes = {
    f"{method} {type_}{action}": handler
    for type_ in (DISK, SNAPSHOT)
    for method, action, handler in (
        ("PUT", "", _put),
        ("GET", "", _get),
        ("LIST", "", _list),
        ("PATCH", "", _patch),
        ("DELETE", "", _delete),
        ("POST", "/beginGetAccess", _begin_access),
        ("POST", "/endGetAccess", _end_access),
    )
}
