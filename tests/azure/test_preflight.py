"""Preflight of what the stand-in cannot be: each problem gives its own finding, all come at once."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from tests.azure.conftest import SUBSCRIPTION, Answer, arm_error
from tests.azure.test_sizes import sku
from tests.steps.conftest import World, authority, shelf, spec, world
from tests.steps.shelf import COMPUTE, GROUP, NETWORK, Shelf
from vhdlift.azure import preflight
from vhdlift.azure.findings import Finding
from vhdlift.errors import PreflightFailed, SignInNeeded, UsageError

__all__ = ["authority", "shelf", "world"]

ALL = f"/subscriptions/{SUBSCRIPTION}"
OLD = f"{ALL}/resourceGroups/old-rg/providers/Microsoft.Compute"
SOURCE, DISK = f"{OLD}/virtualMachines/old1", f"{OLD}/disks/old1_OsDisk"
SKUS = f"{ALL}/providers/Microsoft.Compute/skus"
USAGES = f"{ALL}/providers/Microsoft.Compute/locations/uksouth/usages"
VERSIONS = (
    f"{ALL}/providers/Microsoft.Compute/locations/uksouth/publishers/MicrosoftWindowsServer"
    "/artifacttypes/vmimage/offers/WindowsServer/skus/2025-datacenter-g2/versions"
)
IMAGE = f"{VERSIONS}/26100.4652.250705"
ZONE = f"{NETWORK}/dnsZones/example.org"
GIB = 2**30


def usage(name: str, limit: int, used: int) -> dict[str, Any]:
    return {
        "limit": limit,
        "currentValue": used,
        "unit": "Count",
        "name": {"value": name, "localizedValue": name},
    }


def image(**more: Any) -> dict[str, Any]:
    properties = {
        "hyperVGeneration": "V2",
        "architecture": "x64",
        "features": [{"name": "SecurityType", "value": "TrustedLaunchAndConfidentialVmSupported"}],
        "osDiskImage": {"operatingSystem": "Windows"},
        **more,
    }
    return {"location": "uksouth", "name": "26100.4652.250705", "properties": properties}


def source(**os_disk: Any) -> dict[str, Any]:
    disk = {
        "osType": "Windows",
        "name": "old1_OsDisk",
        "createOption": "FromImage",
        "managedDisk": {"id": DISK},
    }
    return {"location": "uksouth", "properties": {"storageProfile": {"osDisk": {**disk, **os_disk}}}}


@pytest.fixture
def clean(world: World) -> World:
    """A subscription in which the run would succeed."""
    kept = world.shelf
    kept.put(
        DISK, {"location": "uksouth", "properties": {"diskSizeBytes": 127 * GIB, "hyperVGeneration": "V2"}}
    )
    kept.kept[SOURCE.lower()] = {"id": SOURCE, "name": "old1", "type": "virtualMachines", **source()}
    kept.put(ZONE, {"location": "global"})
    kept.put(GROUP, {"location": "uksouth"})
    everything = Answer(body={"value": [{"actions": ["*"], "notActions": []}]})
    for scope in (ALL, GROUP, OLD.partition("/providers")[0]):
        kept.on(f"GET {scope}/providers/Microsoft.Authorization/permissions", everything)
    for namespace in ("Network", "Storage"):
        where = f"{ALL}/providers/Microsoft.{namespace}/locations/uksouth/usages"
        kept.on(f"GET {where}", Answer(body={"value": []}))
    kept.on(f"GET {SKUS}", Answer(body={"value": [sku("Standard_D4s_v5"), sku("Standard_D4as_v5")]}))
    kept.on(f"GET {USAGES}", Answer(body={"value": [usage("cores", 100, 10), usage("aFamily", 10, 6)]}))
    kept.on(f"GET {VERSIONS}", Answer(body=[{"name": "26100.4652.250705", "location": "uksouth"}]))
    kept.on(f"GET {IMAGE}", Answer(body=image()))
    kept.on(f"GET {ALL}/providers/Microsoft.Authorization/locks", Answer(body={"value": []}))
    kept.on(f"POST {GROUP}/providers/Microsoft.PolicyInsights/checkPolicyRestrictions", Answer(body={}))
    for name in ("Microsoft.Compute", "Microsoft.Network", "Microsoft.Storage", "Microsoft.PolicyInsights"):
        kept.on(
            f"GET {ALL}/providers/{name}", Answer(body={"namespace": name, "registrationState": "Registered"})
        )
    return world


async def look(world: World, **more: Any) -> list[Finding]:
    return (await preflight.look(world.context.azure, spec(**more))).findings


async def test_clean_subscription_gives_nothing_and_is_not_changed(clean: World) -> None:
    """No finding, and no request that could change anything."""
    assert await look(clean) == []
    posted = [seen.path.partition("?")[0] for seen in clean.shelf.seen if seen.method not in {"GET", "HEAD"}]
    assert {path.rpartition("/")[2] for path in posted} == {"checkPolicyRestrictions"}


def broken_image(**more: Any) -> Callable[[Shelf], None]:
    return lambda s: s.on(f"GET {IMAGE}", Answer(body=image(**more)))


def kept(path: str, **body: Any) -> Callable[[Shelf], object]:
    return lambda s: s.put(path, body)


def source_is(**os_disk: Any) -> Callable[[Shelf], None]:
    return lambda s: s.kept[SOURCE.lower()].update(source(**os_disk))


def vm_body() -> dict[str, Any]:
    return {"storageProfile": {"osDisk": {"name": "another"}}}


PROBLEMS: list[tuple[str, Callable[[Shelf], object], str, str]] = [
    ("source-vm-missing", lambda s: s.kept.pop(SOURCE.lower()), "no VM old1", "az vm list"),
    ("source-vm-unfit", source_is(osType="Linux"), "not Windows", "az vm show"),
    ("source-vm-unfit", source_is(diffDiskSettings={"option": "Local"}), "ephemeral", "az vm show"),
    ("source-vm-unfit", source_is(encryptionSettings={"enabled": True}), "encrypted", "az vm show"),
    (
        "os-disk-too-small",
        lambda s: s.kept[DISK.lower()]["properties"].update(diskSizeBytes=256 * GIB),
        "296 GB",
        "--os-disk-gb 296",
    ),
    (
        "source-export-closed",
        lambda s: s.kept[DISK.lower()]["properties"].update(dataAccessAuthMode="AzureActiveDirectory"),
        "dataAccessAuthMode",
        "az disk update",
    ),
    (
        "location-differs",
        lambda s: s.kept[SOURCE.lower()].update(location="westeurope"),
        "crosses",
        "westeurope",
    ),
    (
        "vm-size",
        lambda s: s.on(f"GET {SKUS}", Answer(body={"value": [sku("Standard_D4as_v5")]})),
        "nearest sizes that fit: Standard_D4as_v5 (4 vCPU, 16 GiB, no local disk)",
        "--vm-size Standard_D4as_v5",
    ),
    (
        "quota-cores",
        lambda s: s.on(f"GET {USAGES}", Answer(body={"value": [usage("cores", 12, 10)]})),
        "2 are free",
        "az quota update",
    ),
    (
        "quota-family",
        lambda s: s.on(f"GET {USAGES}", Answer(body={"value": [usage("AFAMILY", 0, 0)]})),
        "0 are free",
        "az quota update",
    ),
    ("image-missing", lambda s: s.on(f"GET {VERSIONS}", Answer(body=[])), "no image", "az vm image list"),
    (
        "image-missing",
        lambda s: s.on(f"GET {VERSIONS}", Answer(404, arm_error("ArtifactNotFound", "no"))),
        "no image",
        "az vm image list",
    ),
    ("image-unfit", broken_image(hyperVGeneration="V1"), "generation", "--image Micro"),
    ("image-unfit", broken_image(features=[]), "Trusted Launch", "--image Micro"),
    (
        "image-unfit",
        broken_image(osDiskImage={"operatingSystem": "Linux"}),
        "not Windows",
        "--image Micro",
    ),
    ("image-unfit", broken_image(architecture="Arm64"), "Arm64", "--image Micro"),
    (
        "provider",
        lambda s: s.on(
            f"GET {ALL}/providers/Microsoft.Storage",
            Answer(body={"namespace": "Microsoft.Storage", "registrationState": "NotRegistered"}),
        ),
        "Microsoft.Storage",
        "az provider register --namespace Microsoft.Storage",
    ),
    ("name-taken", kept(f"{COMPUTE}/virtualMachines/lab1", properties=vm_body()), "lab1", "az resource show"),
    ("name-taken", kept(f"{COMPUTE}/disks/lab1-os"), "lab1-os", "az resource show"),
    ("name-taken", kept(f"{NETWORK}/virtualNetworks/lab1-vnet"), "lab1-vnet", "az resource show"),
    ("name-taken", kept(f"{NETWORK}/publicIPAddresses/lab1-ip"), "lab1-ip", "az resource show"),
    ("name-taken", kept(f"{NETWORK}/networkInterfaces/lab1-nic"), "lab1-nic", "az resource show"),
    (
        "nsg-location",
        kept(f"{NETWORK}/networkSecurityGroups/lab1-nsg", location="westeurope"),
        "westeurope",
        "az",
    ),
    ("record-exists", kept(f"{ZONE}/A/pin.lab1"), "pin.lab1.example.org", "record-set a show"),
    ("record-conflict", kept(f"{ZONE}/CNAME/web.lab1"), "web.lab1.example.org", "record-set cname show"),
    (
        "dns-zone-not-clear",
        kept(ZONE.replace("lab1-rg", "dns-rg"), location="global"),
        "--dns-resource-group",
        "az network dns zone list",
    ),
    (
        "group-deleting",
        lambda s: s.on(
            f"GET {GROUP}", Answer(body={"id": GROUP, "properties": {"provisioningState": "Deleting"}})
        ),
        "being deleted",
        "az group wait",
    ),
    (
        "not-allowed",
        lambda s: s.on(f"GET {USAGES}", Answer(403, arm_error("AuthorizationFailed", "no right"))),
        "no right",
        "az role definition create",
    ),
    (
        "not-answered",
        lambda s: s.on(f"GET {USAGES}", Answer(400, arm_error("BadRequest", "what?"))),
        "what?",
        "",
    ),
]


@pytest.mark.parametrize(
    ("code", "breaks", "said", "mends"), PROBLEMS, ids=[f"{i}-{p[0]}" for i, p in enumerate(PROBLEMS)]
)
async def test_each_problem_gives_exactly_its_finding(
    clean: World, code: str, breaks: Callable[[Shelf], object], said: str, mends: str
) -> None:
    """One thing wrong, one finding, with what was asked and what mends it."""
    breaks(clean.shelf)
    (finding,) = await look(clean)
    assert finding.code == code
    assert said in finding.message
    assert mends in finding.command
    assert finding.asked


async def test_smaller_target_is_told(clean: World) -> None:
    """A target below the source's size was asked for and may work; it needs no larger disk."""
    (finding,) = await look(clean, target_size_gib=64)
    assert (finding.code, finding.severity) == ("target-size", "notice")


