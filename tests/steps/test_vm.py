"""The VM, its disk and its setup extension."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from tests.azure.conftest import SUBSCRIPTION, Answer, arm_error
from tests.steps.conftest import PASSWORD, RUN_ID, World
from tests.steps.shelf import COMPUTE, GROUP
from vhdlift.errors import AzureRefused
from vhdlift.steps.setup_extension_installed import SetupExtensionInstalled
from vhdlift.steps.vm_created import VmCreated

VM = f"{COMPUTE}/virtualMachines/lab1"
DISK = f"{COMPUTE}/disks/lab1-os"
EXTENSION = f"{VM}/extensions/CustomScriptExtension"
NIC = {"nic_id": f"{GROUP}/providers/Microsoft.Network/networkInterfaces/lab1-nic"}
SKUS = f"/subscriptions/{SUBSCRIPTION}/providers/Microsoft.Compute/skus"


def sku(name: str, cores: int, **more: str) -> dict[str, Any]:
    can = {"vCPUs": str(cores), "MemoryGB": str(4 * cores), "HyperVGenerations": "V1,V2", **more}
    return {
        "name": name,
        "resourceType": "virtualMachines",
        "family": "standardDSv5Family",
        "locations": ["uksouth"],
        "capabilities": [{"name": n, "value": v} for n, v in can.items()],
        "restrictions": [],
    }


def sent(world: World, path: str) -> dict[str, Any]:
    body = world.shelf.of("PUT", path)[0].body
    assert isinstance(body, dict)
    return body


async def test_vm_is_what_was_asked_for(world: World) -> None:
    """Image, size, Trusted Launch, automatic updates, a standard SSD, and all goes with the VM."""
    made = await VmCreated().do(world.with_facts(**NIC))
    body = sent(world, VM)["properties"]
    assert made == {"vm_id": VM, "vm_size": "Standard_D4s_v5", "os_disk_id": DISK}
    assert body["storageProfile"]["imageReference"]["sku"] == "2025-datacenter-g2"
    assert body["storageProfile"]["osDisk"]["managedDisk"] == {"storageAccountType": "StandardSSD_LRS"}
    assert body["storageProfile"]["osDisk"]["deleteOption"] == "Delete"
    assert body["storageProfile"]["osDisk"]["diskSizeGB"] == 256
    assert body["securityProfile"]["securityType"] == "TrustedLaunch"
    assert body["securityProfile"]["uefiSettings"] == {"secureBootEnabled": True, "vTpmEnabled": True}
    assert body["osProfile"]["windowsConfiguration"]["enableAutomaticUpdates"] is True
    assert body["osProfile"]["adminPassword"] == PASSWORD
    assert body["networkProfile"]["networkInterfaces"][0]["id"] == NIC["nic_id"]
    assert "licenseType" not in body
    assert world.entered == [VM, DISK]


async def test_license_type_is_sent_when_set(world: World) -> None:
    """A desktop image needs one, and gets it."""
    await VmCreated().do(replace(world.with_spec(license_type="Windows_Client"), facts=NIC))
    assert sent(world, VM)["properties"]["licenseType"] == "Windows_Client"


async def test_password_is_nowhere_in_what_is_handed_on(world: World) -> None:
    """Neither facts nor ledger hold it."""
    made = await VmCreated().do(world.with_facts(**NIC))
    assert PASSWORD not in f"{made} {world.entered} {world.told}"


async def test_done_twice_makes_one_vm(world: World) -> None:
    """A repeated `do` takes the VM over."""
    first = await VmCreated().do(world.with_facts(**NIC))
    assert first == await VmCreated().do(world.with_facts(**NIC))
    assert len(world.shelf.of("PUT")) == 1


@pytest.mark.parametrize("inherits", [True, False])
async def test_disk_carries_the_tag(world: World, inherits: bool) -> None:
    """The disk has the run's tag, whether ARM gave it the VM's tags or not."""
    world.shelf.disks_take_tags = inherits
    await VmCreated().do(world.with_facts(**NIC))
    disk = world.shelf.at(DISK)
    assert disk is not None
    assert disk["tags"]["vhdlift-run"] == RUN_ID
    assert len(world.shelf.of("PATCH")) == int(not inherits)


async def test_undo_takes_the_disk_along(world: World) -> None:
    """VM and disk go; nothing is left; again is nothing."""
    await VmCreated().do(world.with_facts(**NIC))
    assert await VmCreated().undo(world.context) == []
    assert world.shelf.ids() == []
    assert await VmCreated().undo(world.context) == []


async def test_untagged_disk_is_known_by_its_vm(world: World) -> None:
    """A crash between VM and tag leaves a disk that only the VM vouches for: it goes too."""
    world.shelf.disks_take_tags = False
    world.shelf.put(
        VM,
        {"tags": {"vhdlift-run": RUN_ID}, "properties": {"storageProfile": {"osDisk": {"name": "lab1-os"}}}},
    )
    assert await VmCreated().undo(world.context) == []
    assert world.shelf.ids() == []


async def test_others_vm_and_disk_stay(world: World) -> None:
    """A VM without our tag is refused by `do` and not touched by `undo`, nor is its disk."""
    world.shelf.put(VM, {"tags": {}, "properties": {"storageProfile": {"osDisk": {"name": "lab1-os"}}}})
    with pytest.raises(AzureRefused, match="not made by this run"):
        await VmCreated().do(world.with_facts(**NIC))
    assert await VmCreated().undo(world.context) == []
    assert world.shelf.ids() == [DISK, VM]


async def test_others_disk_is_in_the_way(world: World) -> None:
    """A free disk of that name that is not ours ends the step before the VM is sent."""
    world.shelf.put(DISK, {"tags": {}})
    with pytest.raises(AzureRefused, match="lab1-os"):
        await VmCreated().do(world.with_facts(**NIC))
    assert world.shelf.ids() == [DISK]


async def test_vm_that_stays_leaves_its_disk_too(world: World) -> None:
    """When the VM cannot be deleted, both are named, and the disk is not waited for."""
    await VmCreated().do(world.with_facts(**NIC))
    world.shelf.on(f"DELETE {VM}", Answer(409, arm_error("ScopeLocked", "The scope is locked.")))
    left = await VmCreated().undo(world.context)
    assert [each.resource_id for each in left] == [VM, DISK]
    assert "ScopeLocked" in left[0].reason


@pytest.mark.parametrize(
    ("code", "message"),
    [
        ("SkuNotAvailable", "The requested VM size is currently not available in location 'uksouth'."),
        (
            "OperationNotAllowed",
            "Operation could not be completed as it results in exceeding approved quota.",
        ),
    ],
)
async def test_refused_size_comes_with_others_that_fit(world: World, code: str, message: str) -> None:
    """When Azure has no room for the size, the hint names the nearest that it offers."""
    world.shelf.on(f"PUT {VM}", Answer(409, arm_error(code, message)))
    skus = [sku("Standard_D4s_v5", 4), sku("Standard_D4as_v5", 4), sku("Standard_E64s_v5", 64)]
    world.shelf.on(f"GET {SKUS}", Answer(body={"value": skus}))
    with pytest.raises(AzureRefused) as refused:
        await VmCreated().do(world.with_facts(**NIC))
    assert refused.value.code == code
    assert refused.value.hint.startswith("The nearest sizes that fit: Standard_D4as_v5 (4 vCPU, 16 GiB")


@pytest.fixture
def scripts(world: World) -> World:
    """A temporary account whose key can be read."""
    account = f"{GROUP}/providers/Microsoft.Storage/storageAccounts/{world.context.names.script_account}"
    keys = {"keys": [{"keyName": "key1", "value": "c2VjcmV0LXNlY3JldC1zZWNyZXQ=", "permissions": "FULL"}]}
    world.shelf.on(f"POST {account}/listKeys", Answer(body=keys))
    return world


SCRIPT = {"script_endpoint": "https://acc.blob.core.windows.net/"}


async def test_reason_is_told_also_when_other_sizes_cannot_be_listed(world: World) -> None:
    """What could only have helped does not take its place."""
    world.shelf.on(f"PUT {VM}", Answer(409, arm_error("QuotaExceeded", "Too many cores.")))
    world.shelf.on(f"GET {SKUS}", Answer(403, arm_error("AuthorizationFailed", "No.")))
    with pytest.raises(AzureRefused, match="Too many cores"):
        await VmCreated().do(world.with_facts(**NIC))


async def test_everything_secret_is_in_the_protected_part(scripts: World) -> None:
    """Address and command are protected; what any reader of the VM sees is a number."""
    await SetupExtensionInstalled().do(scripts.with_facts(**SCRIPT))
    body = sent(scripts, EXTENSION)["properties"]
    url = body["protectedSettings"]["fileUris"][0]
    assert url.startswith("https://acc.blob.core.windows.net/setup/lab1-setup.ps1?")
    assert "sp=r&" in url
    assert "spr=https" in url
    assert body["protectedSettings"]["commandToExecute"] == (
        "powershell.exe -NoProfile -NonInteractive -ExecutionPolicy Bypass -File lab1-setup.ps1"
    )
    assert list(body["settings"]) == ["timestamp"]
    assert 0 <= body["settings"]["timestamp"] < 2**31
    assert body["typeHandlerVersion"] == "1.10"


async def test_extension_is_put_once(scripts: World) -> None:
    """A repeated `do` does not start the script again."""
    await SetupExtensionInstalled().do(scripts.with_facts(**SCRIPT))
    await SetupExtensionInstalled().do(scripts.with_facts(**SCRIPT))
    assert len(scripts.shelf.of("PUT")) == 1
    assert await SetupExtensionInstalled().undo(scripts.context) == []
    assert scripts.shelf.ids() == []


async def test_failed_extension_tells_the_end_of_its_output_without_secrets(scripts: World) -> None:
    """The script's last words are in the error; a signature in them is not."""
    message = (
        "VM has reported a failure when processing extension 'CustomScriptExtension'. Error message: '"
        "Command execution finished, but failed because it returned a non-zero exit code of: '1'.'"
    )
    said = {
        "name": "CustomScriptExtension",
        "substatuses": [
            {"code": "ComponentStatus/StdErr/failed", "message": "no D: at https://a?sig=abcdefgh"}
        ],
    }
    scripts.shelf.on(f"PUT {EXTENSION}", Answer(409, arm_error("VMExtensionProvisioningError", message)))
    scripts.shelf.on(
        f"GET {VM}", Answer(body={"id": VM, "properties": {"instanceView": {"extensions": [said]}}})
    )
    with pytest.raises(AzureRefused) as refused:
        await SetupExtensionInstalled().do(scripts.with_facts(**SCRIPT))
    assert refused.value.code == "VMExtensionProvisioningError"
    assert "non-zero exit code" in refused.value.sentence
    assert "no D: at" in refused.value.sentence
    assert "abcdefgh" not in refused.value.sentence


