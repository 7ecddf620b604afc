"""A short script on a running VM, by a managed Run Command: the one way into a VM on which nothing listens.

The service keeps the last 4 KB of what a script prints, and ends it when the resource is deleted. Source:
"Run scripts in your Windows VM by using managed Run Commands", and the REST reference of `runCommands`.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Any

from azure.mgmt.compute import models

from vhdlift.azure.ownership import Resource, arm_id, delete_ours, made
from vhdlift.azure.values import text
from vhdlift.azure.waiting import asked, finished
from vhdlift.errors import AzureRefused

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from vhdlift.azure.clients import Azure
    from vhdlift.errors import Leftover
    from vhdlift.model import Run

SECONDS = 120
"""After which the service ends a script; a wait inside the VM, so it is not scaled."""


@dataclass(frozen=True)
class Printed:
    """What a script printed, its last 4 KB at most, and what of the command could not be removed."""

    output: str
    left: list[Leftover]


async def run_on_vm(
    azure: Azure, run: Run, purpose: str, script: str, ledger: Callable[[str], Awaitable[None]]
) -> Printed:
    """Run a script as SYSTEM on the run's target VM, wait for its end, and remove the command again.

    Args:
        azure: the clients.
        run: whose VM it is, and whose tags the command carries.
        purpose: one word for the command's name; one command of a name is there at a time.
        script: PowerShell, without a secret: whoever may read the VM may read it.
        ledger: told the command's id before it is created.

    Raises:
        AzureRefused: the script failed (code `ScriptFailed`), with what it said; or a command of that name is
            there that this run did not make (`NotOurs`); or Azure's own refusal.
        VhdliftError: what Azure answered, or that it did not answer in time.
    """
    command = command_of(azure, run, purpose)
    await delete_ours(azure, command, run.id)  # of a process that was killed: it would not be run again
    try:
        await made(azure, command, run.id, ledger, partial(_create, azure, run, purpose, script, command))
        view = await _view(azure, command)
    finally:
        left = await delete_ours(azure, command, run.id)
    _assert_ended_well(command, view)
    return Printed(str(view.output or ""), left)


def command_of(azure: Azure, run: Run, purpose: str) -> Resource:
    """The command as a resource of the run."""
    commands = azure.compute.virtual_machine_run_commands
    place = (run.names.group, run.names.vm, f"vhdlift-{purpose}")
    path = f"Microsoft.Compute/virtualMachines/{run.names.vm}/runCommands/vhdlift-{purpose}"
    return Resource(
        id=arm_id(azure, run.names.group, path),
        what=f"the command vhdlift-{purpose} on the VM {run.names.vm}",
        get=partial(commands.get_by_virtual_machine, *place),
        begin_delete=partial(commands.begin_delete, *place),
        kind="run_command",
    )


async def _create(azure: Azure, run: Run, purpose: str, script: str, command: Resource) -> Any:
    body = models.VirtualMachineRunCommand(
        {
            "location": run.spec.location,
            "tags": run.tags,
            "properties": {"source": {"script": script}, "timeoutInSeconds": SECONDS},
        }
    )
    return await finished(
        azure.compute.virtual_machine_run_commands.begin_create_or_update,
        run.names.group,
        run.names.vm,
        f"vhdlift-{purpose}",
        body,
        what=f"running {command.what}",
        kind="run_command",
        scale=azure.scale,
    )


async def _view(azure: Azure, command: Resource) -> Any:
    """What came of the script, apart from what came of the command.

    Raises:
        AzureRefused: Azure does not say.
    """
    what = f"reading {command.what}"
    there = await asked(command.get, what=what, scale=azure.scale, kind="probe", expand="instanceView")
    view = there.properties.instance_view if there.properties else None
    if view is None:
        raise AzureRefused(f"{what}: Azure does not say what it printed", "NoInstanceView")
    return view


def _assert_ended_well(command: Resource, view: Any) -> None:
    state = text(view.execution_state)
    if state.lower() == "succeeded" and not view.exit_code:
        return
    said = view.error or view.execution_message or view.output or "it said nothing"
    raise AzureRefused(f"{command.what} ended as {state or 'unknown'}: {said}", "ScriptFailed")
