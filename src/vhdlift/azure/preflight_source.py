"""Preflight of the source VM: found, exportable, in the right place, and not too large."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from fixedvhd import GIB
from fixedvhd import describe as spoken
from vhdlift.azure.findings import Finding
from vhdlift.azure.source import disk_bytes, os_disk_id, read_os_disk, refusals
from vhdlift.azure.values import same_location
from vhdlift.errors import AzureRefused

if TYPE_CHECKING:
    from vhdlift.azure.scene import Scene
    from vhdlift.model import Spec

_NOT_FOUND = 404
# What a fresh Windows Server, its updates and its page file take on the disk beside the exported one.
WINDOWS_GB = 40


async def questions(scene: Scene) -> list[Finding]:
    """Everything about the source VM and its OS disk."""
    azure, spec = scene.azure, scene.spec
    try:
        vm = await scene.source_vm()
    except AzureRefused as refusal:
        return [missing(spec.source_resource_group, spec.source_vm, refusal)]
    disk_id = os_disk_id(vm)
    disk = await read_os_disk(azure, disk_id) if disk_id else None
    return [*_unfit(spec, vm, disk), *_location(spec, vm), *(_sizes(spec, disk_bytes(disk)) if disk else [])]


def missing(group: str, name: str, refusal: AzureRefused) -> Finding:
    """The source VM could not be read; any other answer than 404 is told as it came."""
    about = f"the source VM {name} in {group}"
    if refusal.status != _NOT_FOUND:
        return Finding("source-vm", "error", refusal.sentence, about, refusal.hint)
    message = f"There is no VM {name} in the resource group {group}."
    return Finding("source-vm-missing", "error", message, about, "az vm list --output table")


def _unfit(spec: Spec, vm: Any, disk: Any | None) -> list[Finding]:
    about = f"the source VM {spec.source_vm} and its OS disk"
    return [
        Finding(
            "source-vm-unfit",
            "error",
            f"The VM {spec.source_vm} cannot be exported: {why}.",
            about,
            f"az vm show --ids {vm.id}",
        )
        for why in refusals(vm, disk)
    ]


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


def _sizes(spec: Spec, source: int) -> list[Finding]:
    about = f"the size of the OS disk of {spec.source_vm}"
    target = (spec.target_size_gib or 0) * GIB
    needed = -(-max(source, target) // GIB) + WINDOWS_GB
    findings = []
    if spec.os_disk_gb < needed:
        message = (
            f"The source disk has {spoken(source)}; with Windows beside it the new VM needs an OS disk of "
            f"{needed} GB, and {spec.os_disk_gb} GB were asked for."
        )
        findings.append(Finding("os-disk-too-small", "error", message, about, f"--os-disk-gb {needed}"))
    if target and target < source:
        message = (
            f"The VHD is to be {spoken(target)} and the source disk has {spoken(source)}: Windows is made "
            "smaller on the way, and the export fails if what is in use on it does not fit."
        )
        findings.append(
            Finding("target-size", "notice", message, about, f"--target-size-gib {-(-source // GIB)}")
        )
    return findings
