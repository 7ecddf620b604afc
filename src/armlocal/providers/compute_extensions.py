"""Extensions of virtual machines: what they run, and how that ends.

Source: recordings `ManageVirtualMachineExtensionTest` (CustomScriptExtension), `test_vm_user_update_win`,
`Test_Compute_VM_20201201_CRUD` [33]-[37] (DELETE),
`test_vm_disk_encryption_with_encryption_identity_not_acled_in_keyvaulte2e` [36] (failure). The text of a
failed command is the one of Microsoft's troubleshooting page.
"""

from __future__ import annotations

import copy
from typing import TYPE_CHECKING, Any

from armlocal.lro import COMPUTE_VM, Plan
from armlocal.parts import ExtensionResult
from armlocal.providers.base import Call, Reply, required
from armlocal.providers.compute_bodies import EXTENSION
from armlocal.providers.compute_children import old_child, running_machine, write_child
from armlocal.providers.compute_refusals import refusal

if TYPE_CHECKING:
    from armlocal.errors import ArmError
    from armlocal.providers.base import Routes
    from armlocal.state import Resource

Json = dict[str, Any]
SCRIPT = ("microsoft.compute", "customscriptextension")


async def _put(call: Call) -> Reply:
    world = call.world
    vm = running_machine(call)
    asked = copy.deepcopy(required(call.body, "properties"))
    protected = asked.pop("protectedSettings", None) or {}
    _refuse_twins(call, vm, asked)
    old = old_child(call)
    extension = _write(call, vm, old, asked)
    results: list[ExtensionResult] = []

    async def run() -> None:
        if (str(asked["publisher"]).lower(), str(asked["type"]).lower()) == SCRIPT:
            results.append(await world.guest.run_extension(vm, asked.get("settings") or {}, protected))
        else:
            results.append(ExtensionResult(ok=True))

    async def work() -> None:
        extension.private["view"] = _view(extension, results[0])
        if not results[0].ok and not asked.get("suppressFailures"):
            raise _failure(extension, results[0])

    plan = Plan(
        "vm_extension_create",
        work,
        extension,
        "Updating" if old else "Creating",
        location=vm.location,
        alongside=run,
    )
    operation = await call.start(COMPUTE_VM, plan)
    return Reply(200 if old else 201, extension.body, operation.headers(world))


def _refuse_twins(call: Call, vm: Resource, asked: Json) -> None:
    """One extension of a handler on a machine: 400, as quoted from the live service."""
    handler = f"{required(asked, 'publisher')}.{required(asked, 'type')}"
    for other in call.world.children(vm.id, EXTENSION):
        same = f"{other.properties['publisher']}.{other.properties['type']}".lower() == handler.lower()
        if same and other.key != call.id.key:
            raise refusal("extension_twin", name=other.name, handler=handler)


def _write(call: Call, vm: Resource, old: Resource | None, asked: Json) -> Resource:
    """The extension in the world, with what was asked for but its protected settings."""
    properties = {
        "autoUpgradeMinorVersion": bool(asked.get("autoUpgradeMinorVersion")),
        "provisioningState": "Creating",
        **{
            k: asked[k]
            for k in ("enableAutomaticUpgrade", "forceUpdateTag", "suppressFailures")
            if asked.get(k)
        },
        "publisher": asked["publisher"],
        "type": asked["type"],
        "typeHandlerVersion": required(asked, "typeHandlerVersion"),
        "settings": asked.get("settings") or {},
    }
    return write_child(call, EXTENSION, vm, old, properties)


def _view(extension: Resource, result: ExtensionResult) -> Json:
    """Its part of the machine's instance view, with what the command printed."""
    word, level = ("succeeded", "Info") if result.ok else ("failed/1", "Error")
    display = "Provisioning succeeded" if result.ok else "Provisioning failed"

    def status(code: str, message: str) -> Json:
        return {"code": code, "level": level, "displayStatus": display, "message": message}

    return {
        "name": extension.name,
        "type": f"{extension.properties['publisher']}.{extension.properties['type']}",
        "typeHandlerVersion": extension.properties["typeHandlerVersion"],
        "substatuses": [
            status("ComponentStatus/StdOut/succeeded", result.stdout),
            status("ComponentStatus/StdErr/succeeded", "" if result.ok else result.message),
        ],
        "statuses": [status(f"ProvisioningState/{word}", result.message)],
    }


def _failure(extension: Resource, result: ExtensionResult) -> ArmError:
    publisher, kind = extension.properties["publisher"], extension.properties["type"]
    names = {"name": extension.name, "publisher": publisher, "kind": kind}
    return refusal("extension_failed", message=result.message, **names)


async def _get(call: Call) -> Reply:
    return Reply(200, _found(call).body)


def _found(call: Call) -> Resource:
    extension = call.world.find(call.id.text)
    if extension is not None:
        return extension
    if call.world.is_ghost(call.id.text):
        raise refusal("extension_gone")
    return call.found()


async def _list(call: Call) -> Reply:
    found = call.world.children(call.id.parent.text, EXTENSION)
    return Reply(200, {"value": [extension.body for extension in found]})


async def _delete(call: Call) -> Reply:
    world = call.world
    extension = world.find(call.id.text)
    if extension is None:
        return Reply(204)
    running_machine(call)
    call.refuse_if_busy(extension)

    async def work() -> None:
        world.remove(extension.id)
        world.leave_ghost(extension.id)

    plan = Plan("vm_extension_delete", work, extension, "Deleting", with_location=True)
    operation = await call.start(COMPUTE_VM, plan)
    return Reply(202, None, operation.headers(world))


ROUTES: Routes = {
    f"PUT {EXTENSION}": _put,
    f"GET {EXTENSION}": _get,
    f"LIST {EXTENSION}": _list,
    f"DELETE {EXTENSION}": _delete,
}
