"""Long operations: awaited at the service's pace, to a deadline, with errors that say something."""

from __future__ import annotations

import asyncio
import gc
import itertools
import weakref
from dataclasses import replace
from functools import partial
from typing import Any

import pytest

from tests.azure.conftest import SCALE, SUBSCRIPTION, Answer, Arm, arm_error, settings_of, vm_path
from vhdlift.azure.clients import Azure, open_clients
from vhdlift.azure.polling import KINDS, Pace, Watch
from vhdlift.azure.waiting import asked, finished, found
from vhdlift.errors import AzureRefused, NotAllowed, SignInNeeded, TookTooLong

OPERATION = f"/subscriptions/{SUBSCRIPTION}/providers/Microsoft.Compute/locations/uksouth/operations/1"
SIGNED = "?p=571046f6-b640-41c1-86f7-f9f044b5adf9&api-version=2024-11-01&t=638&c=MIIHp%2Bz-_&s=a%3D%3D&h=x~y"
RUNNING = Answer(body={"startTime": "2026-01-01T00:00:00+00:00", "status": "InProgress", "name": "1"})
SUCCEEDED = Answer(body={"status": "Succeeded", "name": "1"})


def accepted(arm: Arm, **headers: str) -> Answer:
    return Answer(202, headers={"Azure-AsyncOperation": f"{arm.url}{OPERATION}{SIGNED}", **headers})


async def start(azure: Azure, kind: Any = "vm_start", scale: float | None = None) -> None:
    begin, scale = azure.compute.virtual_machines.begin_start, azure.scale if scale is None else scale
    await finished(begin, "rg", "vm1", what="starting vm1", kind=kind, scale=scale)


async def give_up(azure: Azure) -> None:
    """The same, given up after three seconds."""
    await start(azure, kind="list", scale=0.05)


async def delete(azure: Azure) -> None:
    machines = azure.compute.virtual_machines
    await finished(
        machines.begin_delete, "rg", "vm1", what="deleting vm1", kind="vm_delete", scale=azure.scale
    )


async def test_first_look_comes_early_and_the_end_is_seen(arm: Arm, azure: Azure) -> None:
    """Without a Retry-After the first look comes after half a second of the scale, then it backs off."""
    arm.on(f"POST {vm_path('/start')}", accepted(arm))
    arm.on(f"GET {OPERATION}", RUNNING, RUNNING, RUNNING, SUCCEEDED)
    await start(azure, scale=0.5)
    sent, *looks = [seen.at for seen in arm.seen]
    assert len(looks) == 4
    assert looks[0] - sent < 5


async def test_no_look_comes_before_the_retry_after(arm: Arm, azure: Azure) -> None:
    """The delay that the service tells, first and in between, is kept to."""
    arm.on(f"POST {vm_path('/start')}", accepted(arm, **{"x-ms-retry-after-ms": "300"}))
    told = Answer(body=RUNNING.body, headers={"x-ms-retry-after-ms": "400"})
    arm.on(f"GET {OPERATION}", told, SUCCEEDED)
    await start(azure)
    sent, first, second = [seen.at for seen in arm.seen]
    assert first - sent >= 0.3
    assert second - first >= 0.4


async def test_polling_url_goes_back_unchanged(arm: Arm, azure: Azure) -> None:
    """A signed polling URL is sent back byte by byte."""
    arm.on(f"POST {vm_path('/start')}", accepted(arm))
    arm.on(f"GET {OPERATION}", SUCCEEDED)
    await start(azure)
    assert arm.of("GET")[0].path == OPERATION + SIGNED


async def test_created_resource_is_read_at_the_end(arm: Arm, azure: Azure) -> None:
    """The result of a PUT is the resource as it is after the operation."""
    arm.on(f"PUT {vm_path()}", Answer(201, {"name": "vm1"}, accepted(arm).headers))
    arm.on(f"GET {OPERATION}", SUCCEEDED)
    arm.on(f"GET {vm_path()}", Answer(body={"name": "vm1", "location": "uksouth"}))
    vm = await finished(
        azure.compute.virtual_machines.begin_create_or_update,
        "rg",
        "vm1",
        {"location": "uksouth"},
        what="creating vm1",
        kind="vm_create",
        scale=azure.scale,
    )
    assert vm.location == "uksouth"


