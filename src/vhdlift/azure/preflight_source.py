"""Preflight of the source VM: found, exportable, in the right place, and not too large."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from fixedvhd import GIB, MAX_VIRTUAL_SIZE
from fixedvhd import describe as spoken
from vhdlift.azure.findings import Finding
from vhdlift.azure.source import disk_bytes, os_disk_id, read_os_disk, refusals
from vhdlift.azure.storage import sas_suffices
from vhdlift.azure.values import same_location, text
from vhdlift.errors import AzureRefused, VhdliftError

if TYPE_CHECKING:
    from vhdlift.azure.scene import Scene
    from vhdlift.model import Spec

_NOT_FOUND = 404
# What a fresh Windows Server, its updates and its page file take on the disk beside the exported one.
WINDOWS_GB = 40
LARGEST_OS_DISK_GB = 4095


async def questions(scene: Scene) -> list[Finding]:
    """Everything about the source VM and its OS disk."""
    azure, spec = scene.azure, scene.spec
    try:
        vm = await scene.source_vm()
    except AzureRefused as refusal:
        return [missing(spec.source_resource_group, spec.source_vm, refusal)]
    disk_id = os_disk_id(vm)
    disk = await read_os_disk(azure, disk_id) if disk_id else None
    told = [*_unfit(spec, vm, disk), *_location(spec, vm)]
    return [*told, *_access(spec, disk), *_sizes(spec, disk_bytes(disk))] if disk else told


def missing(group: str, name: str, refusal: VhdliftError) -> Finding:
    """The source VM could not be read; any other answer than 404 is told as it came."""
    about = f"the source VM {name} in {group}"
    if not isinstance(refusal, AzureRefused) or refusal.status != _NOT_FOUND:
        mends = refusal.hint or f"az vm show --resource-group {group} --name {name}"
        return Finding("source-vm", "error", refusal.sentence, about, mends)
    message = f"There is no VM {name} in the resource group {group}."
    return Finding("source-vm-missing", "error", message, about, "az vm list --output table")


def _unfit(spec: Spec, vm: Any, disk: Any | None) -> list[Finding]:
    about = f"the source VM {spec.source_vm} and its OS disk"
    reasons = "; ".join(refusals(vm, disk))
    if not reasons:
        return []
    message = f"The VM {spec.source_vm} cannot be exported: {reasons}."
    return [Finding("source-vm-unfit", "error", message, about, f"az vm show --ids {vm.id}")]


def _location(spec: Spec, vm: Any) -> list[Finding]:
    """The snapshot lies where the source is; from elsewhere its bytes cross regions, at a price."""
    if same_location(vm.location, spec.location):
        return []
    message = (
        f"The source VM is in {vm.location} and the new VM will be in {spec.location}: the whole disk "
        "crosses regions, which takes longer and is charged."
    )
    about = f"the location of {spec.source_vm}"
    return [Finding("location-differs", "notice", message, about, f"--location {vm.location}")]


def _access(spec: Spec, disk: Any) -> list[Finding]:
    """What its owner allows of the disk; a snapshot has settings of its own, so a run could go past them."""
    properties = disk.properties
    policy, public = text(properties.network_access_policy), text(properties.public_network_access)
    mode = text(getattr(properties, "data_access_auth_mode", None))
    closed = [
        *([f"networkAccessPolicy {policy}"] if policy.lower() in {"denyall", "allowprivate"} else []),
        *(["publicNetworkAccess Disabled"] if public.lower() == "disabled" else []),
        *([f"dataAccessAuthMode {mode}"] if mode.lower() == "azureactivedirectory" else []),
    ]
    if not closed:
        return []
    message = (
        f"The OS disk of {spec.source_vm} is closed to exports ({', '.join(closed)}). The run exports a "
        "snapshot, for which that does not hold: make sure that its owner wants it."
    )
    about = f"what may be done with the OS disk of {spec.source_vm}"
    command = (
        f"az disk update --ids {disk.id} --network-access-policy AllowAll --public-network-access Enabled"
    )
    return [Finding("source-export-closed", "warning", message, about, command)]


def _sizes(spec: Spec, source: int) -> list[Finding]:
    about = f"the size of the OS disk of {spec.source_vm}"
    target = (spec.target_size_gib or 0) * GIB
    return [
        *_vhd_size(target or source, about),
        *_sas_size(source, about),
        *_os_disk_size(spec, max(source, target), source, about),
        *_smaller(target, source, about),
    ]


def _vhd_size(size: int, about: str) -> list[Finding]:
    """The format ends at 2040 GiB."""
    if size <= MAX_VIRTUAL_SIZE:
        return []
    message = f"A VHD has at most {spoken(MAX_VIRTUAL_SIZE)}, and this one would have {spoken(size)}."
    return [Finding("vhd-too-large", "error", message, about, f"--target-size-gib {MAX_VIRTUAL_SIZE // GIB}")]


def _sas_size(source: int, about: str) -> list[Finding]:
    """The work must end before the longest access that Azure grants."""
    if sas_suffices(source):
        return []
    message = (
        f"The work on {spoken(source)} takes longer than the longest access to a snapshot that Azure grants."
    )
    return [Finding("sas-too-short", "error", message, about, "az disk list --output table")]


def _os_disk_size(spec: Spec, larger: int, source: int, about: str) -> list[Finding]:
    """Windows and the whole disk must fit on the target's."""
    needed = -(-larger // GIB) + WINDOWS_GB
    if spec.os_disk_gb >= needed:
        return []
    message = (
        f"The source disk has {spoken(source)}; with Windows beside it the new VM needs an OS disk of "
        f"{needed} GB, and {spec.os_disk_gb} GB were asked for."
    )
    if needed > LARGEST_OS_DISK_GB:
        message += f" Azure's OS disks end at {LARGEST_OS_DISK_GB} GB."
    return [Finding("os-disk-too-small", "error", message, about, f"--os-disk-gb {needed}")]


def _smaller(target: int, source: int, about: str) -> list[Finding]:
    """As was asked for; whether it fits shows when the disk is read."""
    if not target or target >= source:
        return []
    message = (
        f"The VHD is to be {spoken(target)} and the source disk has {spoken(source)}: Windows is made "
        "smaller on the way, and the export fails if what is in use on it does not fit."
    )
    return [Finding("target-size", "notice", message, about, f"--target-size-gib {-(-source // GIB)}")]
