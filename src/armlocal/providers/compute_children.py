"""What lives on a virtual machine: it is made and changed only while the machine runs."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from armlocal.errors import resource_not_found
from armlocal.providers.compute_refusals import refusal
from armlocal.state import make_resource

if TYPE_CHECKING:
    from armlocal.providers.base import Call
    from armlocal.state import Resource


def running_machine(call: Call) -> Resource:
    """The machine, which must be running.

    Raises:
        ArmError: 409, as quoted from the live service; no recording has it.
    """
    vm = call.world.find(call.id.parent.text)
    if vm is None:
        raise resource_not_found(call.type.rpartition("/")[0], call.id.parent.name, call.group)
    call.refuse_if_busy(vm)
    if vm.private["power"] != "running":
        raise refusal("vm_not_running")
    return vm


def old_child(call: Call) -> Resource | None:
    """What has the asked-for id already, which must not be under change."""
    old = call.world.find(call.id.text)
    if old is not None:
        call.refuse_if_busy(old)
    return old


def write_child(
    call: Call, kind: str, vm: Resource, old: Resource | None, properties: dict[str, Any]
) -> Resource:
    """It in the world: a new one, or the old one with its new body."""
    body: dict[str, Any] = {"location": call.body.get("location") or vm.location, "properties": properties}
    if call.body.get("tags"):
        body["tags"] = call.body["tags"]
    made = make_resource(call.id.text, kind, body)
    if old is None:
        return call.world.add(made)
    old.body = {**made.body, "id": old.id, "name": old.name}
    return old
