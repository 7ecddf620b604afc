"""Preflight of the target VM: its size, the quota for it, its image, and the resource providers."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from vhdlift.azure.findings import Finding
from vhdlift.azure.machine import image_reference
from vhdlift.azure.sizes import check_vm_size_compatibility
from vhdlift.azure.together import together
from vhdlift.azure.values import text
from vhdlift.azure.waiting import asked, found, listed

if TYPE_CHECKING:
    from vhdlift.azure.clients import Azure
    from vhdlift.azure.sizes import Size
    from vhdlift.model import Spec

PROVIDERS = ("Microsoft.Compute", "Microsoft.Network", "Microsoft.Storage")
SCHEDULES = "Microsoft.DevTestLab"
_TOTAL = "cores"


async def size(azure: Azure, spec: Spec) -> list[Finding]:
    """Whether the size can be used here, and whether there is quota for its cores."""
    verdict = await check_vm_size_compatibility(azure, spec.location, spec.vm_size)
    findings = []
    if not verdict.compatible:
        command = f"az vm list-skus --location {spec.location} --resource-type virtualMachines --output table"
        message = f"{verdict.sentence} {verdict.hint}"
        findings.append(Finding("vm-size", "error", message, f"the VM sizes of {spec.location}", command))
    if verdict.size is not None:
        findings += await _quota(azure, spec, verdict.size)
    return findings


async def image(azure: Azure, spec: Spec) -> list[Finding]:
    """Whether the image exists here, and can be started with Trusted Launch."""
    about = f"the image {spec.image} in {spec.location}"
    there = await _image(azure, spec)
    if there is None:
        publisher = image_reference(spec.image)["publisher"]
        command = f"az vm image list --location {spec.location} --publisher {publisher} --all --output table"
        message = f"There is no image {spec.image} in {spec.location}."
        return [Finding("image-missing", "error", message, about, command)]
    reasons = _unfit(there)
    command = f"az vm image show --location {spec.location} --urn {spec.image}"
    return [
        Finding("image-unfit", "error", f"The image {spec.image} cannot be used: {why}.", about, command)
        for why in reasons
    ]


async def providers(azure: Azure, spec: Spec) -> list[Finding]:
    """Whether the subscription is registered with the providers of all that a run makes."""
    needed = (*PROVIDERS, *((SCHEDULES,) if spec.auto_shutdown else ()))
    answers = await together(*(_provider(azure, name) for name in needed))
    return [finding for answer in answers for finding in answer]


async def _quota(azure: Azure, spec: Spec, wanted: Size) -> list[Finding]:
    what = f"reading the quota of {spec.location}"
    usages = await listed(azure.compute.usage.list, spec.location, what=what, scale=azure.scale)
    findings = []
    for usage in usages:
        name = str(usage.name.value or "") if usage.name else ""
        if name.lower() not in {_TOTAL, wanted.family.lower()}:
            continue
        free = int(usage.limit or 0) - int(usage.current_value or 0)
        if free >= wanted.vcpus:
            continue
        code = "quota-cores" if name.lower() == _TOTAL else "quota-family"
        label = usage.name.localized_value or name
        message = (
            f"{wanted.name} needs {wanted.vcpus} vCPUs, and of {usage.limit} {label} in {spec.location} "
            f"{max(free, 0)} are free."
        )
        command = f"az vm list-usage --location {spec.location} --output table"
        findings.append(Finding(code, "error", message, what, command))
    return findings


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


async def _provider(azure: Azure, name: str) -> list[Finding]:
    what = f"the registration of {name}"
    there = await asked(azure.resources.providers.get, name, what=f"reading {what}", scale=azure.scale)
    state = str(there.registration_state or "")
    if state.lower() == "registered":
        return []
    severity: Any = "warning" if state.lower() == "registering" else "error"
    message = f"The subscription is not registered with {name} ({state or 'no state'})."
    return [Finding("provider", severity, message, what, f"az provider register --namespace {name} --wait")]
