"""A request can be held on either side of its effect, looked at, and let go or lost."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

import httpx
import pytest
import pytest_asyncio

from tests.armlocal.machines import Machines, running_machines

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path

    from tests.armlocal.conftest import Certificates

PUT_IP = "PUT Microsoft.Network/publicIPAddresses"
NO_ANSWER = (httpx.RemoteProtocolError, httpx.ReadError)
IP = {
    "location": "uksouth",
    "sku": {"name": "Standard"},
    "properties": {"publicIPAllocationMethod": "Static"},
}


@pytest_asyncio.fixture
async def lab(certificates: Certificates, tmp_path: Path) -> AsyncIterator[Machines]:
    async with running_machines(certificates, tmp_path) as started:
        yield started


def _ip(lab: Machines, name: str = "ip") -> str:
    return lab.arm.id("t", f"Microsoft.Network/publicIPAddresses/{name}")


async def _put(lab: Machines, name: str = "ip") -> httpx.Response:
    return await lab.arm.http.put(_ip(lab, name), json=IP)


async def _hold(lab: Machines, operation: str = PUT_IP, **more: Any) -> None:
    given = {"operation": operation, "kind": "hold", **more}
    assert (await lab.arm.http.post("/_control/faults", json=given)).status_code == 200


async def _held(lab: Machines, count: int = 1) -> list[dict[str, Any]]:
    async with asyncio.timeout(30):
        # It is asked over HTTP, so there is no event to wait for.
        while len(told := (await lab.arm.http.get("/_control/held")).json()) < count:  # noqa: ASYNC110
            await asyncio.sleep(0.01)
    return list(told)


async def _release(lab: Machines, **which: Any) -> None:
    (await lab.arm.http.post("/_control/release", json=which)).raise_for_status()


async def _exists(lab: Machines) -> bool:
    return (await lab.arm.http.get(_ip(lab))).status_code == 200


@pytest.mark.parametrize(("side", "took_effect"), [("before", False), ("after", True)])
async def test_a_request_is_held_on_the_side_of_its_effect_that_was_asked_for(
    lab: Machines, side: str, took_effect: bool
) -> None:
    await _hold(lab, when=side)
    putting = asyncio.ensure_future(_put(lab))
    (held,) = await _held(lab)
    assert held == {"id": 1, "operation": PUT_IP, "resource": _ip(lab), "side": side}
    assert await _exists(lab) is took_effect
    await _release(lab)
    assert (await putting).status_code == 201
    assert (await lab.arm.http.get("/_control/held")).json() == []


@pytest.mark.parametrize(("side", "took_effect"), [("before", False), ("after", True)])
async def test_a_held_request_can_be_lost(lab: Machines, side: str, took_effect: bool) -> None:
    await _hold(lab, when=side)
    putting = asyncio.ensure_future(_put(lab))
    await _held(lab)
    await _release(lab, lost=True)
    with pytest.raises(NO_ANSWER):
        await putting
    assert await _exists(lab) is took_effect


@pytest.mark.parametrize(("lost", "took_effect"), [(False, True), (True, False)])
async def test_a_request_whose_client_is_gone_goes_on_when_it_is_let_go(
    lab: Machines, lost: bool, took_effect: bool
) -> None:
    await _hold(lab)
    putting = asyncio.ensure_future(_put(lab))
    await _held(lab)
    putting.cancel()
    await asyncio.wait({putting})
    await _release(lab, lost=lost)
    assert await _exists(lab) is took_effect


async def test_one_of_several_held_requests_can_be_let_go(lab: Machines) -> None:
    await _hold(lab, nth="every")
    first = asyncio.ensure_future(_put(lab))
    await _held(lab, 1)
    second = asyncio.ensure_future(_put(lab, "other"))
    await _held(lab, 2)
    await _release(lab, id=2)
    assert (await second).status_code == 201
    assert not first.done()
    await _release(lab)
    await first


async def test_a_hold_and_a_fault_of_the_same_request_do_not_count_for_each_other(lab: Machines) -> None:
    await _hold(lab, nth=2)
    await lab.arm.http.post("/_control/faults", json={"operation": PUT_IP, "kind": "error", "nth": 2})
    assert (await _put(lab)).status_code == 201
    putting = asyncio.ensure_future(_put(lab, "other"))
    await _held(lab)
    await _release(lab)
    assert (await putting).status_code == 500


async def test_what_is_no_request_to_arm_can_be_held_too(lab: Machines) -> None:
    await _hold(lab, "POST oauth2/v2.0/token")
    path = f"/{lab.arm.world.tenant_id}/oauth2/v2.0/token"
    asking = asyncio.ensure_future(lab.arm.http.post(path, data={"grant_type": "nothing"}))
    (held,) = await _held(lab)
    assert held["resource"] == path
    await _release(lab)
    assert (await asking).status_code == 400