async def create(azure: Azure) -> Any:
    machines = azure.compute.virtual_machines
    return await finished(
        machines.begin_create_or_update,
        "rg",
        "vm1",
        {"location": "uksouth"},
        what="creating vm1",
        kind="vm_create",
        scale=azure.scale,
        watch=Watch(partial(machines.get, "rg", "vm1")),
    )


def vm(state: str) -> Answer:
    return Answer(body={"name": "vm1", "location": "uksouth", "properties": {"provisioningState": state}})


async def test_ready_resource_ends_a_long_delay(arm: Arm, azure: Azure) -> None:
    """When the service asks for a long delay, the resource is watched, and the operation left in peace."""
    patience = {**accepted(arm).headers, "Retry-After": "30"}
    arm.on(f"PUT {vm_path()}", Answer(201, vm("Creating").body, patience))
    arm.on(f"GET {vm_path()}", vm("Creating"), vm("Creating"), vm("Succeeded"))
    assert (await create(azure)).location == "uksouth"
    assert arm.of("GET", "operations") == []


@pytest.mark.parametrize("seen", [vm("Failed"), Answer(404, arm_error("ResourceNotFound", "Not found."))])
async def test_failure_is_told_by_the_operation(seen: Answer, arm: Arm, azure: Azure) -> None:
    """A watched resource that fails or cannot be read leaves the word to the operation, at its time."""
    patience = {**accepted(arm).headers, "x-ms-retry-after-ms": "500"}
    arm.on(f"PUT {vm_path()}", Answer(201, vm("Creating").body, patience))
    arm.on(f"GET {vm_path()}", seen)
    arm.on(f"GET {OPERATION}", Answer(body={"status": "Failed", **arm_error("AllocationFailed", "No room.")}))
    with pytest.raises(AzureRefused, match="AllocationFailed"):
        await create(azure)
    (put,), (look,) = arm.of("PUT"), arm.of("GET", "operations")
    assert look.at - put.at >= 0.5


async def test_deadline_names_what_was_awaited_and_its_state(arm: Arm, azure: Azure) -> None:
    """An operation that never ends is given up, in words."""
    arm.on(f"POST {vm_path('/start')}", accepted(arm))
    arm.on(f"GET {OPERATION}", RUNNING)
    with pytest.raises(TookTooLong, match=r"starting vm1 took longer than .*its last state was InProgress"):
        await give_up(azure)


async def test_deadline_holds_although_every_answer_asks_for_a_wait(arm: Arm, azure: Azure) -> None:
    """The network service does so: an operation of its that never ends is given up like any other."""
    again = replace(RUNNING, headers={"x-ms-retry-after-ms": "50"})
    arm.on(f"POST {vm_path('/start')}", accepted(arm))
    arm.on(f"GET {OPERATION}", again)
    async with asyncio.timeout(15):
        with pytest.raises(TookTooLong, match="its last state was InProgress"):
            await give_up(azure)


async def test_failed_operation_says_why(arm: Arm, azure: Azure) -> None:
    """The error of an operation that failed at its end has its sentence and the innermost code."""
    inner = {"code": "AllocationFailed", "message": "No capacity in the zone."}
    failed = {"status": "Failed", **arm_error("OperationFailed", "It failed. See details.", inner)}
    arm.on(f"POST {vm_path('/start')}", accepted(arm))
    arm.on(f"GET {OPERATION}", RUNNING, Answer(body=failed))
    with pytest.raises(AzureRefused) as caught:
        await start(azure, kind="vm_stop")
    assert caught.value.code == "AllocationFailed"
    assert (
        str(caught.value)
        == "starting vm1: It failed. See details; No capacity in the zone (AllocationFailed)"
    )


