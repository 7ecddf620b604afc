"""Sizes, images and what is used of the limits, in the shapes of the real service."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
import pytest_asyncio
from azure.core.exceptions import ResourceNotFoundError

from armlocal.state import make_resource
from tests.armlocal.armworld import LOCATION, Arm, running_arm

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path

    from tests.armlocal.conftest import Certificates

SERVER = ("MicrosoftWindowsServer", "WindowsServer")


@pytest_asyncio.fixture
async def arm(certificates: Certificates, tmp_path: Path) -> AsyncIterator[Arm]:
    async with running_arm(certificates, tmp_path) as started:
        yield started


async def sizes(arm: Arm, location: str = LOCATION) -> dict[str, Any]:
    rows = [s async for s in arm.compute.resource_skus.list(filter=f"location eq '{location}'")]
    return {s.name: s for s in rows if s.resource_type == "virtualMachines"}


def capability(sku: Any, name: str) -> str | None:
    return {c.name: c.value for c in sku.capabilities}.get(name)


@pytest.mark.parametrize("location", ["uksouth", "westeurope", "eastus"])
async def test_a_region_has_about_25_sizes_of_both_generations(arm: Arm, location: str) -> None:
    found = await sizes(arm, location)
    assert len(found) >= 25
    assert all(s.locations == [location] for s in found.values())
    generations = {capability(s, "HyperVGenerations") for s in found.values()}
    assert generations == {"V1", "V2", "V1,V2"}


async def test_a_recorded_size_says_what_was_recorded(arm: Arm) -> None:
    found = await sizes(arm, "eastus")
    size = found["Standard_D4s_v3"]
    values = {n: capability(size, n) for n in ("vCPUs", "MemoryGB", "MaxDataDiskCount", "PremiumIO", "ACUs")}
    assert values == {
        "vCPUs": "4",
        "MemoryGB": "16",
        "MaxDataDiskCount": "8",
        "PremiumIO": "True",
        "ACUs": "160",
    }
    assert (size.family, size.tier, size.size) == ("standardDSv3Family", "Standard", "D4s_v3")
    retired = found["Standard_NV6"]
    assert (capability(retired, "HyperVGenerations"), capability(retired, "RetirementDateUtc")) == (
        "V1",
        "08/31/2023",
    )


async def test_some_sizes_cannot_be_used_and_say_why(arm: Arm) -> None:
    found = await sizes(arm)
    restricted = found["Standard_NV36ads_A10_v5"].restrictions
    assert [(r.type, r.reason_code) for r in restricted] == [
        ("Location", "NotAvailableForSubscription"),
        ("Zone", "NotAvailableForSubscription"),
    ]
    assert restricted[0].values_property == [LOCATION]
    assert capability(found["Standard_NV12s_v3"], "TrustedLaunchDisabled") == "True"
    assert capability(found["Standard_D4ps_v5"], "CpuArchitectureType") == "Arm64"
    assert "Standard_D2s_v6" not in await sizes(arm, "ukwest")


async def test_cores_are_those_of_the_vms_that_exist_by_the_names_of_the_families(arm: Arm) -> None:
    await arm.make_group()
    for number, power in enumerate(("running", "deallocated")):
        vm_id = arm.id("lab", f"Microsoft.Compute/virtualMachines/vm{number}")
        body = {"location": LOCATION, "properties": {"hardwareProfile": {"vmSize": "standard_d4s_v5"}}}
        vm = arm.world.add(make_resource(vm_id, "Microsoft.Compute/virtualMachines", body))
        vm.private["power"] = power
    used = {u.name.value: u.current_value async for u in arm.compute.usage.list(LOCATION)}
    assert (used["cores"], used["standardDSv5Family"], used["virtualMachines"]) == (4, 4, 2)
    assert {s.family for s in (await sizes(arm)).values()} <= set(used)


async def test_images_are_found_down_to_their_version(arm: Arm) -> None:
    images = arm.compute.virtual_machine_images
    assert "2025-datacenter-g2" in [s.name for s in await images.list_skus(LOCATION, *SERVER)]
    desktop = await images.list_skus(LOCATION, "MicrosoftWindowsDesktop", "windows-11")
    assert {"win11-24h2-pro", "win11-25h2-pro"} <= {s.name for s in desktop}
    versions = await images.list(LOCATION, *SERVER, "2022-datacenter-g2", top=1, orderby="name desc")
    assert len(versions) == 1
    image = await images.get(LOCATION, *SERVER, "2022-datacenter-g2", versions[0].name)
    features = {f.name: f.value for f in image.features}
    assert image.hyper_v_generation == "V2"
    assert features["SecurityType"].startswith("TrustedLaunch")
    assert image.id.startswith(
        f"/Subscriptions/{arm.world.subscription_id}/Providers/Microsoft.Compute/Locations/"
    )


async def test_an_image_that_is_not_there_is_a_404(arm: Arm) -> None:
    images = arm.compute.virtual_machine_images
    with pytest.raises(ResourceNotFoundError) as missing:
        await images.list(LOCATION, *SERVER, "2012-datacenter")
    assert "Artifact: VMImage was not found." in str(missing.value)
    with pytest.raises(ResourceNotFoundError):
        await images.get(LOCATION, *SERVER, "2022-datacenter-g2", "latest")
