"""Starting and stopping virtual machines.

Source: recordings `test_invoke_action` (deallocate), `test_vm_create_state_modifications` (start, powerOff,
restart): always 202 without a body, both polling addresses, the Location empty at the end.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from armlocal.lro import COMPUTE_VM, Plan
from armlocal.providers.base import Call, Reply
from armlocal.providers.compute_bodies import AGENT_READY
from armlocal.providers.compute_disks import attach
from armlocal.providers.compute_vms import VM

if TYPE_CHECKING:
    from armlocal.providers.base import Handler, Routes
    from armlocal.state import Resource, World


@dataclass(frozen=True)
class Action:
    """One action.

    Attributes:
        latency: its name in `latencies.json`.
        during: the power state while it runs.
        after: the power state after it.
        disk: the disk's state after it.
        retry: recorded Retry-After.
        boots: the system starts anew.
    """

    latency: str
    during: str
    after: str
    disk: str = "Attached"
    retry: tuple[float | None, ...] = (None,)
    boots: bool = False


ACTIONS = {
    "deallocate": Action("vm_deallocate", "deallocating", "deallocated", "Reserved", (10, None)),
    "powerOff": Action("vm_power_off", "stopping", "stopped"),
    "start": Action("vm_start", "starting", "running", retry=(10, 9, None), boots=True),
    "restart": Action("vm_restart", "running", "running", boots=True),
}


def _handler(action: Action) -> Handler:
    async def handle(call: Call) -> Reply:
        world, vm = call.world, call.found()
        call.refuse_if_busy(vm)
        before = vm.private["power"]
        if before != action.after:
            vm.private["power"] = action.during

        async def work() -> None:
            if before != action.after or action.latency == "vm_restart":
                await world.guest.stop(vm.id)
            _reach(world, vm, action, before)

        async def failed() -> None:
            vm.private["power"] = before

        plan = Plan(
            action.latency, work, vm, "Updating", with_location=True, retry=action.retry, failed=failed
        )
        operation = await call.start(COMPUTE_VM, plan)
        return Reply(202, None, operation.headers(world))

    return handle


def _reach(world: World, vm: Resource, action: Action, before: str) -> None:
    """Puts the machine and its disk into the state after the action."""
    vm.private |= {"power": action.after, "changed": world.timestamp()}
    if action.boots and before != "running":
        vm.private["agent_from"] = world.clock.monotonic() + world.scaled(AGENT_READY)
    disk = vm.properties["storageProfile"]["osDisk"].get("managedDisk", {}).get("id", "")
    attach(world, disk, vm.id, action.disk)


ROUTES: Routes = {f"POST {VM}/{name}": _handler(action) for name, action in ACTIONS.items()}
