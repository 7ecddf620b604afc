"""Preflight of the target VM: its size, the quota for it, and its image."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from vhdlift.azure.findings import Finding
from vhdlift.azure.machine import image_reference
from vhdlift.azure.preflight_quota import cores
from vhdlift.azure.sizes import check_vm_size_compatibility
from vhdlift.azure.values import text
from vhdlift.azure.waiting import found
from vhdlift.options import BY_NAME

if TYPE_CHECKING:
    from vhdlift.azure.clients import Azure
    from vhdlift.azure.scene import Scene
    from vhdlift.model import Spec


async def size(scene: Scene) -> list[Finding]:
    """Whether the size can be used here, and whether there is quota for its cores."""
    azure, spec = scene.azure, scene.spec
    verdict = await check_vm_size_compatibility(azure, spec.location, spec.vm_size)
    about, findings = f"the VM sizes of {spec.location}", []
    if not verdict.compatible:
        message = f"{verdict.sentence} {verdict.alternatives(scene.price)}"
        command = f"--vm-size {verdict.nearest[0].name}" if verdict.nearest else "--location OTHER"
        findings.append(Finding("vm-size", "error", message, about, command))
    elif verdict.size is not None and not verdict.size.nests:
        message = (
            f"No VMs run in a VM of the size {spec.vm_size} (nested virtualization); the export needs none."
        )
        command = f"az vm list-skus --location {spec.location} --resource-type virtualMachines --output table"
        findings.append(Finding("vm-size-nesting", "notice", message, about, command))
    if verdict.size is not None:
        findings += await cores(scene, verdict.size, usable=verdict.compatible)
    return findings


async def image(scene: Scene) -> list[Finding]:
    """Whether the image exists here, and can be started with Trusted Launch."""
    azure, spec = scene.azure, scene.spec
    about = f"the image {spec.image} in {spec.location}"
    there = await _image(azure, spec)
    if there is None:
        publisher = image_reference(spec.image)["publisher"]
        command = f"az vm image list --location {spec.location} --publisher {publisher} --all --output table"
        message = f"There is no image {spec.image} in {spec.location}."
        return [Finding("image-missing", "error", message, about, command)]
    reasons = "; ".join(_unfit(there))
    if not reasons:
        return []
    message = f"The image {spec.image} cannot be used: {reasons}."
    return [Finding("image-unfit", "error", message, about, f"--image {BY_NAME['image'].default}")]


async def _image(azure: Azure, spec: Spec) -> Any | None:
    images, wanted = azure.compute.virtual_machine_images, image_reference(spec.image)
    of = (spec.location, wanted["publisher"], wanted["offer"], wanted["sku"])
    version, what = wanted["version"], f"looking for the image {spec.image}"
    if version == "latest":

        async def versions() -> list[Any]:
            return await images.list(*of, top=1, orderby="name desc")

        newest = await found(versions, what=what, scale=azure.scale)
        if not newest:
            return None
        version = str(newest[0].name)
    return await found(images.get, *of, version, what=what, scale=azure.scale)


def _unfit(there: Any) -> list[str]:
    properties = there.properties
    generation = text(properties.hyper_v_generation)
    reasons = []
    if generation.upper() != "V2":
        reasons.append(f"it is of generation {generation or '1'}, and Trusted Launch needs generation 2")
    features = {f.name: str(f.value or "") for f in properties.features or []}
    if "TrustedLaunch" not in features.get("SecurityType", ""):
        reasons.append("it is not made for Trusted Launch")
    if (architecture := text(properties.architecture) or "x64").lower() != "x64":
        reasons.append(f"it is for {architecture} processors")
    system = properties.os_disk_image
    if system is not None and text(system.operating_system).lower() not in {"", "windows"}:
        reasons.append(f"its system is {text(system.operating_system)}, not Windows")
    return reasons
