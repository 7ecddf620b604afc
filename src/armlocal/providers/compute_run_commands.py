"""Managed Run Commands: scripts that a running machine runs as SYSTEM, and what they printed.

Source: the reference of `Microsoft.Compute/virtualMachines/runCommands`, 2024-07-01 (bodies, status codes,
states) and Microsoft's page "Run scripts in your Windows VM by using managed Run Commands" (4 KB of output,
the states of provisioning and of execution apart, deletion). Its time is that of the recorded action Run
Command; no recording has the managed one, and the refusal on a machine that is off is that of extensions. Not
played: parameters, another user, output blobs, `asyncExecution`, `treatFailureAsDeploymentFailure`.
"""

from __future__ import annotations

import asyncio
import copy
from typing import TYPE_CHECKING, Any

from armlocal.lro import COMPUTE_VM, Plan
from armlocal.providers.base import Call, Reply, list_resources, required
from armlocal.providers.compute_children import old_child, running_machine, write_child

if TYPE_CHECKING:
    from armlocal.parts import CommandResult
    from armlocal.providers.base import Routes
    from armlocal.state import Resource, World

Json = dict[str, Any]
RUN_COMMAND = "Microsoft.Compute/virtualMachines/runCommands"
_KEPT = 4096
_LONGEST_SECONDS = 90 * 60
_LEAST_SECONDS = 5.0


async def _put(call: Call) -> Reply:
    world = call.world
    vm = running_machine(call)
    asked = copy.deepcopy(required(call.body, "properties"))
    script = str(required(asked, "source", "script"))
    old = old_child(call)
    command = _write(call, vm, old, asked)
    command.private["view"] = {"executionState": "Pending", "exitCode": 0, "output": "", "error": ""}

    async def run() -> None:
        command.private["view"] = {"executionState": "Running", "startTime": world.timestamp()}
        seconds = float(asked.get("timeoutInSeconds") or _LONGEST_SECONDS)
        command.private["view"] |= await _run(world, vm, script, seconds)
        command.private["view"]["endTime"] = world.timestamp()

    async def work() -> None:
        """What the script did is not the operation's affair: it was run, so provisioning succeeded."""

    plan = Plan(
        "vm_run_command",
        work,
        command,
        "Updating" if old else "Creating",
        location=vm.location,
        alongside=run,
    )
    operation = await call.start(COMPUTE_VM, plan)
    return Reply(200 if old else 201, command.body, operation.headers(world))


def _write(call: Call, vm: Resource, old: Resource | None, asked: Json) -> Resource:
    properties = {
        "source": asked["source"],
        "asyncExecution": False,
        "timeoutInSeconds": int(asked.get("timeoutInSeconds") or 0),
        "provisioningState": "Creating",
    }
    return write_child(call, RUN_COMMAND, vm, old, properties)


async def _run(world: World, vm: Resource, script: str, seconds: float) -> Json:
    """The script's part of the instance view; the end of what it printed is kept."""
    try:
        async with asyncio.timeout(world.scaled(seconds) + _LEAST_SECONDS):
            result = await world.guest.run_command(vm, script)
    except TimeoutError:
        return {"executionState": "TimedOut", "exitCode": -1, "output": "", "error": ""}
    return _view(result)


def _view(result: CommandResult) -> Json:
    return {
        "executionState": "Failed" if result.exit_code else "Succeeded",
        "exitCode": result.exit_code,
        "output": result.output[-_KEPT:],
        "error": result.error[-_KEPT:],
    }


async def _get(call: Call) -> Reply:
    command = call.found()
    body = copy.deepcopy(command.body)
    if str(call.query.get("$expand", "")).lower() == "instanceview":
        body["properties"]["instanceView"] = command.private["view"]
    return Reply(200, body)


async def _delete(call: Call) -> Reply:
    world = call.world
    command = world.find(call.id.text)
    if command is None:
        return Reply(204)
    running_machine(call)
    call.refuse_if_busy(command)

    async def work() -> None:
        world.remove(command.id)

    plan = Plan("vm_extension_delete", work, command, "Deleting", with_location=True)
    operation = await call.start(COMPUTE_VM, plan)
    return Reply(202, None, operation.headers(world))


ROUTES: Routes = {
    f"PUT {RUN_COMMAND}": _put,
    f"GET {RUN_COMMAND}": _get,
    f"LIST {RUN_COMMAND}": list_resources,
    f"DELETE {RUN_COMMAND}": _delete,
}
