"""Answers that go wrong on their way, and operations that nobody knows any more."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import httpx
import pytest
import pytest_asyncio

from tests.armlocal.machines import Machines, running_machines

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path

    from tests.armlocal.conftest import Certificates

SOURCE = "Microsoft.Compute/virtualMachines/lab-source"
GET_VM = "GET Microsoft.Compute/virtualMachines"
DEALLOCATE = "POST Microsoft.Compute/virtualMachines/deallocate"
TOKEN = "POST oauth2/v2.0/token"


@pytest_asyncio.fixture
async def lab(certificates: Certificates, tmp_path: Path) -> AsyncIterator[Machines]:
    async with running_machines(certificates, tmp_path) as started:
        yield started


async def _fault(lab: Machines, operation: str, kind: str, **more: Any) -> None:
    answer = await lab.arm.http.post("/_control/faults", json={"operation": operation, "kind": kind, **more})
    assert answer.status_code == 200


async def _get(lab: Machines, **more: Any) -> httpx.Response:
    return await lab.arm.http.get(lab.arm.id("lab", SOURCE), **more)


async def test_garbage_has_the_body_and_type_that_were_asked_for(lab: Machines) -> None:
    await _fault(lab, GET_VM, "garbage", body="no JSON", content_type="application/json", status=203)
    answer = await _get(lab)
    assert (answer.status_code, answer.text, answer.headers["content-type"]) == (
        203,
        "no JSON",
        "application/json",
    )
    assert (await _get(lab)).json()["name"] == "lab-source"


@pytest.mark.parametrize(("when", "runs"), [("before", True), ("after", False)])
async def test_garbage_comes_before_or_after_the_effect(lab: Machines, when: str, runs: bool) -> None:
    await _fault(lab, DEALLOCATE, "garbage", when=when)
    await lab.arm.http.post(lab.arm.id("lab", f"{SOURCE}/deallocate"))
    vm = lab.arm.world.find(lab.arm.id("lab", SOURCE))
    assert vm is not None
    assert (vm.private["power"] == "running") is runs


async def test_a_huge_answer_is_as_large_as_asked_for(lab: Machines) -> None:
    await _fault(lab, GET_VM, "huge", size=300_000)
    assert 300_000 <= len((await _get(lab)).content) < 400_000


async def test_a_redirect_names_its_target(lab: Machines) -> None:
    await _fault(lab, GET_VM, "redirect", location="https://elsewhere.example/x", status=308)
    answer = await _get(lab)
    assert (answer.status_code, answer.headers["location"]) == (308, "https://elsewhere.example/x")


async def test_a_slow_answer_comes_later(lab: Machines) -> None:
    await _fault(lab, GET_VM, "slow", seconds=5)
    with pytest.raises(httpx.ReadTimeout):
        await _get(lab, timeout=0.3)
    assert (await _get(lab)).status_code == 200


async def test_a_truncated_answer_ends_before_its_length(lab: Machines) -> None:
    await _fault(lab, GET_VM, "truncate")
    with pytest.raises((httpx.RemoteProtocolError, httpx.ReadError)):
        await _get(lab)
    assert (await _get(lab)).status_code == 200


async def test_the_token_endpoint_can_be_struck_too(lab: Machines) -> None:
    await _fault(lab, TOKEN, "error", status=503, code="temporarily_unavailable")
    await _fault(lab, TOKEN, "garbage", nth=2)
    token = f"/{lab.arm.world.tenant_id}/oauth2/v2.0/token"
    first, second = [await lab.arm.http.post(token, data={}) for _ in range(2)]
    assert (first.status_code, first.json()["error"]) == (503, "temporarily_unavailable")
    assert second.headers["content-type"].startswith("text/html")


async def test_a_vanished_operation_is_not_known_once_it_is_over(lab: Machines) -> None:
    await lab.slowly()
    await _fault(lab, DEALLOCATE, "vanish")
    answer = await lab.arm.http.post(lab.arm.id("lab", f"{SOURCE}/deallocate"))
    addresses = [answer.headers[name] for name in ("azure-asyncoperation", "location")]
    assert [(await lab.arm.http.get(url)).status_code for url in addresses] == [200, 202]
    operation = lab.arm.world.operations.at(addresses[0])
    assert operation is not None
    operation.status = "Succeeded"
    polls = [await lab.arm.http.get(url) for url in addresses]
    assert [poll.status_code for poll in polls] == [404, 404]
    assert polls[0].json()["error"]["code"] == "NotFound"


async def test_an_operation_can_vanish_from_the_first_poll_on(lab: Machines) -> None:
    await lab.slowly()
    await _fault(lab, DEALLOCATE, "vanish", when="before")
    answer = await lab.arm.http.post(lab.arm.id("lab", f"{SOURCE}/deallocate"))
    assert (await lab.arm.http.get(answer.headers["azure-asyncoperation"])).status_code == 404


async def test_tokens_can_die_at_once(lab: Machines) -> None:
    assert (await _get(lab)).status_code == 200
    await lab.arm.http.post("/_control/expire")
    answer = await _get(lab)
    assert (answer.status_code, answer.json()["error"]["code"]) == (401, "ExpiredAuthenticationToken")
