"""Disks and snapshots: copied by reference, exported by SAS, refused while somebody has them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
import pytest_asyncio
from azure.core.exceptions import HttpResponseError

from tests.armlocal.armworld import LOCATION
from tests.armlocal.machines import GIB, Machines, running_machines

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path

    from tests.armlocal.conftest import Certificates

SNAPSHOT = "Microsoft.Compute/snapshots/snap"


@pytest_asyncio.fixture
async def lab(certificates: Certificates, tmp_path: Path) -> AsyncIterator[Machines]:
    async with running_machines(certificates, tmp_path) as started:
        yield started


def _copy(source: str) -> dict[str, Any]:
    creation = {"createOption": "Copy", "sourceResourceId": source}
    return {"location": "uksouth", "tags": {"run": "r1"}, "properties": {"creationData": creation}}


async def _snapshot(lab: Machines) -> Any:
    return await lab.do("create_or_update", "lab", "snap", _copy(lab.source_disk), of="snapshots")


async def test_a_snapshot_is_updating_first_and_inherits_from_its_disk(lab: Machines) -> None:
    answer = await lab.arm.http.put(lab.arm.id("lab", SNAPSHOT), json=_copy(lab.source_disk))
    assert (answer.status_code, answer.json()["properties"]["provisioningState"]) == (202, "Updating")
    assert "diskSizeBytes" not in answer.json()["properties"]
    assert "azure-asyncnotification" not in answer.headers
    assert "/DiskOperations/" in answer.headers["azure-asyncoperation"]
    told = await lab.arm.end(answer.headers["azure-asyncoperation"])
    read = (await lab.arm.http.get(lab.arm.id("lab", SNAPSHOT))).json()
    last = (await lab.arm.http.get(answer.headers["location"])).json()
    assert told["properties"]["output"] == read == last
    assert read["properties"]["diskSizeBytes"] == 2 * GIB
    assert read["properties"]["securityProfile"] == {"securityType": "TrustedLaunch"}
    assert (read["properties"]["osType"], read["properties"]["hyperVGeneration"]) == ("Windows", "V2")
    assert read["properties"]["snapshotAccessState"] == "Available"
    assert read["tags"] == {"run": "r1"}
    assert lab.disks.sizes[lab.arm.id("lab", SNAPSHOT).lower()] == 2 * GIB


async def test_a_snapshot_of_nothing_or_of_another_region_is_a_404(lab: Machines) -> None:
    path = lab.arm.id("lab", SNAPSHOT)
    for body in (_copy(lab.source_disk + "x"), {**_copy(lab.source_disk), "location": "westeurope"}):
        answer = await lab.arm.http.put(path, json=body)
        assert (answer.status_code, answer.json()["error"]["code"]) == (404, "NotFound")
        assert answer.json()["error"]["message"].startswith("Resource lab-source_OsDisk")


async def test_an_export_is_granted_shown_and_revoked(lab: Machines) -> None:
    await _snapshot(lab)
    granted = await lab.do(
        "grant_access", "lab", "snap", {"access": "Read", "durationInSeconds": 3600}, of="snapshots"
    )
    assert granted.access_sas.startswith(f"{lab.arm.world.base_url}/_export/md-1/abcd?sv=")
    assert lab.grants.granted == {lab.arm.id("lab", SNAPSHOT).lower(): 3600}
    assert (await lab.arm.compute.snapshots.get("lab", "snap")).disk_state == "ActiveSAS"
    await lab.do("revoke_access", "lab", "snap", of="snapshots")
    assert lab.grants.granted == {}
    assert (await lab.arm.compute.snapshots.get("lab", "snap")).disk_state == "Unattached"


async def test_a_snapshot_with_an_active_export_cannot_be_deleted(lab: Machines) -> None:
    await _snapshot(lab)
    access = {"access": "Read", "durationInSeconds": 3600}
    await lab.do("grant_access", "lab", "snap", access, of="snapshots")
    with pytest.raises(HttpResponseError) as caught:
        await lab.do("delete", "lab", "snap", of="snapshots")
    assert (caught.value.status_code, caught.value.error.code) == (409, "OperationNotAllowed")  # type: ignore[union-attr]
    assert "active shared access signature outstanding for snapshot snap" in str(caught.value)
    await lab.do("revoke_access", "lab", "snap", of="snapshots")
    await lab.do("delete", "lab", "snap", of="snapshots")
    assert lab.arm.id("lab", SNAPSHOT).lower() not in lab.disks.sizes


async def test_an_export_whose_time_is_over_holds_nothing(lab: Machines) -> None:
    await _snapshot(lab)
    access = {"access": "Read", "durationInSeconds": 3600}
    await lab.do("grant_access", "lab", "snap", access, of="snapshots")
    lab.arm.world.resources[lab.arm.id("lab", SNAPSHOT).lower()].private["export_until"] = 0.0
    found = [snapshot async for snapshot in lab.arm.compute.snapshots.list()]
    assert [snapshot.disk_state for snapshot in found] == ["Unattached"]
    await lab.do("delete", "lab", "snap", of="snapshots")


async def test_a_deleted_snapshot_is_not_found_first_by_compute_and_then_by_arm(lab: Machines) -> None:
    await _snapshot(lab)
    await lab.do("delete", "lab", "snap", of="snapshots")
    path = lab.arm.id("lab", SNAPSHOT)
    lab.arm.world.ghosts[path.lower()] += 1000
    early = await lab.arm.http.get(path)
    lab.arm.world.ghosts.clear()
    later = await lab.arm.http.get(path)
    assert early.json() == {"error": {"code": "NotFound", "message": "Snapshot snap is not found."}}
    assert later.json()["error"]["code"] == "ResourceNotFound"
    assert (await lab.arm.http.delete(path)).status_code == 204


async def test_a_disk_that_a_machine_has_is_not_deleted(lab: Machines) -> None:
    answer = await lab.arm.http.delete(lab.source_disk)
    vm = lab.arm.id("lab", "Microsoft.Compute/virtualMachines/lab-source")
    assert answer.status_code == 409
    assert answer.json() == {
        "error": {
            "code": "OperationNotAllowed",
            "message": f"Disk lab-source_OsDisk is attached to VM {vm}.",
        }
    }


async def test_a_disk_of_a_running_machine_is_not_exported_and_of_a_deallocated_one_is(lab: Machines) -> None:
    access = {"access": "Read", "durationInSeconds": 60}
    with pytest.raises(HttpResponseError):
        await lab.do("grant_access", "lab", "lab-source_OsDisk", access, of="disks")
    await lab.do("deallocate", "lab", "lab-source")
    await lab.do("grant_access", "lab", "lab-source_OsDisk", access, of="disks")
    await lab.do("revoke_access", "lab", "lab-source_OsDisk", of="disks")
    assert (await lab.arm.compute.disks.get("lab", "lab-source_OsDisk")).disk_state == "Reserved"


async def test_disks_are_made_empty_or_from_a_snapshot(lab: Machines) -> None:
    await _snapshot(lab)
    creation = {"creationData": {"createOption": "Empty"}, "diskSizeGB": 8}
    empty = await lab.do(
        "create_or_update", "lab", "d1", {"location": "uksouth", "properties": creation}, of="disks"
    )
    copied = await lab.do("create_or_update", "lab", "d2", _copy(lab.arm.id("lab", SNAPSHOT)), of="disks")
    assert (empty.disk_size_bytes, copied.disk_size_bytes) == (8 * GIB, 2 * GIB)
    assert (empty.disk_state, copied.disk_state) == ("Unattached", "Unattached")
    names = [disk.name async for disk in lab.arm.compute.disks.list_by_resource_group("lab")]
    assert names == ["lab-source_OsDisk", "d1", "d2"]


async def test_tags_of_a_disk_change_by_patch(lab: Machines) -> None:
    changed = await lab.do("update", "lab", "lab-source_OsDisk", {"tags": {"a": "b"}}, of="disks")
    assert changed.tags == {"a": "b"}
    assert changed.managed_by is not None


@pytest.mark.parametrize(
    "properties",
    [
        {"creationData": {"createOption": "Upload"}},
        {"creationData": {"createOption": "Empty"}},
        {"creationData": {"createOption": "Copy"}},
        {},
    ],
)
async def test_a_disk_that_says_too_little_is_a_400(lab: Machines, properties: dict[str, Any]) -> None:
    path = lab.arm.id("lab", "Microsoft.Compute/disks/d")
    answer = await lab.arm.http.put(path, json={"location": "uksouth", "properties": properties})
    assert answer.status_code == 400


async def test_a_disk_grows_and_changes_its_kind_but_does_not_shrink(lab: Machines) -> None:
    disk = lab.arm.id("t", "Microsoft.Compute/disks/d")
    creation = {"createOption": "Empty"}
    small = {"location": LOCATION, "properties": {"creationData": creation, "diskSizeGB": 32}}
    await lab.do("create_or_update", "t", "d", small, of="disks")
    large = {
        **small,
        "sku": {"name": "Premium_LRS"},
        "properties": {"creationData": creation, "diskSizeGB": 64, "networkAccessPolicy": "DenyAll"},
    }
    first = await lab.arm.http.put(disk, json=large)
    assert first.json()["properties"]["provisioningState"] == "Updating"
    assert "diskState" not in first.json()["properties"]
    await lab.arm.end(first.headers["azure-asyncoperation"])
    after = (await lab.arm.http.get(disk)).json()
    assert after["sku"] == {"name": "Premium_LRS", "tier": "Premium"}
    shown = {key: after["properties"][key] for key in ("diskSizeGB", "networkAccessPolicy", "tier")}
    assert shown == {"diskSizeGB": 64, "networkAccessPolicy": "DenyAll", "tier": "P6"}
    refused = await lab.arm.http.put(disk, json=small)
    assert (refused.status_code, refused.json()["error"]["code"]) == (409, "OperationNotAllowed")