BUSY = {
    "another operation": (409, arm_error("AnotherOperationInProgress", "Another operation is in progress.")),
    "reserved": (400, arm_error("NicReservedForAnotherVm", "Reserved for another VM for 180 seconds.")),
    "nic": (400, arm_error("NicInUse", "Network Interface is used by existing resource.")),
    "nsg": (400, arm_error("InUseNetworkSecurityGroupCannotBeDeleted", "It is in use.")),
    "subnet": (400, arm_error("InUseSubnetCannotBeDeleted", "Subnet is in use.")),
    "ip": (400, arm_error("PublicIPAddressCannotBeDeleted", "It is still allocated to resource x.")),
    "disk": (409, arm_error("OperationNotAllowed", "Disk d is attached to VM v.")),
    "conflict": (409, arm_error("Conflict", "The request failed due to conflict with a concurrent request.")),
}


@pytest.mark.parametrize("case", BUSY)
async def test_busy_resource_is_waited_for(case: str, arm: Arm, azure: Azure) -> None:
    """A deletion that the service refuses for now is asked for again until it is done."""
    status, body = BUSY[case]
    refused = Answer(status, body)
    arm.on(f"DELETE {vm_path()}", refused, refused, accepted(arm))
    arm.on(f"GET {OPERATION}", SUCCEEDED)
    await delete(azure)
    assert len(arm.of("DELETE")) == 3


async def test_busy_wait_keeps_to_the_service_delay(arm: Arm, azure: Azure) -> None:
    """A busy answer with a delay is not repeated sooner."""
    body = arm_error("Conflict", "The resource is busy.")
    arm.on(f"DELETE {vm_path()}", Answer(409, body, {"x-ms-retry-after-ms": "400"}), Answer(204))
    await delete(azure)
    first, second = arm.of("DELETE")
    assert second.at - first.at >= 0.4


PERMANENT = {
    "quota": (409, arm_error("OperationNotAllowed", "It results in exceeding approved Cores quota.")),
    "lock": (409, arm_error("ScopeLocked", "The scope cannot perform delete operation because of a lock.")),
    "policy": (403, arm_error("RequestDisallowedByPolicy", "Resource was disallowed by policy.")),
}


@pytest.mark.parametrize("case", PERMANENT)
async def test_lasting_refusal_is_not_waited_for(case: str, arm: Arm, azure: Azure) -> None:
    """What no waiting cures fails at once, with its code."""
    status, body = PERMANENT[case]
    arm.on(f"DELETE {vm_path()}", Answer(status, body))
    with pytest.raises(AzureRefused) as caught:
        await delete(azure)
    assert caught.value.code == body["error"]["code"]
    assert len(arm.of("DELETE")) == 1


async def test_use_by_another_is_not_waited_for_when_making(arm: Arm, azure: Azure) -> None:
    """Something in use goes away by itself only while things are being deleted."""
    arm.on(f"POST {vm_path('/start')}", Answer(400, arm_error("PublicIPAddressInUse", "It is in use.")))
    with pytest.raises(AzureRefused):
        await start(azure)
    assert len(arm.of("POST")) == 1


async def test_throttling_is_obeyed_and_retried(arm: Arm, azure: Azure) -> None:
    """A 429 is repeated after the delay that it tells, here within the SDK's own retry."""
    body = arm_error("RetryableError", "A retryable error occurred.")
    arm.on(f"POST {vm_path('/start')}", Answer(429, body, {"x-ms-retry-after-ms": "300"}), accepted(arm))
    arm.on(f"GET {OPERATION}", SUCCEEDED)
    await start(azure)
    first, second = arm.of("POST")
    assert second.at - first.at >= 0.3