async def test_missing_dns_group_is_found(clean: World) -> None:
    """A group for DNS that was named and is not there."""
    (finding,) = await look(clean, dns_resource_group="gone-rg")
    assert finding.code == "dns-group-missing"


async def test_all_problems_come_at_once_errors_first(clean: World) -> None:
    """Problems of different kinds are told together."""
    kept(f"{ZONE}/A/pin.lab1")(clean.shelf)
    kept(f"{COMPUTE}/disks/lab1-os")(clean.shelf)
    broken_image(features=[])(clean.shelf)
    clean.shelf.on(f"GET {SKUS}", Answer(body={"value": []}))
    codes = [finding.code for finding in await look(clean, target_size_gib=64)]
    assert sorted(codes[:3]) == ["image-unfit", "name-taken", "vm-size"]
    assert sorted(codes[3:]) == ["record-exists", "target-size"]


async def test_own_resources_of_a_run_are_no_problem(clean: World) -> None:
    """With a run, what carries its tag is its own, and its storage names are looked at."""
    run = clean.context.run
    clean.shelf.put(f"{COMPUTE}/disks/lab1-os", {"tags": run.tags})
    check = f"POST {ALL}/providers/Microsoft.Storage/checkNameAvailability"
    taken = {"nameAvailable": False, "reason": "AlreadyExists", "message": "already taken"}
    clean.shelf.on(check, Answer(body=taken), Answer(body={"nameAvailable": True}))
    (finding,) = (await preflight.look(clean.context.azure, run.spec, run)).findings
    assert finding.code == "account-name-taken"
    assert finding.to_json()["severity"] == "error"


