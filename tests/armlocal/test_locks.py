"""Management locks: made where Azure lets them be made, and what they forbid, in Azure's words."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
import pytest_asyncio

from tests.armlocal.armworld import LOCATION
from tests.armlocal.machines import Machines, running_machines

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path

    import httpx

    from tests.armlocal.conftest import Certificates

ADDRESS = "Microsoft.Network/publicIPAddresses/ip"
BODY: dict[str, Any] = {
    "location": LOCATION,
    "sku": {"name": "Standard"},
    "properties": {"publicIPAllocationMethod": "Static"},
}


@pytest_asyncio.fixture
async def lab(certificates: Certificates, tmp_path: Path) -> AsyncIterator[Machines]:
    async with running_machines(certificates, tmp_path) as started:
        await started.arm.router.invoke(started.arm.world, "PUT", started.arm.id("t", ADDRESS), BODY)
        yield started


def _group(lab: Machines) -> str:
    return f"/subscriptions/{lab.arm.world.subscription_id}/resourceGroups/t"


def _lock_of(scope: str, name: str = "keep") -> str:
    return f"{scope}/providers/Microsoft.Authorization/locks/{name}"


async def _lock(lab: Machines, scope: str, level: str = "CanNotDelete") -> httpx.Response:
    body = {"properties": {"level": level, "notes": "Ask Ann."}}
    return await lab.arm.http.put(_lock_of(scope), json=body)


async def test_a_lock_is_made_read_listed_and_taken_away(lab: Machines) -> None:
    for scope in (_group(lab), lab.arm.id("t", ADDRESS)):
        made = await _lock(lab, scope)
        assert made.status_code == 201
        assert made.json() == {
            "properties": {"level": "CanNotDelete", "notes": "Ask Ann."},
            "id": _lock_of(scope),
            "type": "Microsoft.Authorization/locks",
            "name": "keep",
        }
        assert (await _lock(lab, scope, "ReadOnly")).status_code == 200
        assert (await lab.arm.http.get(_lock_of(scope))).json()["properties"]["level"] == "ReadOnly"
        listed = (await lab.arm.http.get(f"{_group(lab)}/providers/Microsoft.Authorization/locks")).json()
        assert [lock["id"] for lock in listed["value"]] == [_lock_of(scope)]
        assert (await lab.arm.http.delete(_lock_of(scope))).status_code == 200
        assert (await lab.arm.http.delete(_lock_of(scope))).status_code == 204
        assert (await lab.arm.http.get(_lock_of(scope))).status_code == 404


async def test_a_locked_resource_cannot_be_deleted_but_changed(lab: Machines) -> None:
    address = lab.arm.id("t", ADDRESS)
    await _lock(lab, address)
    answer = await lab.arm.http.delete(address)
    assert answer.status_code == 409
    assert answer.json()["error"] == {
        "code": "ScopeLocked",
        "message": f"The scope '{address}' cannot perform delete operation because following scope(s) are "
        f"locked: '{address}'. Please remove the lock and try again.",
    }
    assert (await lab.arm.http.put(address, json={**BODY, "tags": {"a": "b"}})).status_code == 200
    await lab.arm.http.delete(_lock_of(address))
    assert (await lab.arm.http.delete(address)).status_code == 202


async def test_a_lock_of_the_group_holds_for_all_in_it(lab: Machines) -> None:
    await _lock(lab, _group(lab))
    answer = await lab.arm.http.delete(lab.arm.id("t", ADDRESS))
    assert answer.status_code == 409
    assert f"locked: '{_group(lab)}'." in answer.json()["error"]["message"]


async def test_a_group_with_a_locked_resource_cannot_be_deleted(lab: Machines) -> None:
    await _lock(lab, lab.arm.id("t", ADDRESS))
    answer = await lab.arm.http.delete(_group(lab))
    assert (answer.status_code, answer.json()["error"]["code"]) == (409, "ScopeLocked")
    assert lab.arm.id("t", ADDRESS) in answer.json()["error"]["message"]


@pytest.mark.parametrize("method", ["PUT", "PATCH"])
async def test_a_read_only_lock_forbids_every_change(lab: Machines, method: str) -> None:
    await _lock(lab, _group(lab), "ReadOnly")
    path = lab.arm.id("t", ADDRESS) if method == "PUT" else _group(lab)
    answer = await lab.arm.http.request(method, path, json=BODY)
    assert (answer.status_code, answer.json()["error"]["code"]) == (409, "ScopeLocked")
    assert "cannot perform write operation" in answer.json()["error"]["message"]
    assert (await lab.arm.http.get(lab.arm.id("t", ADDRESS))).status_code == 200


async def test_a_read_only_lock_forbids_actions(lab: Machines) -> None:
    source = lab.arm.id("lab", "Microsoft.Compute/virtualMachines/lab-source")
    await _lock(lab, source, "ReadOnly")
    answer = await lab.arm.http.post(f"{source}/deallocate")
    assert (answer.status_code, answer.json()["error"]["code"]) == (409, "ScopeLocked")


@pytest.mark.parametrize(
    ("given", "status"),
    [
        ({"properties": {"level": "Never"}}, 400),
        ({"properties": {}}, 400),
        ({"properties": {"level": "ReadOnly", "notes": "x" * 513}}, 400),
    ],
)
async def test_a_lock_that_makes_no_sense_is_refused(
    lab: Machines, given: dict[str, Any], status: int
) -> None:
    assert (await lab.arm.http.put(_lock_of(_group(lab)), json=given)).status_code == status


async def test_a_lock_needs_something_to_lock(lab: Machines) -> None:
    answer = await _lock(lab, lab.arm.id("t", "Microsoft.Network/publicIPAddresses/nothing"))
    assert (answer.status_code, answer.json()["error"]["code"]) == (404, "ResourceNotFound")


async def test_a_lock_of_one_group_is_no_lock_of_another_whose_name_begins_so(lab: Machines) -> None:
    await lab.arm.make_group("t2")
    await _lock(lab, _group(lab))
    assert (await lab.arm.http.delete(f"{_group(lab)}2")).status_code == 202
