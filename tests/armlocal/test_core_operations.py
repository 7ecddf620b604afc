"""Long operations: their addresses, their bodies, their delays, and what is busy meanwhile."""

from __future__ import annotations

import asyncio
import time
from typing import TYPE_CHECKING

import pytest
import pytest_asyncio

from tests.armlocal.machines import Machines, running_machines

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path

    from tests.armlocal.conftest import Certificates

SOURCE = "Microsoft.Compute/virtualMachines/lab-source"


@pytest_asyncio.fixture
async def lab(certificates: Certificates, tmp_path: Path) -> AsyncIterator[Machines]:
    async with running_machines(certificates, tmp_path) as started:
        yield started


async def test_polling_addresses_are_long_and_signed(lab: Machines) -> None:
    answer = await lab.arm.http.post(lab.arm.id("lab", f"{SOURCE}/deallocate"))
    assert (answer.status_code, answer.content) == (202, b"")
    url = answer.headers["azure-asyncoperation"]
    operation = answer.headers["x-ms-request-id"]
    assert f"/providers/Microsoft.Compute/locations/uksouth/operations/{operation}?p=" in url
    assert 3000 <= len(url) <= 3250
    assert [part.split("=")[0] for part in url.split("?")[1].split("&")] == ["p", "api-version", *"tcsh"]
    assert "&monitor=true&api-version=" in answer.headers["location"]
    assert answer.headers["azure-asyncnotification"] == "Enabled"


@pytest.mark.parametrize("change", ["api-version=2", "&t=6", "&c=", "&s=", "&h=", "p="])
async def test_a_polling_address_that_comes_back_changed_is_refused(lab: Machines, change: str) -> None:
    answer = await lab.arm.http.post(lab.arm.id("lab", f"{SOURCE}/deallocate"))
    url = answer.headers["azure-asyncoperation"]
    assert (await lab.arm.http.get(url)).status_code == 200
    changed = url.replace(change, f"{change}7", 1)
    assert (await lab.arm.http.get(changed)).status_code == 403
    assert (await lab.arm.http.get(url.split("&t=")[0])).status_code == 403


async def test_status_bodies_of_compute_have_times_and_name(lab: Machines) -> None:
    await lab.slowly()
    answer = await lab.arm.http.post(lab.arm.id("lab", f"{SOURCE}/deallocate"))
    poll = await lab.arm.http.get(answer.headers["azure-asyncoperation"])
    assert poll.status_code == 200
    assert set(poll.json()) == {"startTime", "status", "name"}
    assert poll.json()["status"] == "InProgress"
    assert poll.json()["name"] == answer.headers["x-ms-request-id"]
    assert b'{\r\n  "startTime"' in poll.content


async def test_the_location_is_202_while_it_runs_and_200_without_a_body_after_it(lab: Machines) -> None:
    answer = await lab.arm.http.post(lab.arm.id("lab", f"{SOURCE}/deallocate"))
    first = await lab.arm.http.get(answer.headers["location"])
    done = await lab.arm.end(answer.headers["azure-asyncoperation"])
    last = await lab.arm.http.get(answer.headers["location"])
    assert first.status_code in (200, 202)
    assert (done["status"], "endTime" in done) == ("Succeeded", True)
    assert (last.status_code, last.content) == (200, b"")


async def test_at_scale_1_retry_after_has_whole_seconds_as_recorded(lab: Machines) -> None:
    await lab.slowly()
    answer = await lab.arm.http.post(lab.arm.id("lab", f"{SOURCE}/start"))
    assert answer.headers["retry-after"] == "10"
    polls = [await lab.arm.http.get(answer.headers["azure-asyncoperation"]) for _ in range(3)]
    assert [poll.headers.get("retry-after") for poll in polls] == ["9", None, None]
    assert "x-ms-retry-after-ms" not in answer.headers


async def test_below_scale_1_the_same_time_scaled_goes_in_milliseconds(lab: Machines) -> None:
    lab.arm.world.scale = 0.02
    answer = await lab.arm.http.post(lab.arm.id("lab", f"{SOURCE}/deallocate"))
    assert answer.headers["x-ms-retry-after-ms"] == "200"
    assert "retry-after" not in answer.headers


async def test_an_operation_takes_its_recorded_time_scaled(lab: Machines) -> None:
    lab.arm.world.scale = 0.02
    began = time.monotonic()
    answer = await lab.arm.http.post(lab.arm.id("lab", f"{SOURCE}/deallocate"))
    await lab.arm.end(answer.headers["azure-asyncoperation"])
    assert 23.7 * 0.02 <= time.monotonic() - began < 23.7


async def test_a_machine_says_updating_while_it_works_and_refuses_a_second_write(lab: Machines) -> None:
    await lab.slowly()
    await lab.arm.http.post(lab.arm.id("lab", f"{SOURCE}/deallocate"))
    read = (await lab.arm.http.get(lab.arm.id("lab", SOURCE), params={"$expand": "instanceView"})).json()
    assert read["properties"]["provisioningState"] == "Updating"
    statuses = read["properties"]["instanceView"]["statuses"]
    assert [s["code"] for s in statuses] == ["ProvisioningState/updating", "PowerState/deallocating"]
    second = await lab.arm.http.post(lab.arm.id("lab", f"{SOURCE}/start"))
    assert (second.status_code, second.json()["error"]["code"]) == (409, "Conflict")


async def test_network_refuses_a_second_write_by_another_operation_in_progress(lab: Machines) -> None:
    await lab.slowly()
    path = lab.arm.id("t", "Microsoft.Network/publicIPAddresses/ip")
    body = {
        "location": "uksouth",
        "sku": {"name": "Standard"},
        "properties": {"publicIPAllocationMethod": "Static"},
    }
    first = await lab.arm.http.put(path, json=body)
    second = await lab.arm.http.put(path, json=body)
    assert (first.status_code, second.status_code) == (201, 409)
    assert second.json()["error"]["code"] == "AnotherOperationInProgress"
    assert first.headers["azure-asyncoperation"].split("&t=")[0] in second.json()["error"]["message"]


async def test_deleting_a_machine_preempts_what_runs_on_it(lab: Machines) -> None:
    lab.arm.world.scale = 0.2
    made = await lab.arm.http.put(lab.vm, json=lab.body())
    gone = await lab.arm.http.delete(lab.vm)
    assert gone.status_code == 202
    told = await lab.arm.end(made.headers["azure-asyncoperation"])
    assert (told["status"], told["error"]["code"]) == ("Failed", "OperationPreempted")
    again = await lab.arm.http.delete(lab.vm)
    assert again.headers["azure-asyncoperation"] == gone.headers["azure-asyncoperation"]
    assert (await lab.arm.end(gone.headers["azure-asyncoperation"]))["status"] == "Succeeded"
    assert (await lab.arm.http.get(lab.vm)).status_code == 404


async def test_an_operation_that_the_world_forgot_is_not_found(lab: Machines) -> None:
    answer = await lab.arm.http.post(lab.arm.id("lab", f"{SOURCE}/deallocate"))
    await lab.arm.world.clear()
    assert (await lab.arm.http.get(answer.headers["azure-asyncoperation"])).status_code == 404


async def test_deterministic_times_do_not_depend_on_polls(lab: Machines) -> None:
    lab.arm.world.scale = 0.02
    answer = await lab.arm.http.post(lab.arm.id("lab", f"{SOURCE}/powerOff"))
    await asyncio.sleep(7.9 * 0.02 + 0.1)
    first = await lab.arm.http.get(answer.headers["azure-asyncoperation"])
    assert first.json()["status"] == "Succeeded"
