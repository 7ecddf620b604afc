"""Faults that were asked for go off at the request that was named, and leave the rest alone."""

from __future__ import annotations

import asyncio
import time
from typing import TYPE_CHECKING, Any

import httpx
import pytest
import pytest_asyncio
from azure.core.exceptions import HttpResponseError

from tests.armlocal.machines import Machines, running_machines

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path

    from tests.armlocal.conftest import Certificates

SOURCE = "Microsoft.Compute/virtualMachines/lab-source"
DEALLOCATE = "POST Microsoft.Compute/virtualMachines/deallocate"
PUT_IP = "PUT Microsoft.Network/publicIPAddresses"
IP = {
    "location": "uksouth",
    "sku": {"name": "Standard"},
    "properties": {"publicIPAllocationMethod": "Static"},
}


@pytest_asyncio.fixture
async def lab(certificates: Certificates, tmp_path: Path) -> AsyncIterator[Machines]:
    async with running_machines(certificates, tmp_path) as started:
        yield started


async def _fault(lab: Machines, operation: str, kind: str, **more: Any) -> httpx.Response:
    given = [{"operation": operation, "kind": kind, **more}]
    return await lab.arm.http.post("/_control/faults", json=given)


async def _put_ip(lab: Machines, name: str = "ip") -> httpx.Response:
    return await lab.arm.http.put(lab.arm.id("t", f"Microsoft.Network/publicIPAddresses/{name}"), json=IP)


async def test_an_error_has_the_status_code_and_text_that_were_asked_for(lab: Machines) -> None:
    await _fault(lab, PUT_IP, "error", status=409, code="QuotaExceeded", message="No more.")
    answer = await _put_ip(lab)
    assert answer.status_code == 409
    assert answer.json() == {"error": {"code": "QuotaExceeded", "message": "No more."}}
    assert (await _put_ip(lab)).status_code == 201


async def test_a_fault_counts_matching_requests_from_when_it_was_set(lab: Machines) -> None:
    await _put_ip(lab, "before")
    await _fault(lab, PUT_IP, "error", nth=2)
    assert [(await _put_ip(lab, f"ip{n}")).status_code for n in range(3)] == [201, 500, 201]
    told = (await lab.arm.http.get("/_control/faults")).json()
    assert [(fault["seen"], fault["hits"]) for fault in told] == [(3, 1)]


@pytest.mark.parametrize("nth", [0, "every"])
async def test_a_fault_can_go_off_every_time(lab: Machines, nth: Any) -> None:
    await _fault(lab, PUT_IP, "error", nth=nth)
    assert [(await _put_ip(lab)).status_code for _ in range(3)] == [500, 500, 500]
    await lab.arm.http.delete("/_control/faults")
    assert (await _put_ip(lab)).status_code == 201


async def test_a_fault_can_be_left_to_chance(lab: Machines) -> None:
    """About so many of the requests are struck, and the same ones again for the same seed."""
    struck: list[list[int]] = []
    for seed in (7, 7, 8):
        await lab.arm.http.delete("/_control/faults")
        await _fault(lab, "* *", "error", status=503, chance=0.3, seed=seed, resource="/lab-source-ip")
        path = lab.arm.id("lab", "Microsoft.Network/publicIPAddresses/lab-source-ip")
        struck.append([(await lab.arm.http.get(path)).status_code for _ in range(60)])
    assert struck[0] == struck[1] != struck[2]
    assert all(6 <= answers.count(503) <= 32 for answers in struck)


async def test_a_chance_is_no_more_than_one(lab: Machines) -> None:
    answer = await _fault(lab, "* *", "error", chance=2)
    assert answer.status_code == 400
    assert "chance" in answer.json()["error"]


async def test_a_fault_can_be_for_one_resource_alone(lab: Machines) -> None:
    await _fault(lab, PUT_IP, "error", resource="/IP2")
    assert [(await _put_ip(lab, name)).status_code for name in ("ip1", "ip2")] == [201, 500]


async def test_throttling_is_a_429_with_the_seconds_that_were_asked_for(lab: Machines) -> None:
    await _fault(lab, PUT_IP, "throttle", retry_after=2)
    answer = await _put_ip(lab)
    assert (answer.status_code, answer.headers["retry-after"]) == (429, "2")


async def test_a_dropped_request_gets_no_answer_and_took_no_effect(lab: Machines) -> None:
    await _fault(lab, PUT_IP, "drop")
    with pytest.raises((httpx.RemoteProtocolError, httpx.ReadError)):
        await _put_ip(lab)
    assert (
        await lab.arm.http.get(lab.arm.id("t", "Microsoft.Network/publicIPAddresses/ip"))
    ).status_code == 404