async def test_delay_beyond_patience_is_an_error(arm: Arm, azure: Azure) -> None:
    """A service that wants more than a quarter of an hour is not waited for."""
    body = {"code": "OperationNotAllowed", "message": "Too many requests have been received."}
    arm.on(f"POST {vm_path('/start')}", Answer(429, body, {"Retry-After": "1200"}))
    with pytest.raises(AzureRefused, match="Too many requests"):
        await start(azure)


async def test_server_errors_and_lost_answers_are_retried(arm: Arm, azure: Azure) -> None:
    """503 and connections that break are repeated, for a POST too."""
    unavailable = Answer(503, arm_error("ServiceUnavailable", "The service is unavailable now."))
    arm.on(f"POST {vm_path('/start')}", Answer(drop=True), unavailable, accepted(arm))
    arm.on(f"GET {OPERATION}", Answer(drop=True), SUCCEEDED)
    await start(azure)
    assert len(arm.of("POST")) == 3


async def test_absent_is_none_and_nothing_else_is(arm: Arm, azure: Azure) -> None:
    """404 means there is none; a refusal to tell is an error."""
    get = azure.compute.virtual_machines.get
    assert await found(get, "rg", "vm1", what="reading vm1", scale=SCALE) is None
    denied = arm_error("AuthorizationFailed", "The client does not have authorization to perform action.")
    arm.on(f"GET {vm_path()}", Answer(403, denied))
    with pytest.raises(NotAllowed, match="AuthorizationFailed"):
        await found(get, "rg", "vm1", what="reading vm1", scale=SCALE)


async def test_absent_said_by_a_web_page_is_asked_again(arm: Arm, azure: Azure) -> None:
    """A proxy knows nothing of what there is: what was only hidden by it would be left, and told as gone."""
    arm.on(f"GET {vm_path()}", Answer(404, "<html>Not found</html>"), Answer(body={"name": "vm1"}))
    get = azure.compute.virtual_machines.get
    there = await found(get, "rg", "vm1", what="reading vm1", scale=SCALE)
    assert there is not None


async def test_refused_token_asks_to_sign_in(arm: Arm, azure: Azure) -> None:
    """401 of ARM means that the credential is no good."""
    arm.on(f"GET {vm_path()}", Answer(401, arm_error("InvalidAuthenticationToken", "The token is invalid.")))
    with pytest.raises(SignInNeeded, match="InvalidAuthenticationToken"):
        await asked(azure.compute.virtual_machines.get, "rg", "vm1", what="reading vm1", scale=SCALE)


async def test_wrong_client_secret_asks_to_sign_in(arm: Arm) -> None:
    """The login endpoint's refusal is told, without the secret."""
    arm.token = Answer(
        401, {"error": "invalid_client", "error_description": "AADSTS7000215: Invalid secret."}
    )
    async with open_clients(settings_of(arm)) as azure:
        with pytest.raises(SignInNeeded, match="AADSTS7000215") as caught:
            await asked(azure.compute.virtual_machines.get, "rg", "vm1", what="reading vm1", scale=SCALE)
    assert "a-client-secret" not in str(caught.value)


async def test_cancelled_request_is_still_answered(arm: Arm, azure: Azure) -> None:
    """Cancelling while a call is under way waits for its answer, so that an undo finds what it made."""
    arm.on(f"POST {vm_path('/start')}", Answer(202, headers=accepted(arm).headers, after=0.5))
    task = asyncio.create_task(start(azure))
    await arm.arrived.wait()
    sent = arm.of("POST")[0].at
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert asyncio.get_running_loop().time() - sent >= 0.45
    assert arm.of("GET") == []


@pytest.mark.parametrize("kind", ["vm_create", "vm_stop", "vm_start", "extension", "storage"])
def test_pace_is_sharp_when_the_end_is_near(kind: Any) -> None:
    """An end between 0.6 and 1.5 times the typical time is seen within half a second or 3 % of it."""
    typical = KINDS[kind].typical
    looks = _looks(typical, 1.5 * typical)
    late = [b - a for a, b in itertools.pairwise(looks) if a >= 0.6 * typical]
    assert max(late) <= max(0.5, 0.03 * typical)