async def test_without_a_token_nothing_else_is_said(clean: World) -> None:
    """A wrong secret ends it with the error for signing in."""
    clean.shelf.token = Answer(401, {"error": "invalid_client", "error_description": "AADSTS7000215: wrong"})
    with pytest.raises(SignInNeeded):
        await look(clean)


async def test_location_comes_from_the_source(clean: World) -> None:
    """Without a location the new VM is made where the source is."""
    settings = clean.settings.model_copy(
        update={
            "source_vm": "old1",
            "source_resource_group": "old-rg",
            "vm_name": "lab1",
            "resource_group": "lab1-rg",
            "domain": "example.org",
            "subdomain": "lab1",
        }
    )
    assert (await preflight.complete_spec(settings)).location == "uksouth"
    missing = settings.model_copy(update={"source_vm": "nobody"})
    with pytest.raises(PreflightFailed, match="no VM nobody"):
        await preflight.complete_spec(missing)
    with pytest.raises(UsageError):
        await preflight.complete_spec(settings.model_copy(update={"source_vm": None}))


async def test_disk_that_no_vhd_holds(clean: World) -> None:
    """Beyond the format's end a smaller target is wanted."""
    clean.shelf.kept[DISK.lower()]["properties"]["diskSizeBytes"] = 3000 * GIB
    finding = next(f for f in await look(clean, os_disk_gb=4000) if f.severity == "error")
    assert (finding.code, finding.command) == ("vhd-too-large", "--target-size-gib 2040")
    assert [f.code for f in await look(clean, os_disk_gb=4000, target_size_gib=2040)] == ["target-size"]


async def test_disk_whose_work_outlives_every_access(clean: World) -> None:
    """Azure opens a snapshot for sixty days at most."""
    clean.shelf.kept[DISK.lower()]["properties"]["diskSizeBytes"] = 2**45
    assert "sas-too-short" in [f.code for f in await look(clean)]


async def test_size_in_which_no_vms_run_is_told(clean: World) -> None:
    """It does not matter to the export."""
    clean.shelf.on(f"GET {SKUS}", Answer(body={"value": [sku("Standard_NV36ads_A10_v5")]}))
    (finding,) = await look(clean, vm_size="Standard_NV36ads_A10_v5")
    assert (finding.code, finding.severity) == ("vm-size-nesting", "notice")
