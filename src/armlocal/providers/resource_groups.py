"""Resource groups; deleting one takes everything along, in the background."""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING, Any

from armlocal.errors import ArmError, group_being_deleted, group_not_found
from armlocal.ids import GROUP_TYPE
from armlocal.lro import GROUP, Plan
from armlocal.providers.base import Call, Reply
from armlocal.providers.filters import matching, page
from armlocal.providers.regions import regions
from armlocal.state import make_resource

if TYPE_CHECKING:
    from armlocal.providers.base import Routes
    from armlocal.state import Resource

Json = dict[str, Any]
RETRY = (15, 15)
FIRST = ("virtualmachines", "networkinterfaces", "snapshots", "disks", "publicipaddresses", "virtualnetworks")
"""What is deleted first, so that nothing holds what comes after it."""
BUSY = frozenset(
    {"AnotherOperationInProgress", "Conflict", "RetryableError", "StorageAccountOperationInProgress"}
)
BUSY_PAUSE = 5.0
BUSY_TRIES = 60
_NAME = re.compile(r"[\w.()-]{0,89}[\w()-]$")


async def put(call: Call) -> Reply:
    """Makes a group, or changes its tags."""
    name, location = call.id.name, str(call.body.get("location") or "").replace(" ", "").lower()
    old = call.world.group(name)
    if not location:
        message = "The location property is required for this definition."
        raise ArmError(400, "LocationRequired", message, gateway=True)
    _check_location(str(call.body["location"]), location)
    if not _NAME.match(name):
        message = (
            f"The provided resource group name '{name}' is invalid: it has up to 90 letters, "
            "digits, '_', '-', '.', "
            "'(' and ')', and does not end with '.'."
        )
        raise ArmError(400, "InvalidResourceGroup", message, gateway=True)
    if old is not None:
        return _changed(call, old, location)
    body: Json = {"location": location, "properties": {"provisioningState": "Succeeded"}}
    if call.body.get("managedBy"):
        body["managedBy"] = str(call.body["managedBy"])
    group = call.world.add(make_resource(call.id.text, GROUP_TYPE, body))
    _tag(group, call.body)
    return Reply(201, group.body)


def _check_location(sent: str, location: str) -> None:
    """A region that there is. Source: `Test_NewResourceGroup_Error` [0]."""
    if location not in regions():
        message = (
            f"The provided location '{sent}' is not available for resource group. "
            f"List of available regions is '{','.join(regions())}'."
        )
        raise ArmError(400, "LocationNotAvailableForResourceGroup", message, gateway=True)


def _changed(call: Call, group: Resource, location: str) -> Reply:
    if group.state == "Deleting":
        raise group_being_deleted(group.name)
    if group.location != location:
        message = (
            f"Invalid resource group location '{location}'. "
            f"The Resource group already exists in location '{group.location}'."
        )
        raise ArmError(409, "InvalidResourceGroupLocation", message, gateway=True)
    _tag(group, call.body)
    return Reply(200, group.body)


def _tag(group: Resource, body: Json) -> None:
    group.body.pop("tags", None)
    if body.get("tags") is not None:
        group.body["tags"] = dict(body["tags"])


def _found(call: Call) -> Resource:
    group = call.world.group(call.id.name)
    if group is None:
        raise group_not_found(call.id.name)
    return group


async def get(call: Call) -> Reply:
    """The group; one that is being deleted says so."""
    return Reply(200, _found(call).body)


async def head(call: Call) -> Reply:
    """Whether there is such a group: 204, or 404."""
    _found(call)
    return Reply(204)


async def patch(call: Call) -> Reply:
    """Changes the group's tags when the body has some."""
    group = _found(call)
    if group.state == "Deleting":
        raise group_being_deleted(group.name)
    if call.body.get("tags") is not None:
        _tag(group, call.body)
    return Reply(200, group.body)


