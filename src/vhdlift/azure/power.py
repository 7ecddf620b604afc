"""The power state of a VM: read, taken away for a snapshot, given back.

ARM tells it as a status of the instance view, `PowerState/running`; while it changes the code is
`starting`, `stopping` or `deallocating`. Those are waited out, never cut into.
"""

from __future__ import annotations

import asyncio
from functools import partial
from http import HTTPStatus
from shlex import quote
from typing import TYPE_CHECKING, Any, Literal

from vhdlift.azure.ownership import arm_id
from vhdlift.azure.polling import Watch, state_of
from vhdlift.azure.waiting import asked, finished, until
from vhdlift.errors import AzureRefused, Leftover, TookTooLong, VhdliftError

if TYPE_CHECKING:
    from collections.abc import Callable

    from azure.mgmt.compute.models import VirtualMachine

    from vhdlift.azure.clients import Azure

# A stop that was accepted may not show in the power state yet.
_SETTLE_SECONDS = 120.0

Power = Literal["running", "stopped", "deallocated"]

_BECOMES: dict[str, Power] = {
    "running": "running",
    "starting": "running",
    "stopped": "stopped",
    "stopping": "stopped",
    "deallocated": "deallocated",
    "deallocating": "deallocated",
}


async def read_vm(azure: Azure, group: str, name: str) -> VirtualMachine:
    """The VM with its instance view.

    Raises:
        AzureRefused: there is no such VM (status 404), or Azure's own refusal.
    """
    return await asked(
        azure.compute.virtual_machines.get,
        group,
        name,
        expand="instanceView",
        what=f"reading the VM {name}",
        scale=azure.scale,
    )


def power_code(vm: VirtualMachine) -> str:
    """What follows `PowerState/`, in lower case; empty when the service does not say."""
    view = vm.properties.instance_view if vm.properties else None
    for status in (view.statuses if view else None) or []:
        kind, _, value = (status.code or "").partition("/")
        if kind.lower() == "powerstate":
            return value.lower()
    return ""


def power_of(vm: VirtualMachine) -> Power | None:
    """The power state that the VM has, or is on its way to; None when it is not known."""
    return _BECOMES.get(power_code(vm))


async def resting_power(azure: Azure, group: str, name: str) -> Power:
    """The power state once no change of it is under way.

    Raises:
        TookTooLong: it went on changing, or was not told, until the deadline.
        AzureRefused: there is no such VM.
    """
    return _BECOMES[power_code(await _at_rest(azure, group, name))]


async def _at_rest(azure: Azure, group: str, name: str, *, settle_seconds: float = 0) -> VirtualMachine:
    """The VM once no change of its power state is under way.

    Args:
        azure: the clients.
        group: the VM's resource group.
        name: the VM.
        settle_seconds: for so long, at scale 1, a VM that runs and is being changed is not believed to
            stay so. Longer changes than a stop, such as an extension's, leave it running.
    """
    loop = asyncio.get_running_loop()
    settled_at = loop.time() + settle_seconds * azure.scale

    async def look() -> VirtualMachine | None:
        vm = await read_vm(azure, group, name)
        code = power_code(vm)
        if code == "running" and state_of(vm) == "updating" and loop.time() < settled_at:
            return None
        return vm if code in {"running", "stopped", "deallocated"} else None

    return await until(look, what=f"the power state of the VM {name}", scale=azure.scale, kind="vm_stop")


async def stop_vm_to_snapshot(
    azure: Azure, group: str, name: str, how: str, was: Power | None = None
) -> bool:
    """Stop the VM if it runs, so that its disk is at rest; look that it has stopped.

    Args:
        azure: the clients.
        group: the VM's resource group.
        name: the VM.
        how: `deallocate` or `poweroff`.
        was: its power state as the run recorded it, if it did. One that did not run then is not stopped:
            nobody would start it again.

    Returns:
        Whether this call stopped it.

    Raises:
        AzureRefused: it was started since it was recorded (code `SourceStarted`).
        AzureRefused: it runs again although Azure said it stopped.
        VhdliftError: what Azure answered.
    """
    if await resting_power(azure, group, name) != "running":
        return False
    if was not in {None, "running"}:
        raise AzureRefused(
            f"the VM {name} was {was} when this run looked at it, and runs now: somebody has started it",
            "SourceStarted",
            HTTPStatus.CONFLICT,
            "It is left as it is. A new run stops it, and starts it again after the snapshot.",
        )
    machines = azure.compute.virtual_machines
    if how == "poweroff":
        now = await _changed(azure, group, name, machines.begin_power_off, "stopped")
    else:
        now = await _changed(azure, group, name, machines.begin_deallocate, "deallocated")
    if now == "running":
        raise AzureRefused(f"the VM {name} still runs although Azure reported it stopped", "StillRunning")
    return True


