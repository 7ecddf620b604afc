"""The target VM: where it and its OS disk are, and it and its setup extension as ARM bodies."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Any

from azure.mgmt.compute import models

from vhdlift.azure.ownership import Resource, arm_id

if TYPE_CHECKING:
    from collections.abc import Mapping

    from vhdlift.azure.clients import Azure
    from vhdlift.model import Spec

EXTENSION = "CustomScriptExtension"


def vm_at(azure: Azure, group: str, name: str) -> Resource:
    """The VM of that name as a resource of a run."""
    machines = azure.compute.virtual_machines
    return Resource(
        id=arm_id(azure, group, f"Microsoft.Compute/virtualMachines/{name}"),
        what=f"the VM {name}",
        get=partial(machines.get, group, name),
        begin_delete=partial(machines.begin_delete, group, name),
        kind="vm_delete",
    )


def os_disk_at(azure: Azure, group: str, name: str) -> Resource:
    """The OS disk of that name as a resource of a run."""
    disks = azure.compute.disks
    return Resource(
        id=arm_id(azure, group, f"Microsoft.Compute/disks/{name}"),
        what=f"the OS disk {name}",
        get=partial(disks.get, group, name),
        begin_delete=partial(disks.begin_delete, group, name),
    )


def virtual_machine(
    spec: Spec, tags: Mapping[str, str], os_disk: str, nic_id: str, password: str
) -> models.VirtualMachine:
    """A generation 2 Windows VM with Trusted Launch; what hangs on it goes with it when it is deleted."""
    properties: dict[str, Any] = {
        "hardwareProfile": {"vmSize": spec.vm_size},
        "storageProfile": {"imageReference": image_reference(spec.image), "osDisk": _os_disk(spec, os_disk)},
        "osProfile": _os_profile(spec, password),
        "securityProfile": {
            "securityType": "TrustedLaunch",
            "uefiSettings": {"secureBootEnabled": True, "vTpmEnabled": True},
        },
        "networkProfile": {
            "networkInterfaces": [{"id": nic_id, "properties": {"primary": True, "deleteOption": "Delete"}}]
        },
        # No storage account named: the platform keeps screenshot and serial log.
        "diagnosticsProfile": {"bootDiagnostics": {"enabled": True}},
    }
    if spec.license_type:
        properties["licenseType"] = spec.license_type
    return models.VirtualMachine({"location": spec.location, "tags": dict(tags), "properties": properties})


def image_reference(image: str) -> dict[str, str]:
    """`publisher:offer:sku:version` as ARM wants it."""
    publisher, offer, sku, version = image.split(":")
    return {"publisher": publisher, "offer": offer, "sku": sku, "version": version}


def setup_extension(
    location: str, tags: Mapping[str, str], script_url: str, file_name: str, timestamp: int
) -> models.VirtualMachineExtension:
    """Runs the setup script once; address and command are in the protected part, which no reader sees.

    `timestamp` belongs to the run: the handler does not run the same settings twice, so a repeated
    request of one run starts nothing again.
    """
    command = f"powershell.exe -NoProfile -NonInteractive -ExecutionPolicy Bypass -File {file_name}"
    properties = {
        "publisher": "Microsoft.Compute",
        "type": "CustomScriptExtension",
        "typeHandlerVersion": "1.10",
        "autoUpgradeMinorVersion": True,
        "settings": {"timestamp": timestamp},
        "protectedSettings": {"fileUris": [script_url], "commandToExecute": command},
    }
    return models.VirtualMachineExtension(
        {"location": location, "tags": dict(tags), "properties": properties}
    )


def disk_tags(tags: Mapping[str, str]) -> models.DiskUpdate:
    """A change of a disk's tags alone."""
    return models.DiskUpdate({"tags": dict(tags)})


def _os_disk(spec: Spec, name: str) -> dict[str, Any]:
    return {
        "name": name,
        "createOption": "FromImage",
        "caching": "ReadWrite",
        "diskSizeGB": spec.os_disk_gb,
        "deleteOption": "Delete",
        # Standard, but SSD: the service is closing Standard HDD (Standard_LRS) as an OS disk, new ones
        # first, the rest on 2028-09-08; and an HDD's 60 MB/s would double the time of the export.
        "managedDisk": {"storageAccountType": "StandardSSD_LRS"},
    }


def _os_profile(spec: Spec, password: str) -> dict[str, Any]:
    return {
        "computerName": spec.vm_name,
        "adminUsername": spec.admin_username,
        "adminPassword": password,
        "windowsConfiguration": {
            "provisionVMAgent": True,
            "enableAutomaticUpdates": True,
            "patchSettings": {"patchMode": "AutomaticByOS"},
        },
    }