async def list_groups(call: Call) -> Reply:
    """The groups, sifted by tag, in pages."""
    found = matching(call.world.of_type(GROUP_TYPE), call.query.get("$filter", ""))
    return page(call, [group.body for group in found])


async def delete(call: Call) -> Reply:
    """Takes the group and all in it away; whoever asks again meanwhile is told of the same operation."""
    world, group = call.world, _found(call)
    running = world.operations.running(group, world)
    if running is not None:
        return Reply(202, headers=running.headers(world))
    heavy = any(r.type.lower() == "microsoft.compute/virtualmachines" for r in world.in_group(group.name))
    latency = "resource_group_delete" if heavy else "resource_group_delete_empty"

    async def work() -> None:
        await _empty(call, group)
        world.remove(group.id)

    async def failed() -> None:
        group.state = "Succeeded"

    group.state = "Deleting"
    plan = Plan(latency, work, group, retry=RETRY, failed=failed)
    return Reply(202, headers=(await call.start(GROUP, plan)).headers(world))


async def _empty(call: Call, group: Resource) -> None:
    """Deletes all that is in a group.

    Raises:
        DeletionBlockedError: something could not be deleted.
    """
    refused: list[tuple[Resource, ArmError]] = []
    for resource in sorted(call.world.in_group(group.name), key=_rank):
        if call.world.find(resource.id) is not resource or not _is_deletable(resource):
            continue
        error = await _delete_one(call, resource)
        if error is not None:
            refused.append((resource, error))
    if refused:
        raise DeletionBlockedError(group.name, call.world.new_guid(), refused)


def _rank(resource: Resource) -> int:
    kind = resource.type.split("/")[-1].lower()
    return FIRST.index(kind) if kind in FIRST else len(FIRST)


def _is_deletable(resource: Resource) -> bool:
    """Children go with what they are in."""
    return resource.type.count("/") == 1


async def _delete_one(call: Call, resource: Resource) -> ArmError | None:
    """Deletes one resource, waiting while it is busy; the last refusal when it could not be deleted."""
    refusal: ArmError | None = None
    for _ in range(BUSY_TRIES):
        try:
            await call.router.invoke(call.world, "DELETE", resource.id)
        except ArmError as error:
            refusal = error
            if error.code not in BUSY:
                return error
            await call.world.pause(BUSY_PAUSE)
        else:
            return None
    return refusal


class DeletionBlockedError(ArmError):
    """What the Location answers when a group could not be deleted: ARM's old manner, with capitals.

    Source: `CanCreatePointToSiteConfigurtation` [257].
    """

    def __init__(self, group: str, tracking: str, refused: list[tuple[Resource, ArmError]]) -> None:
        names = ",".join(f"{resource.type}/{resource.name}" for resource, _ in refused)
        message = (
            f"Deletion of resource group '{group}' failed as resources with identifiers '{names}' "
            "could not be "
            "deleted. The provisioning state of the resource group will be rolled back. The tracking Id is "
            f"'{tracking}'. Please check audit logs for more details."
        )
        super().__init__(409, "ResourceGroupDeletionBlocked", message)
        self.refused = refused

    def body(self) -> Json:
        """The body, with its capitals and each refusal as a text of JSON."""
        details = [
            {
                "Code": None,
                "Target": resource.id,
                "Message": json.dumps(error.body(), separators=(",", ":")),
                "Details": None,
                "AdditionalInfo": None,
            }
            for resource, error in self.refused
        ]
        told = {
            "Code": self.code,
            "Target": None,
            "Message": self.message,
            "Details": details,
            "AdditionalInfo": None,
        }
        return {"Error": told}


ROUTES: Routes = {
    f"PUT {GROUP_TYPE}": put,
    f"GET {GROUP_TYPE}": get,
    f"HEAD {GROUP_TYPE}": head,
    f"PATCH {GROUP_TYPE}": patch,
    f"LIST {GROUP_TYPE}": list_groups,
    f"DELETE {GROUP_TYPE}": delete,
}