@pytest.mark.parametrize("kind", KINDS)
def test_pace_spares_the_service(kind: Any) -> None:
    """One operation is not looked at more often than Compute's bucket of 44 a minute refills, by far."""
    assert len(_looks(KINDS[kind].typical, 60)) <= 60


def _looks(typical: float, until: float) -> list[float]:
    pace, looks = Pace(typical, 1.0), [0.0]
    while looks[-1] < until:
        looks.append(looks[-1] + pace.pause(looks[-1]))
    return looks


class Answered:
    """Something that a call brought, as large as it may be."""


async def test_what_a_call_brought_is_let_go_although_its_timers_live_on() -> None:
    """A timer keeps the context of the call that made it, which must not keep the call's task and result."""
    loop = asyncio.get_running_loop()

    async def call() -> Answered:
        timers.append(loop.call_later(3600, str))
        return Answered()

    timers: list[asyncio.TimerHandle] = []
    task = asyncio.create_task(asked(call, what="reading it", scale=SCALE))
    brought = weakref.ref(await task)
    del task
    await asyncio.sleep(0)
    gc.collect()
    assert brought() is None
    timers[0].cancel()


NOT_YET = Answer(404, arm_error("ResourceGroupNotFound", "Resource group 'rg' could not be found."))


async def test_group_that_is_not_known_everywhere_yet_is_waited_for_by_creates(
    arm: Arm, azure: Azure
) -> None:
    """Another region's ARM learns of a new group a moment later."""
    arm.on(f"PUT {vm_path()}", NOT_YET, NOT_YET, Answer(200, {"name": "vm1"}))
    arm.on(f"GET {vm_path()}", Answer(body={"name": "vm1"}))
    begin = azure.compute.virtual_machines.begin_create_or_update
    await finished(begin, "rg", "vm1", {}, what="creating vm1", kind="vm_create", scale=azure.scale)
    assert len(arm.of("PUT")) == 3


async def test_group_that_is_not_there_ends_other_operations_at_once(arm: Arm, azure: Azure) -> None:
    arm.on(f"POST {vm_path('/start')}", NOT_YET)
    with pytest.raises(AzureRefused, match="could not be found"):
        await start(azure)
    assert len(arm.of("POST")) == 1


async def test_artefact_is_waited_for_through_an_outage_that_ends_other_calls(arm: Arm) -> None:
    """What took the guest hours is not given up because of a network that is away for a while."""
    arm.on(f"GET {vm_path()}", *[Answer(503, arm_error("ServiceUnavailable", "Away."))] * 60, Answer(body={}))
    async with open_clients(settings_of(arm, time_scale=0.001)) as azure:
        get = partial(azure.compute.virtual_machines.get, "rg", "vm1")
        with pytest.raises(AzureRefused, match="Away"):
            await asked(get, what="reading vm1", scale=azure.scale)
        assert await asked(get, what="reading vm1", scale=azure.scale, kind="artefact") is not None


INTERNAL = {"code": "InternalOperationError", "message": "An internal error has occurred."}


async def test_deletion_that_failed_inside_azure_is_asked_for_again(arm: Arm, azure: Azure) -> None:
    arm.on(f"DELETE {vm_path()}", accepted(arm))
    arm.on(f"GET {OPERATION}", Answer(body={"status": "Failed", "error": INTERNAL}), SUCCEEDED)
    await delete(azure)
    assert len(arm.of("DELETE")) == 2


async def test_other_operations_that_failed_inside_azure_are_not(arm: Arm, azure: Azure) -> None:
    arm.on(f"POST {vm_path('/start')}", accepted(arm))
    arm.on(f"GET {OPERATION}", Answer(body={"status": "Failed", "error": INTERNAL}))
    with pytest.raises(AzureRefused, match="InternalOperationError"):
        await start(azure)
    assert len(arm.of("POST")) == 1
