"""The schedule that shuts the target VM down every day: a resource of Microsoft.DevTestLab beside the VM.

Azure takes one schedule a VM, called `shutdown-computevm-<VM>`, in the VM's own resource group. It has no
client of its own here: ARM's generic calls do. Source: recording `test_vm_auto_shutdown` of azure-cli, and
Microsoft's template reference of `Microsoft.DevTestLab/schedules`.
"""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Any

from vhdlift.azure.ownership import Resource, arm_id, made
from vhdlift.azure.waiting import finished

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from vhdlift.azure.clients import Azure
    from vhdlift.model import Run

VERSION = "2018-09-15"


def schedule_of(azure: Azure, run: Run) -> Resource:
    """The schedule as a resource of the run."""
    name = run.names.schedule
    resource_id = arm_id(azure, run.names.group, f"Microsoft.DevTestLab/schedules/{name}")
    generic = azure.resources.resources
    return Resource(
        id=resource_id,
        what=f"the shutdown schedule {name}",
        get=partial(generic.get_by_id, resource_id, api_version=VERSION),
        begin_delete=partial(generic.begin_delete_by_id, resource_id, api_version=VERSION),
    )


async def ensure_schedule(
    azure: Azure, run: Run, vm_id: str, ledger: Callable[[str], Awaitable[None]]
) -> str:
    """Have the VM shut down at the time of the settings, every day; returns the schedule's id.

    Args:
        azure: the clients.
        run: whose settings and tags.
        vm_id: the VM.
        ledger: told the schedule's id before it is made.

    Raises:
        AzureRefused: a schedule of that name is somebody else's (code `NotOurs`).
        VhdliftError: what Azure answered.
    """
    schedule = schedule_of(azure, run)

    async def create() -> Any:
        return await finished(
            azure.resources.resources.begin_create_or_update_by_id,
            schedule.id,
            _body(run, vm_id),
            api_version=VERSION,
            what=f"creating {schedule.what}",
            kind="network",
            scale=azure.scale,
        )

    await made(azure, schedule, run.id, ledger, create)
    return schedule.id


def _body(run: Run, vm_id: str) -> dict[str, Any]:
    """The time is `HHMM`; nobody is written to before the shutdown, as nobody may be there to read it."""
    spec = run.spec
    return {
        "location": spec.location,
        "tags": run.tags,
        "properties": {
            "status": "Enabled",
            "taskType": "ComputeVmShutdownTask",
            "dailyRecurrence": {"time": (spec.auto_shutdown or "").replace(":", "")},
            "timeZoneId": spec.auto_shutdown_timezone,
            "notificationSettings": {"status": "Disabled"},
            "targetResourceId": vm_id,
        },
    }