async def restart_vm(azure: Azure, group: str, name: str, wanted: Power, *, at_rest: bool = False) -> Power:
    """Give the VM its recorded power state back, whatever state it is in now, and look that it has it.

    Only `running` can be given back: Azure has no way from deallocated to stopped but through a start.

    Args:
        azure: the clients.
        group: the VM's resource group.
        name: the VM.
        wanted: what it was.
        at_rest: it has just been stopped, so that its start need not wait for a look. A start of a VM that
            runs changes nothing.

    Returns:
        The power state it has now; not `wanted` only if that was `stopped` and it is deallocated, or
        somebody else started it.

    Raises:
        TookTooLong: it did not come up.
        VhdliftError: what Azure answered.
    """
    if wanted != "running" or not at_rest:
        vm = await _at_rest(azure, group, name, settle_seconds=_SETTLE_SECONDS)
        now = _BECOMES[power_code(vm)]
        # A start of a VM that runs has Azure forget that an operation on it failed.
        if wanted != "running" or (now == "running" and state_of(vm) != "failed"):
            return now
    now = await _changed(azure, group, name, azure.compute.virtual_machines.begin_start, "running")
    if now != "running":
        raise TookTooLong(f"the VM {name} is {now} although Azure reported it started")
    return now


async def give_back(azure: Azure, group: str, name: str, wanted: Power) -> list[Leftover]:
    """Give the VM its recorded power state back; never raises for what Azure answers.

    Returns:
        The VM as a leftover when it does not have that state again; a VM that its owner deleted is none.
    """
    try:
        now = await restart_vm(azure, group, name, wanted)
    except VhdliftError as error:
        if isinstance(error, AzureRefused) and error.status == HTTPStatus.NOT_FOUND:
            return []
        return [
            not_given_back(azure, group, name, f"it was {wanted} and could not be given that back: {error}")
        ]
    if wanted == "stopped" and now == "deallocated":
        return [
            not_given_back(azure, group, name, "it was stopped with its place kept, and is deallocated now")
        ]
    return []


def not_given_back(azure: Azure, group: str, name: str, reason: str) -> Leftover:
    """The source VM as a leftover, with the command that starts it."""
    resource_id = arm_id(azure, group, f"Microsoft.Compute/virtualMachines/{name}")
    return Leftover(resource_id, reason, f"az vm start --ids {quote(resource_id)}")


async def _changed(azure: Azure, group: str, name: str, begin: Callable[..., Any], wanted: Power) -> Power:
    """Change the power state and return the one that is there then, as read, not as promised.

    A VM that still runs, or still rests, is asked once more: what said that all is done may have been a
    proxy, in place of an Azure that has never heard of it.
    """
    now = await _asked_to_change(azure, group, name, begin, wanted)
    if (now == "running") == (wanted == "running"):
        return now
    return await _asked_to_change(azure, group, name, begin, wanted)


async def _asked_to_change(
    azure: Azure, group: str, name: str, begin: Callable[..., Any], wanted: Power
) -> Power:
    seen = await finished(
        begin,
        group,
        name,
        what=f"{'starting' if wanted == 'running' else 'stopping'} the VM {name}",
        kind="vm_start" if wanted == "running" else "vm_stop",
        scale=azure.scale,
        watch=Watch(
            partial(azure.compute.virtual_machines.get, group, name, expand="instanceView"),
            ready=lambda vm: power_code(vm) == wanted,
        ),
    )
    return (power_of(seen) if seen else None) or await resting_power(azure, group, name)