async def test_a_request_can_be_dropped_after_it_took_effect(lab: Machines) -> None:
    await _fault(lab, PUT_IP, "drop", when="after")
    with pytest.raises((httpx.RemoteProtocolError, httpx.ReadError)):
        await _put_ip(lab)
    assert (
        await lab.arm.http.get(lab.arm.id("t", "Microsoft.Network/publicIPAddresses/ip"))
    ).status_code == 200


async def test_an_operation_fails_at_its_end_and_leaves_the_resource_failed(lab: Machines) -> None:
    await _fault(lab, "PUT Microsoft.Compute/virtualMachines", "fail_at_end", code="OSProvisioningTimedOut")
    with pytest.raises(HttpResponseError) as caught:
        await lab.make()
    assert caught.value.error is not None
    assert caught.value.error.code == "OSProvisioningTimedOut"
    left = (await lab.arm.http.get(lab.vm)).json()
    assert left["properties"]["provisioningState"] == "Failed"
    await lab.do("delete", "t", "vm1")


async def test_a_failed_action_leaves_the_machine_in_its_power_state(lab: Machines) -> None:
    await _fault(lab, DEALLOCATE, "fail_at_end")
    with pytest.raises(HttpResponseError):
        await lab.do("deallocate", "lab", "lab-source")
    left = (await lab.arm.http.get("/_control/left")).json()["resources"]
    assert [r["powerState"] for r in left if r["id"].endswith("/lab-source")] == ["running"]


async def test_an_operation_can_never_end_without_holding_its_resource_for_ever(lab: Machines) -> None:
    await _fault(lab, DEALLOCATE, "never_ends")
    answer = await lab.arm.http.post(lab.arm.id("lab", f"{SOURCE}/deallocate"))
    await asyncio.sleep(23.7 * lab.arm.world.scale + 0.05)
    poll = await lab.arm.http.get(answer.headers["azure-asyncoperation"])
    assert poll.json()["status"] == "InProgress"
    await lab.do("start", "lab", "lab-source")
    assert lab.arm.world.find(lab.arm.id("lab", SOURCE)).private["power"] == "running"  # type: ignore[union-attr]


async def test_a_request_that_is_no_operation_can_stay_unanswered(lab: Machines) -> None:
    await _fault(lab, "GET Microsoft.Compute/virtualMachines", "never_ends")
    with pytest.raises(httpx.ReadTimeout):
        await lab.arm.http.get(lab.arm.id("lab", SOURCE), timeout=0.3)
    assert (await lab.arm.http.get(lab.arm.id("lab", SOURCE))).status_code == 200


async def test_a_fault_can_strike_a_poll(lab: Machines) -> None:
    await _fault(lab, "GET Microsoft.Compute/locations/operations", "error", status=503, code="Busy")
    answer = await lab.arm.http.post(lab.arm.id("lab", f"{SOURCE}/deallocate"))
    polls = [await lab.arm.http.get(answer.headers["azure-asyncoperation"]) for _ in range(2)]
    assert [poll.status_code for poll in polls] == [503, 200]


@pytest.mark.parametrize(
    "given",
    [
        {"operation": PUT_IP, "kind": "explode"},
        {"operation": "PUT", "kind": "error"},
        {"operation": PUT_IP, "kind": "drop", "when": "never"},
        {"operation": PUT_IP, "kind": "error", "colour": "red"},
        {"operation": PUT_IP, "kind": "error", "nth": "often"},
    ],
)
async def test_a_fault_that_makes_no_sense_is_refused_with_a_sentence(
    lab: Machines, given: dict[str, Any]
) -> None:
    answer = await lab.arm.http.post("/_control/faults", json=[given])
    assert answer.status_code == 400
    assert answer.json()["error"]
    assert (await lab.arm.http.get("/_control/faults")).json() == []


async def test_after_every_kind_of_fault_the_stand_in_still_serves(lab: Machines) -> None:
    for kind in ("error", "throttle", "drop", "fail_at_end", "never_ends"):
        await _fault(lab, DEALLOCATE, kind)
        try:
            await lab.arm.http.post(lab.arm.id("lab", f"{SOURCE}/deallocate"))
        except httpx.TransportError:
            continue
    began = time.monotonic()
    assert (await lab.arm.http.get("/_control/left")).status_code == 200
    assert time.monotonic() - began < 10
