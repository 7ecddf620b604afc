"""What a virtual machine and its instance view look like.

Source: recordings `test_vm_user_update_win` [26] (Windows, Trusted Launch, running),
`test_vm_create_state_modifications` [75] (deallocated), `test_vm_create_no_wait` [12] (being created).
"""

from __future__ import annotations

import copy
from typing import TYPE_CHECKING, Any

from armlocal.providers.images import OS_DISK_GB

if TYPE_CHECKING:
    from armlocal.providers.compute_checks import Checked
    from armlocal.state import Resource, World

Json = dict[str, Any]
EXTENSION = "Microsoft.Compute/virtualMachines/extensions"
AGENT_READY = 60.0
"""Seconds at scale 1 until the guest agent reports; recorded as one to two minutes."""
OS_NAMES = {"20348": "Windows Server 2022 Datacenter", "26100": "Windows Server 2025 Datacenter"}


def machine_body(asked: Json, checked: Checked, vm_id: str, created: str) -> Json:
    """The body of a new machine, without its OS disk's name, and without the password.

    Args:
        asked: the request's body.
        checked: what the checks found.
        vm_id: its guid.
        created: when.
    """
    given = copy.deepcopy(asked["properties"])
    body: Json = {"location": asked["location"], "tags": dict(asked.get("tags") or {})}
    body |= {key: asked[key] for key in ("zones", "identity", "plan") if asked.get(key)}
    properties: Json = {
        "hardwareProfile": given.pop("hardwareProfile"),
        "provisioningState": "Creating",
        "vmId": vm_id,
        "storageProfile": _storage(given.pop("storageProfile", {}), checked),
    }
    profile = given.pop("osProfile", None)
    if profile is not None:
        properties["osProfile"] = _os_profile(profile)
    network = given.pop("networkProfile")
    properties |= {key: value for key, value in given.items() if value is not None and key != "userData"}
    properties["networkProfile"] = {
        "networkInterfaces": [_reference(r) for r in network["networkInterfaces"]]
    }
    properties["timeCreated"] = created
    return {**body, "properties": properties, "etag": '"1"'}


def _reference(reference: Json) -> Json:
    known = {k: v for k, v in (reference.get("properties") or {}).items() if v is not None}
    return {"id": reference["id"], **({"properties": known} if known else {})}


def _storage(given: Json, checked: Checked) -> Json:
    disk = {k: v for k, v in (given.get("osDisk") or {}).items() if v is not None}
    storage: Json = {}
    if checked.image is not None:
        storage["imageReference"] = {**given["imageReference"], "exactVersion": checked.version}
        sku = (disk.get("managedDisk") or {}).get("storageAccountType") or "Premium_LRS"
        storage["osDisk"] = {
            "osType": "Windows",
            "createOption": "FromImage",
            "caching": disk.get("caching", "ReadWrite"),
            "managedDisk": {"storageAccountType": sku},
            "deleteOption": disk.get("deleteOption", "Detach"),
            "diskSizeGB": int(disk.get("diskSizeGB") or OS_DISK_GB),
        }
    else:
        storage["osDisk"] = {
            **disk,
            "createOption": "Attach",
            "deleteOption": disk.get("deleteOption", "Detach"),
        }
    storage["dataDisks"] = []
    if checked.image is None or checked.image.generation != "V1":
        storage["diskControllerType"] = given.get("diskControllerType", "SCSI")
    return storage


def _os_profile(given: Json) -> Json:
    windows = {
        "provisionVMAgent": True,
        "enableAutomaticUpdates": True,
        "patchSettings": {"patchMode": "AutomaticByOS", "assessmentMode": "ImageDefault"},
        "enableVMAgentPlatformUpdates": True,
        **(given.get("windowsConfiguration") or {}),
    }
    return {
        "computerName": given["computerName"],
        "adminUsername": given["adminUsername"],
        "windowsConfiguration": windows,
        "secrets": given.get("secrets") or [],
        "allowExtensionOperations": given.get("allowExtensionOperations", True),
        "requireGuestProvisionSignal": True,
    }


def with_resources(world: World, vm: Resource) -> Json:
    """The machine's body with its extensions listed, as GET answers it."""
    extensions = [extension.body for extension in world.children(vm.id, EXTENSION)]
    return {**vm.body, "resources": extensions} if extensions else dict(vm.body)


def instance_view(world: World, vm: Resource) -> Json:
    """How the machine is at this moment."""
    power = str(vm.private["power"])
    view: Json = {}
    if power == "running" and vm.state != "Creating":
        view |= _agent(world, vm)
    disk = vm.properties["storageProfile"]["osDisk"].get("name")
    if disk:
        succeeded = _status("ProvisioningState/succeeded", "Provisioning succeeded", vm.private["changed"])
        view["disks"] = [{"name": disk, "statuses": [succeeded]}]
    extensions = [e.private["view"] for e in world.children(vm.id, EXTENSION) if "view" in e.private]
    if extensions and "vmAgent" in view:
        view["extensions"] = extensions
    view["hyperVGeneration"] = vm.private["generation"]
    view["statuses"] = [_provisioning(vm), _status(f"PowerState/{power}", f"VM {power}")]
    return view


def _provisioning(vm: Resource) -> Json:
    if vm.state == "Succeeded":
        return _status("ProvisioningState/succeeded", "Provisioning succeeded", vm.private["changed"])
    if vm.state == "Failed":
        return _status(
            "ProvisioningState/failed", "Provisioning failed", vm.private["changed"], level="Error"
        )
    word = vm.state or "Updating"
    return _status(f"ProvisioningState/{word.lower()}", word)


def _status(code: str, display: str, time: str | None = None, *, level: str = "Info") -> Json:
    status = {"code": code, "level": level, "displayStatus": display}
    return status if time is None else {**status, "time": time}


def _agent(world: World, vm: Resource) -> Json:
    """The agent's part: not ready at first, and then what it reports of the system."""
    now = world.clock.now().isoformat(timespec="seconds")
    if world.clock.monotonic() < vm.private["agent_from"]:
        waiting = _status("ProvisioningState/Unavailable", "Not Ready", level="Warning")
        waiting |= {"message": "VM status blob is found but not yet populated.", "time": now}
        return {"vmAgent": {"vmAgentVersion": "Unknown", "statuses": [waiting]}}
    ready = _status("ProvisioningState/succeeded", "Ready") | {
        "message": "Guest Agent is running",
        "time": now,
    }
    reference = vm.properties["storageProfile"].get("imageReference", {})
    version = str(reference.get("exactVersion", "20348.3932"))
    handlers = [_handler(extension) for extension in world.children(vm.id, EXTENSION)]
    return {
        "computerName": vm.properties.get("osProfile", {}).get("computerName", vm.name),
        "osName": OS_NAMES.get(version.split(".", maxsplit=1)[0], "Windows 11 Pro"),
        "osVersion": "10.0." + ".".join(version.split(".")[:2]),
        "vmAgent": {"vmAgentVersion": "2.7.41491.1176", "statuses": [ready], "extensionHandlers": handlers},
    }


def _handler(extension: Resource) -> Json:
    properties = extension.properties
    return {
        "type": f"{properties['publisher']}.{properties['type']}",
        "typeHandlerVersion": properties["typeHandlerVersion"],
        "status": _status("ProvisioningState/succeeded", "Ready"),
    }