async def test_failure_of_the_extension_is_told_also_when_its_output_cannot_be_read(scripts: World) -> None:
    failed = Answer(409, arm_error("VMExtensionProvisioningError", "non-zero exit code"))
    scripts.shelf.on(f"PUT {EXTENSION}", failed)
    scripts.shelf.on(f"GET {VM}", Answer(403, arm_error("AuthorizationFailed", "No.")))
    with pytest.raises(AzureRefused, match=r"non-zero exit code.*could not be read"):
        await SetupExtensionInstalled().do(scripts.with_facts(**SCRIPT))


async def test_extension_that_failed_before_stays_failed(scripts: World) -> None:
    """The handler would not run the same request again, so its failure is final."""
    failed = {"tags": {"vhdlift-run": RUN_ID}, "properties": {"provisioningState": "Failed"}}
    scripts.shelf.put(EXTENSION, failed)
    scripts.shelf.kept[EXTENSION.lower()]["properties"]["provisioningState"] = "Failed"
    with pytest.raises(AzureRefused, match="setup extension of the VM lab1 failed"):
        await SetupExtensionInstalled().do(scripts.with_facts(**SCRIPT))
    assert scripts.shelf.of("PUT") == []


@pytest.mark.parametrize("vm_is_ours", [True, False])
async def test_extension_that_stays_goes_with_its_vm(scripts: World, vm_is_ours: bool) -> None:
    """It is a leftover only where its VM is not this run's to delete."""
    await SetupExtensionInstalled().do(scripts.with_facts(**SCRIPT))
    tags = {"vhdlift-run": RUN_ID if vm_is_ours else "another"}
    scripts.shelf.put(VM, {"tags": tags, "properties": {"storageProfile": {"osDisk": {"name": "lab1-os"}}}})
    locked = Answer(409, arm_error("ScopeLocked", "The scope is locked."))
    scripts.shelf.on(f"DELETE {EXTENSION}", locked)
    left = await SetupExtensionInstalled().undo(scripts.context)
    assert [each.resource_id for each in left] == ([] if vm_is_ours else [EXTENSION])
