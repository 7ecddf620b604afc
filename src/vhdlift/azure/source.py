"""What the source VM is, as far as an export depends on it: read by the preflight and by the run."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from fixedvhd import GIB
from vhdlift.azure.failures import incomplete
from vhdlift.azure.values import text
from vhdlift.azure.waiting import asked

if TYPE_CHECKING:
    from collections.abc import Iterator

    from vhdlift.azure.clients import Azure


def refusals(vm: Any, disk: Any | None) -> Iterator[str]:
    """Each reason why this VM's OS disk cannot be exported as a bootable Windows VHD.

    Args:
        vm: the VM with its instance view.
        disk: its OS disk, or None if it has no managed one.
    """
    os_disk = _os_disk(vm)
    if text(os_disk.os_type).lower() != "windows":
        yield f"its system is {text(os_disk.os_type) or 'unknown'}, not Windows"
    if os_disk.diff_disk_settings is not None:
        yield "its OS disk is ephemeral: such a disk has no snapshot"
    elif disk is None:
        yield "its OS disk is not a managed disk"
    if _is_ade(vm, disk):
        yield "its OS disk is encrypted by Azure Disk Encryption (BitLocker) and would not boot elsewhere"
    if disk is not None and "diskencrypted" in _security_type(disk):
        yield "it is a confidential VM whose OS disk is encrypted for its own hardware"


def _is_ade(vm: Any, disk: Any | None) -> bool:
    settings = _os_disk(vm).encryption_settings
    if settings is not None and settings.enabled is not False:
        return True
    collection = disk.properties.encryption_settings_collection if disk and disk.properties else None
    if collection is not None and collection.enabled:
        return True
    return any(
        text(extension.properties.type).lower() == "azurediskencryption"
        for extension in vm.resources or []
        if extension.properties is not None
    )


def _security_type(disk: Any) -> str:
    profile = disk.properties.security_profile if disk.properties else None
    return text(profile.security_type).lower() if profile is not None else ""


def os_disk_id(vm: Any) -> str:
    """The id of the VM's managed OS disk; empty when it has none.

    Raises:
        AzureRefused: the answer does not say what disks the VM has.
    """
    managed = _os_disk(vm).managed_disk
    return str(managed.id or "") if managed is not None else ""


def _os_disk(vm: Any) -> Any:
    profile = vm.properties.storage_profile if vm.properties else None
    if profile is None or profile.os_disk is None:
        raise incomplete(f"reading the VM {vm.name or ''}".rstrip(), "OS disk")
    return profile.os_disk


async def read_os_disk(azure: Azure, disk_id: str) -> Any:
    """The managed disk of that id.

    Raises:
        VhdliftError: what Azure answered.
    """
    parts = disk_id.strip("/").split("/")
    group, name = parts[3], parts[-1]
    what = f"reading the OS disk {name}"
    return await asked(azure.compute.disks.get, group, name, what=what, scale=azure.scale)


def disk_bytes(disk: Any) -> int:
    """The size of a disk in bytes.

    Raises:
        AzureRefused: the answer does not say it.
    """
    properties = disk.properties
    if properties is None or not (properties.disk_size_bytes or properties.disk_size_gb):
        raise incomplete("reading the OS disk", "size")
    return int(properties.disk_size_bytes or (properties.disk_size_gb or 0) * GIB)
