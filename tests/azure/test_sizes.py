"""VM sizes: what speaks against one, and what comes nearest."""

from __future__ import annotations

from datetime import date
from typing import Any

import pytest
from azure.mgmt.compute.models import ResourceSku

from tests.azure.conftest import SUBSCRIPTION, Answer, Arm
from vhdlift.azure.clients import Azure
from vhdlift.azure.sizes import (
    Size,
    Verdict,
    check_vm_size_compatibility,
    get_compatible_vm_sizes,
    nearest_sizes,
    read_size,
)

SKUS = f"/subscriptions/{SUBSCRIPTION}/providers/Microsoft.Compute/skus"
TODAY = date(2026, 11, 23)


def sku(name: str, cores: int = 4, memory: int = 16, **more: Any) -> dict[str, Any]:
    """A SKU as the service lists it; `more` are capabilities, or parts of the SKU itself."""
    own = {k: v for k, v in more.items() if k in {"restrictions", "locationInfo", "resourceType"}}
    can = {
        "vCPUs": str(cores),
        "MemoryGB": str(memory),
        "HyperVGenerations": "V1,V2",
        "CpuArchitectureType": "x64",
        **{k: v for k, v in more.items() if k not in own},
    }
    return {
        "resourceType": "virtualMachines",
        "name": name,
        "family": "aFamily",
        "locations": ["uksouth"],
        "locationInfo": [{"location": "uksouth", "zones": ["1", "2", "3"]}],
        "capabilities": [{"name": k, "value": v} for k, v in can.items() if v is not None],
        "restrictions": [],
        **own,
    }


def restriction(kind: str, *zones: str, code: str = "NotAvailableForSubscription") -> dict[str, Any]:
    info = {"locations": ["uksouth"], **({"zones": list(zones)} if zones else {})}
    return {"type": kind, "values": ["uksouth"], "restrictionInfo": info, "reasonCode": code}


def read(**more: Any) -> Size:
    return read_size(ResourceSku(sku("Standard_D4s_v5", **more)), "uksouth", TODAY)


def test_good_size_is_taken() -> None:
    """Nothing speaks against it."""
    size = read()
    assert size.refused == ()
    assert (size.vcpus, size.memory_gib) == (4, 16.0)


@pytest.mark.parametrize(
    ("more", "reason"),
    [
        ({"CpuArchitectureType": "Arm64"}, "processors are Arm64"),
        ({"HyperVGenerations": "V1"}, "does not run generation 2"),
        ({"HyperVGenerations": None}, "does not say whether it runs generation 2"),
        ({"TrustedLaunchDisabled": "True"}, "Trusted Launch"),
        ({"RetirementDateUtc": "08/31/2023"}, "retired on 2023-08-31"),
        ({"vCPUs": None}, "does not say how many vCPUs"),
        ({"restrictions": [restriction("Location")]}, "not available to this subscription"),
        ({"restrictions": [restriction("Location", code="QuotaId")]}, "kind of this subscription"),
        ({"restrictions": [restriction("Zone", "1", "2", "3")]}, "in all zones"),
    ],
)
def test_each_obstacle_has_its_reason(more: dict[str, Any], reason: str) -> None:
    """One thing wrong, one clause that says what."""
    (clause,) = read(**more).refused
    assert reason in clause


@pytest.mark.parametrize(
    "more",
    [
        {"CpuArchitectureType": None},
        {"TrustedLaunchDisabled": "False"},
        {"RetirementDateUtc": "11/24/2026"},
        {"restrictions": [restriction("Zone", "1", "2")]},
    ],
)
def test_what_is_no_obstacle(more: dict[str, Any]) -> None:
    """Old sizes without an architecture, retirement to come, and one free zone are all right."""
    assert read(**more).refused == ()


def size(name: str, vcpus: int, memory: float, *refused: str) -> Size:
    return Size(name, "f", vcpus, memory, tuple(refused))


