"""Virtual machines: made, read, changed and deleted as the real service was recorded to do."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest
import pytest_asyncio
from azure.core.exceptions import HttpResponseError, ResourceNotFoundError

from armlocal.providers.vmsizes import restriction, sizes
from tests.armlocal.machines import PASSWORD, Machines, running_machines

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path

    from tests.armlocal.conftest import Certificates


@pytest_asyncio.fixture
async def lab(certificates: Certificates, tmp_path: Path) -> AsyncIterator[Machines]:
    async with running_machines(certificates, tmp_path) as started:
        yield started


async def test_a_new_machine_is_creating_without_a_disk_and_has_one_when_it_is_read(lab: Machines) -> None:
    first = await lab.arm.http.put(lab.vm, json=lab.body())
    assert first.status_code == 201
    assert first.json()["properties"]["provisioningState"] == "Creating"
    assert "name" not in first.json()["properties"]["storageProfile"]["osDisk"]
    assert "location" not in first.headers
    await lab.arm.end(first.headers["azure-asyncoperation"])
    read = (await lab.arm.http.get(lab.vm)).json()
    disk = read["properties"]["storageProfile"]["osDisk"]
    assert read["properties"]["provisioningState"] == "Succeeded"
    assert disk["name"].startswith("vm1_OsDisk_1_")
    assert (disk["osType"], disk["diskSizeGB"], disk["deleteOption"]) == ("Windows", 127, "Detach")
    assert read["properties"]["storageProfile"]["imageReference"]["exactVersion"].startswith("20348.")
    assert read["properties"]["securityProfile"]["securityType"] == "TrustedLaunch"
    assert read["properties"]["vmId"] == first.json()["properties"]["vmId"]


async def test_the_password_is_nowhere_to_be_read(lab: Machines) -> None:
    first = await lab.arm.http.put(lab.vm, json=lab.body())
    await lab.arm.end(first.headers["azure-asyncoperation"])
    read = await lab.arm.http.get(lab.vm, params={"$expand": "instanceView"})
    left = await lab.arm.http.get("/_control/left")
    assert PASSWORD not in first.text + read.text + left.text + repr(lab.arm.world.resources)
    assert PASSWORD not in (lab.arm.world.dir / "requests.ndjson").read_text()


async def test_a_running_machine_has_an_agent_that_is_ready_a_while_later(lab: Machines) -> None:
    await lab.make()
    lab.arm.world.resources[lab.vm.lower()].private["agent_from"] += 1000
    early = (await lab.arm.http.get(lab.vm, params={"$expand": "instanceView"})).json()
    lab.arm.world.resources[lab.vm.lower()].private["agent_from"] = 0.0
    later = (await lab.arm.http.get(lab.vm, params={"$expand": "instanceView"})).json()
    views = [body["properties"]["instanceView"] for body in (early, later)]
    assert [view["vmAgent"]["statuses"][0]["displayStatus"] for view in views] == ["Not Ready", "Ready"]
    assert views[1]["computerName"] == "vm1"
    assert [s["code"] for s in views[1]["statuses"]] == ["ProvisioningState/succeeded", "PowerState/running"]
    assert views[1]["hyperVGeneration"] == "V2"


async def test_while_it_is_made_it_is_starting(lab: Machines) -> None:
    await lab.slowly()
    await lab.arm.http.put(lab.vm, json=lab.body())
    view = (await lab.arm.http.get(f"{lab.vm}/instanceView")).json()
    assert [s["code"] for s in view["statuses"]] == ["ProvisioningState/creating", "PowerState/starting"]
    assert "vmAgent" not in view


async def test_the_nic_and_the_disk_say_which_machine_has_them(lab: Machines) -> None:
    made = await lab.make()
    nic = (await lab.arm.http.get(lab.nic)).json()
    disk = (await lab.arm.http.get(made.storage_profile.os_disk.managed_disk.id)).json()
    assert nic["properties"]["virtualMachine"] == {"id": lab.vm}
    assert (disk["managedBy"], disk["properties"]["diskState"]) == (lab.vm, "Attached")
    assert disk["sku"] == {"name": "StandardSSD_LRS", "tier": "Standard"}
    assert disk["properties"]["securityProfile"] == {"securityType": "TrustedLaunch"}


async def test_machines_are_listed_in_a_group_and_in_the_subscription(lab: Machines) -> None:
    await lab.make()
    machines = lab.arm.compute.virtual_machines
    assert [vm.name async for vm in machines.list("t")] == ["vm1"]
    assert [vm.name async for vm in machines.list_all()] == ["lab-source", "vm1"]


async def test_tags_change_by_patch_and_nothing_else_does(lab: Machines) -> None:
    before = await lab.make()
    after = await lab.do("update", "t", "vm1", {"tags": {"new": "1"}})
    assert after.tags == {"new": "1"}
    assert (after.vm_id, after.provisioning_state) == (before.vm_id, "Succeeded")


async def test_what_a_machine_was_made_from_cannot_change(lab: Machines) -> None:
    await lab.make()
    answer = await lab.arm.http.put(lab.vm, json=lab.body(osProfile__adminUsername="other"))
    assert (answer.status_code, answer.json()["error"]["code"]) == (409, "PropertyChangeNotAllowed")
    assert (await lab.arm.http.put(lab.vm, json=lab.body())).status_code == 200


@pytest.mark.parametrize(("option", "left"), [("Detach", ["vm1-disk"]), ("Delete", [])])
async def test_a_delete_keeps_the_disk_unless_it_was_told_to_delete_it(
    lab: Machines, option: str, left: list[str]
) -> None:
    disk = {"name": "vm1-disk", "createOption": "FromImage", "deleteOption": option}
    await lab.make(storageProfile__osDisk=disk)
    await lab.do("delete", "t", "vm1")
    found = [disk async for disk in lab.arm.compute.disks.list_by_resource_group("t")]
    assert [disk.name for disk in found] == left
    assert [disk.disk_state for disk in found] == ["Unattached" for _ in left]
    assert [disk.managed_by for disk in found] == [None for _ in left]
    with pytest.raises(ResourceNotFoundError):
        await lab.arm.compute.virtual_machines.get("t", "vm1")
    assert lab.guest.stopped == [lab.vm]


async def test_deleting_what_is_not_there_is_204(lab: Machines) -> None:
    answer = await lab.arm.http.delete(lab.vm)
    assert (answer.status_code, answer.content) == (204, b"")


async def test_the_nic_of_a_machine_that_did_not_come_up_is_reserved_for_it_a_while(lab: Machines) -> None:
    lab.arm.world.scale = 0.05
    await lab.arm.http.put(lab.vm, json=lab.body())
    await lab.do("delete", "t", "vm1")
    other = lab.vm.replace("vm1", "vm2")
    refused = await lab.arm.http.put(other, json=lab.body())
    kept = await lab.arm.http.delete(lab.nic)
    for answer in (refused, kept):
        assert (answer.status_code, answer.json()["error"]["code"]) == (400, "NicReservedForAnotherVm")
        assert answer.json()["error"]["message"].endswith(f"after 180 seconds. Reserved VM: {lab.vm}")
    assert (await lab.arm.http.put(lab.vm, json=lab.body())).status_code == 201


async def test_a_reserved_nic_is_free_when_the_time_is_over(lab: Machines) -> None:
    await lab.arm.http.put(lab.vm, json=lab.body())
    lab.arm.world.scale = 0.0
    await lab.do("delete", "t", "vm1")
    assert (await lab.arm.http.delete(lab.nic)).status_code == 202


async def test_the_nic_of_a_machine_that_ran_is_free_at_once(lab: Machines) -> None:
    await lab.make()
    await lab.do("delete", "t", "vm1")
    await lab.slowly()
    assert lab.arm.world.reservation(lab.arm.world.resources[lab.nic.lower()]) is None
    assert (await lab.arm.http.delete(lab.nic)).status_code == 202


async def test_a_nic_that_goes_with_its_machine_is_gone(lab: Machines) -> None:
    reference = {"id": lab.nic, "properties": {"deleteOption": "Delete"}}
    await lab.make(networkProfile__networkInterfaces=[reference])
    await lab.do("delete", "t", "vm1")
    assert (await lab.arm.http.get(lab.nic)).status_code == 404


async def test_a_machine_can_take_a_disk_that_is_there(lab: Machines) -> None:
    await lab.make(storageProfile__osDisk={"name": "kept", "createOption": "FromImage"})
    await lab.do("delete", "t", "vm1")
    disk = {
        "createOption": "Attach",
        "osType": "Windows",
        "managedDisk": {"id": lab.arm.id("t", "Microsoft.Compute/disks/kept")},
    }
    again = await lab.make(storageProfile={"osDisk": disk}, osProfile=None)
    assert (again.storage_profile.os_disk.name, again.os_profile) == ("kept", None)


REFUSALS: list[tuple[dict[str, Any], int, str, str]] = [
    ({"networkProfile__networkInterfaces": []}, 400, "InvalidParameter", "network interface"),
    ({"networkProfile__networkInterfaces": [{"id": "/x/y"}]}, 404, "NotFound", "Resource /x/y not found."),
    (
        {"hardwareProfile__vmSize": "Standard_X1"},
        400,
        "InvalidParameter",
        "The value Standard_X1 provided for the VM size",
    ),
    ({"hardwareProfile__vmSize": "Standard_A2_v2"}, 400, "BadRequest", "TrustedLaunch"),
    (
        {"hardwareProfile__vmSize": "Standard_A2_v2", "securityProfile": None},
        400,
        "BadRequest",
        "cannot boot Hypervisor Generation '2'",
    ),
    (
        {"storageProfile__imageReference__sku": "2022-datacenter"},
        400,
        "BadRequest",
        "not supported for the provided image",
    ),
    (
        {"storageProfile__imageReference__sku": "2003"},
        404,
        "PlatformImageNotFound",
        "MicrosoftWindowsServer:WindowsServer:2003:latest",
    ),
    ({"storageProfile__osDisk__diskSizeGB": 64}, 409, "OperationNotAllowed", "smaller than"),
    ({"osProfile__computerName": "a-name-that-is-too-long"}, 400, "InvalidParameter", "15 characters"),
    ({"osProfile__computerName": "12345"}, 400, "InvalidParameter", "entirely numeric"),
    ({"osProfile__adminUsername": "administrator"}, 400, "InvalidParameter", "Admin Username"),
    ({"osProfile__adminPassword": "short1A"}, 400, "InvalidParameter", "8-123 characters"),
    ({"osProfile__adminPassword": "onlylowercaseletters"}, 400, "InvalidParameter", "at least 3"),
    ({"osProfile__adminPassword": "P@ssw0rd"}, 400, "InvalidParameter", "common"),
    ({"osProfile": None}, 400, "InvalidRequestContent", "osProfile"),
]


@pytest.mark.parametrize(("changes", "status", "code", "words"), REFUSALS)
async def test_what_compute_refuses_is_named_and_nothing_is_made(
    lab: Machines, changes: dict[str, Any], status: int, code: str, words: str
) -> None:
    before = set(lab.arm.world.resources)
    answer = await lab.arm.http.put(lab.vm, json=lab.body(**changes))
    assert (answer.status_code, answer.json()["error"]["code"]) == (status, code)
    assert words in answer.json()["error"]["message"]
    assert set(lab.arm.world.resources) == before
    assert PASSWORD not in answer.text


async def test_a_size_that_the_subscription_may_not_use_is_sku_not_available(lab: Machines) -> None:
    answer = await lab.arm.http.put(lab.vm, json=lab.body(hardwareProfile__vmSize=_restricted()))
    assert (answer.status_code, answer.json()["error"]["code"]) == (409, "SkuNotAvailable")


def _restricted() -> str:
    return next(size.name for size in sizes().values() if restriction(size) == "Location")


async def test_a_nic_that_another_machine_has_is_refused(lab: Machines) -> None:
    await lab.make()
    with pytest.raises(HttpResponseError) as caught:
        await lab.do("create_or_update", "t", "vm2", lab.body())
    assert json.loads(caught.value.response.text())["error"]["code"] == "NicInUse"  # type: ignore[union-attr]
