"""Microsoft.DevTestLab/schedules: the daily shutdown of a VM that is in no lab.

Source: recording `test_vm_auto_shutdown` of azure-cli (2022): PUT answers 201 for a new schedule and for a
changed one, DELETE 200 with nothing; ids and types come back in small letters. From documents: tags, PATCH,
lists, 204 for a DELETE of nothing (Microsoft's API reference), and that Azure answers 400 to a schedule of a
VM by any other name than `shutdown-computevm-<VM>` (the modules of Azure's own Terraform registry); the
wording of that refusal is not known. No schedule is ever carried out here.
"""

from __future__ import annotations

import copy
from typing import TYPE_CHECKING, Any

from armlocal.errors import ArmError
from armlocal.providers.base import Call, Reply, get_resource, list_resources, required
from armlocal.state import make_resource

if TYPE_CHECKING:
    from armlocal.providers.base import Routes

Json = dict[str, Any]
TYPE = "Microsoft.DevTestLab/schedules"
TASK = "ComputeVmShutdownTask"
QUIET = {"status": "Disabled", "timeInMinutes": 0}


async def _put(call: Call) -> Reply:
    asked = copy.deepcopy(required(call.body, "properties"))
    _check_name(call, asked)
    old = call.world.find(call.id.text)
    made = old.properties if old else {}
    properties = {
        "status": "Disabled",
        **asked,
        "notificationSettings": {**QUIET, **(asked.get("notificationSettings") or {})},
        "createdDate": made.get("createdDate", call.world.timestamp()),
        "provisioningState": "Succeeded",
        "uniqueIdentifier": made.get("uniqueIdentifier", call.world.new_guid()),
    }
    root = f"/subscriptions/{call.id.subscription}/resourcegroups/{call.group}"
    body: Json = {
        "properties": properties,
        "location": call.body["location"],
        "id": f"{root}/providers/{TYPE.lower()}/{call.id.name}",
        "name": call.id.name,
        "type": TYPE.lower(),
    }
    if call.body.get("tags"):
        body["tags"] = dict(call.body["tags"])
    return Reply(201, call.world.add(make_resource(call.id.text, TYPE, body)).body)


def _check_name(call: Call, asked: Json) -> None:
    if required(asked, "taskType") != TASK:
        return
    machine = str(required(asked, "targetResourceId")).rstrip("/").rpartition("/")[2]
    wanted = f"shutdown-computevm-{machine}"
    if call.id.name.lower() != wanted.lower():
        message = f"The schedule of the virtual machine {machine} must be called {wanted}."
        raise ArmError(400, "InvalidScheduleId", message)


async def _patch(call: Call) -> Reply:
    schedule = call.found()
    if "tags" in call.body:
        schedule.body["tags"] = dict(call.body["tags"] or {})
    return Reply(200, schedule.body)


async def _delete(call: Call) -> Reply:
    schedule = call.world.find(call.id.text)
    if schedule is None:
        return Reply(204)
    call.world.remove(schedule.id)
    return Reply(200)


ROUTES: Routes = {
    f"PUT {TYPE}": _put,
    f"PATCH {TYPE}": _patch,
    f"GET {TYPE}": get_resource,
    f"LIST {TYPE}": list_resources,
    f"DELETE {TYPE}": _delete,
}