def test_nearest_is_of_the_same_line_and_then_of_the_same_strength() -> None:
    """D before E and B; four cores before eight; the same features before others; the newest last."""
    wanted = size("Standard_D4s_v3", 4, 16, "no")
    names = ["Standard_E4s_v5", "Standard_D8s_v5", "Standard_D4as_v5", "Standard_D4s_v4", "Standard_D4s_v5"]
    cores = {"Standard_D8s_v5": 8}
    others = [size(n, cores.get(n, 4), 4 * cores.get(n, 4)) for n in names]
    found = [s.name for s in nearest_sizes("Standard_D4s_v3", wanted, [wanted, *others])]
    assert found == [
        "Standard_D4s_v5",
        "Standard_D4s_v4",
        "Standard_D4as_v5",
        "Standard_D8s_v5",
        "Standard_E4s_v5",
    ]


def test_unknown_name_still_finds_its_line() -> None:
    """A size that is not offered at all is placed by its name."""
    sizes = [size("Standard_F16s_v2", 16, 32), size("Standard_D8s_v5", 8, 32), size("Standard_D2s_v5", 2, 8)]
    assert next(s.name for s in nearest_sizes("Standard_D8s_v9", None, sizes)) == "Standard_D8s_v5"


async def test_list_is_asked_for_the_location_alone(arm: Arm, azure: Azure) -> None:
    """Only usable VM sizes, the smallest first, from one filtered request."""
    disk = sku("Premium_LRS", resourceType="disks")
    rows = [
        sku("Standard_D8s_v5", 8, 32),
        sku("Standard_D2s_v5", 2, 8),
        sku("Standard_A1", HyperVGenerations="V1"),
        disk,
    ]
    arm.on(f"GET {SKUS}", Answer(body={"value": rows}))
    names = [s.name for s in await get_compatible_vm_sizes(azure, "uksouth")]
    assert names == ["Standard_D2s_v5", "Standard_D8s_v5"]
    assert "$filter=location%20eq%20'uksouth'" in arm.seen[0].path


async def test_refusal_names_reason_and_alternatives(arm: Arm, azure: Azure) -> None:
    """The sentence has the reason, the hint the nearest sizes with what they have."""
    rows = [
        sku("Standard_D4s_v5", TrustedLaunchDisabled="True"),
        sku("Standard_D4as_v5"),
        sku("Standard_B1s", 1, 1),
    ]
    arm.on(f"GET {SKUS}", Answer(body={"value": rows}))
    verdict = await check_vm_size_compatibility(azure, "uksouth", "standard_d4s_v5")
    assert not verdict.compatible
    assert "does not support Trusted Launch" in verdict.sentence
    assert verdict.hint.startswith(
        "The nearest sizes that fit: Standard_D4as_v5 (4 vCPU, 16 GiB, no local disk)"
    )


async def test_size_that_is_not_offered(arm: Arm, azure: Azure) -> None:
    """A name that the location does not list is refused as such."""
    arm.on(f"GET {SKUS}", Answer(body={"value": []}))
    verdict = await check_vm_size_compatibility(azure, "uksouth", "Standard_D4s_v5")
    assert "uksouth does not offer it" in verdict.sentence
    assert "another --location" in verdict.hint


def test_alternatives_say_what_they_have_and_cost() -> None:
    """Local disk and price stand beside cores and memory, the price only where it is known."""
    verdict = Verdict(
        "Standard_X",
        "uksouth",
        None,
        ("no",),
        (Size("Standard_D4ds_v5", "f", 4, 16, (), 150.0), size("S", 2, 8)),
    )
    told = verdict.alternatives({"Standard_D4ds_v5": "0.41 USD/h"}.get)
    assert "Standard_D4ds_v5 (4 vCPU, 16 GiB, local disk 150 GiB, 0.41 USD/h)" in told
    assert "S (2 vCPU, 8 GiB, no local disk)" in told


@pytest.mark.parametrize(
    ("name", "nests"),
    [
        ("Standard_D4s_v5", True),
        ("Standard_E8ads_v5", True),
        ("Standard_D4s_v3", True),
        ("Standard_DS3_v2", False),
        ("Standard_B4ms", False),
        ("Standard_NV36ads_A10_v5", False),
    ],
)
def test_lines_in_which_vms_run(name: str, nests: bool) -> None:
    """Nested virtualization goes by the line and its version."""
    assert read_size(ResourceSku(sku(name)), "uksouth", TODAY).nests is nests
