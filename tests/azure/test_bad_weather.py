"""Every kind of bad weather between here and Azure, over real connections: the call ends well."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from functools import partial
from typing import Any

import pytest

from tests.azure.conftest import SUBSCRIPTION, Answer, Arm, arm_error, serving_arm, settings_of, vm_path
from tests.azure.test_waiting import give_up, start
from tests.fasttime import in_fast_time
from vhdlift.azure.clients import Azure, open_clients
from vhdlift.azure.ownership import Resource, delete_ours
from vhdlift.azure.patience import heard_by
from vhdlift.azure.polling import Watch
from vhdlift.azure.waiting import asked, finished
from vhdlift.errors import AzureRefused
from vhdlift.model import RUN_TAG

OPERATION = f"/subscriptions/{SUBSCRIPTION}/providers/Microsoft.Compute/locations/uksouth/operations/1"
SUCCEEDED = Answer(body={"status": "Succeeded", "name": "1"})
VM = Answer(body={"name": "vm1", "location": "uksouth", "properties": {"provisioningState": "Succeeded"}})
THROTTLED = arm_error("TooManyRequests", "The request is being throttled.")


def accepted(arm: Arm) -> Answer:
    return Answer(202, headers={"Azure-AsyncOperation": f"{arm.url}{OPERATION}"})


async def read(azure: Azure) -> Any:
    get = azure.compute.virtual_machines.get
    return await asked(get, "rg", "vm1", what="reading vm1", scale=azure.scale)


async def create(azure: Azure, watch: Watch | None = None) -> Any:
    machines = azure.compute.virtual_machines
    body: Any = {"location": "uksouth"}
    return await finished(
        machines.begin_create_or_update,
        *("rg", "vm1", body),
        what="creating vm1",
        kind="vm_create",
        scale=azure.scale,
        watch=watch,
    )


OUT_OF_ORDER = {
    "500": Answer(500, arm_error("InternalServerError", "An internal error occurred.")),
    "502 of a proxy": Answer(502, "<html>Bad gateway</html>"),
    "503": Answer(503, arm_error("ServiceUnavailable", "The service is unavailable now.")),
    "504 of a proxy": Answer(504, "<html>Gateway timeout</html>"),
    "408": Answer(408, arm_error("RequestTimeout", "Too slow.")),
    "429 without a time": Answer(429, THROTTLED),
    "lost after it arrived": Answer(drop=True),
}


@pytest.mark.parametrize("kind", OUT_OF_ORDER)
async def test_a_read_is_asked_again(kind: str, arm: Arm, azure: Azure) -> None:
    arm.on(f"GET {vm_path()}", OUT_OF_ORDER[kind], OUT_OF_ORDER[kind], VM)
    assert (await read(azure)).name == "vm1"
    assert len(arm.seen) == 3


@pytest.mark.parametrize("kind", OUT_OF_ORDER)
async def test_a_change_is_asked_for_again(kind: str, arm: Arm, azure: Azure) -> None:
    """It has a name, so that it is made once however often it is asked for."""
    arm.on(f"PUT {vm_path()}", OUT_OF_ORDER[kind], Answer(200, VM.body))
    assert (await create(azure)).name == "vm1"
    assert [seen.body for seen in arm.of("PUT")] == [{"location": "uksouth"}] * 2


@pytest.mark.parametrize("kind", OUT_OF_ORDER)
async def test_an_operation_under_way_is_asked_again_and_not_started_anew(
    kind: str, arm: Arm, azure: Azure
) -> None:
    arm.on(f"POST {vm_path('/start')}", accepted(arm))
    arm.on(f"GET {OPERATION}", OUT_OF_ORDER[kind], OUT_OF_ORDER[kind], SUCCEEDED)
    await start(azure)
    assert len(arm.of("POST")) == 1


async def test_an_operation_outlasts_more_failures_than_one_call_has_tries(arm: Arm, azure: Azure) -> None:
    arm.on(f"POST {vm_path('/start')}", accepted(arm))
    arm.on(f"GET {OPERATION}", *[OUT_OF_ORDER["503"]] * 12, SUCCEEDED)
    await start(azure)
    assert len(arm.of("POST")) == 1


class Gate:
    """A door in front of a server, closed in the face of the first callers before they can say a word."""

    def __init__(self, port: int, closed_for: int) -> None:
        self.turned_away = 0
        self._port = port
        self._closed_for = closed_for

    async def __call__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        if self.turned_away < self._closed_for:
            self.turned_away += 1
            writer.transport.abort()
            return
        inner, outer = await asyncio.open_connection("127.0.0.1", self._port)
        await asyncio.gather(_pass_on(reader, outer), _pass_on(inner, writer))


async def _pass_on(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    while data := await reader.read(65536):
        writer.write(data)
    writer.close()


async def test_a_connection_that_broke_before_the_request_arrived_is_made_again(arm: Arm) -> None:
    gate = Gate(int(arm.url.rpartition(":")[2]), closed_for=3)
    arm.on(f"PUT {vm_path()}", Answer(200, VM.body))
    async with await asyncio.start_server(gate, "127.0.0.1", 0) as server:
        port = server.sockets[0].getsockname()[1]
        async with open_clients(settings_of(arm, arm_endpoint=f"https://127.0.0.1:{port}")) as azure:
            assert (await create(azure)).name == "vm1"
    assert (gate.turned_away, len(arm.of("PUT"))) == (3, 1)


async def test_a_slow_answer_is_waited_for(arm: Arm) -> None:
    arm.on(f"GET {vm_path()}", replace(VM, after=0.6))
    async with open_clients(settings_of(arm), read_seconds=5) as azure:
        assert (await read(azure)).name == "vm1"
    assert len(arm.seen) == 1


async def test_an_answer_that_does_not_come_is_given_up_and_asked_for_again(arm: Arm) -> None:
    arm.on(f"GET {vm_path()}", replace(VM, after=20), VM)
    async with open_clients(settings_of(arm), read_seconds=2) as azure:
        assert (await read(azure)).name == "vm1"
    assert len(arm.seen) == 2


async def test_throttling_is_obeyed_and_shown_as_waiting(arm: Arm, azure: Azure) -> None:
    """Also when the wait is longer than the call may otherwise take."""
    heard: list[tuple[str, dict[str, Any]]] = []

    async def listen(said: str, details: dict[str, Any]) -> None:
        heard.append((said, details))

    arm.on(
        f"POST {vm_path('/start')}", Answer(429, THROTTLED, {"x-ms-retry-after-ms": "3500"}), accepted(arm)
    )
    arm.on(f"GET {OPERATION}", SUCCEEDED)
    with heard_by(listen):
        await give_up(azure)
    first, second = arm.of("POST")
    assert second.at - first.at >= 3.5
    assert heard[0][0] == "Azure asks to wait 4 seconds before starting vm1 (429 TooManyRequests)"
    assert heard[0][1] == {"waiting_seconds": 4, "code": "TooManyRequests"}


def test_a_quarter_of_an_hour_is_waited_on_the_service_s_wish(tmp_path: Any) -> None:
    """In seconds of the real service, on a clock that runs fast."""

    async def wait() -> None:
        async with _fast_azure(tmp_path) as (arm, azure):
            arm.on(f"GET {vm_path()}", Answer(429, THROTTLED, {"Retry-After": "900"}), VM)
            began = asyncio.get_running_loop().time()
            assert (await read(azure)).name == "vm1"
            assert asyncio.get_running_loop().time() - began >= 900
            assert len(arm.seen) == 2

    in_fast_time(wait())


def test_more_than_a_quarter_of_an_hour_is_an_error_at_once(tmp_path: Any) -> None:
    async def wait() -> None:
        async with _fast_azure(tmp_path) as (arm, azure):
            arm.on(f"GET {vm_path()}", Answer(429, THROTTLED, {"Retry-After": "901"}))
            with pytest.raises(AzureRefused, match="Azure asks to wait 15 minutes") as caught:
                await read(azure)
            assert caught.value.code == "TooManyRequests"
            assert len(arm.seen) == 1

    in_fast_time(wait())


@asynccontextmanager
async def _fast_azure(folder: Any) -> AsyncIterator[tuple[Arm, Azure]]:
    # What a real network needs is as long on a fast clock, so silence is given an hour of it.
    async with serving_arm(folder) as arm, open_clients(settings_of(arm, time_scale=1), 3600.0) as azure:
        yield arm, azure


@pytest.mark.parametrize("minutes", [-12, 12])
async def test_a_date_is_read_by_the_service_s_own_clock(minutes: int, arm: Arm, azure: Azure) -> None:
    """Ours may be minutes off, so that a Retry-After with a date would be hours or nothing."""
    theirs = datetime.now(UTC) + timedelta(minutes=minutes)
    told = {
        "Date": format_datetime(theirs, usegmt=True),
        "Retry-After": format_datetime(theirs + timedelta(seconds=1), usegmt=True),
    }
    arm.on(f"GET {vm_path()}", Answer(503, arm_error("ServiceUnavailable", "Not now."), told), VM)
    began = time.monotonic()
    await read(azure)
    assert 0.9 <= time.monotonic() - began < 20


EXPIRED = Answer(401, arm_error("ExpiredAuthenticationToken", "The access token expiry UTC time is over."))


async def test_a_token_that_expires_in_the_middle_is_renewed(arm: Arm, azure: Azure) -> None:
    """By ARM's clock, whatever ours says of it; the operation under way is not started anew."""
    arm.tokens = ["first", "second"]
    arm.on(f"POST {vm_path('/start')}", accepted(arm))
    arm.on(f"GET {OPERATION}", Answer(body={"status": "InProgress"}), EXPIRED, SUCCEEDED)
    await start(azure)
    used = [seen.headers["Authorization"] for seen in arm.seen]
    assert used == ["Bearer first"] * 3 + ["Bearer second"]
    assert arm.tokens_asked == 2


async def test_a_token_that_expired_just_before_the_clean_up_is_renewed(arm: Arm, azure: Azure) -> None:
    """All that belongs to the run goes, with one new token for all calls."""
    ours = replace(VM, body={**VM.body, "tags": {RUN_TAG: "run1"}})
    arm.tokens = ["first", "second"]
    arm.on(f"GET {vm_path()}", EXPIRED, ours, Answer(404, arm_error("ResourceNotFound", "It is gone.")))
    arm.on(f"DELETE {vm_path()}", Answer(204))
    machines = azure.compute.virtual_machines
    vm = Resource(
        vm_path(),
        "the VM vm1",
        get=partial(machines.get, "rg", "vm1"),
        begin_delete=partial(machines.begin_delete, "rg", "vm1"),
    )
    assert await delete_ours(azure, vm, "run1") == []
    assert len(arm.of("DELETE")) == 1
    assert arm.tokens_asked == 2


GONE = Answer(404, {"code": "NotFound", "message": "The entity was not found in this Azure location."})


async def test_an_operation_that_nobody_knows_any_more_is_told_by_what_it_made(
    arm: Arm, azure: Azure
) -> None:
    arm.on(f"PUT {vm_path()}", Answer(201, VM.body, accepted(arm).headers))
    arm.on(f"GET {OPERATION}", GONE)
    arm.on(f"GET {vm_path()}", VM)
    assert (await create(azure)).name == "vm1"
    assert len(arm.of("PUT")) == 1


async def test_an_operation_that_nobody_knows_any_more_may_have_failed(arm: Arm, azure: Azure) -> None:
    arm.on(f"PUT {vm_path()}", Answer(201, VM.body, accepted(arm).headers))
    arm.on(f"GET {OPERATION}", GONE)
    arm.on(f"GET {vm_path()}", Answer(body={"name": "vm1", "properties": {"provisioningState": "Failed"}}))
    with pytest.raises(AzureRefused, match="it ended as failed"):
        await create(azure)


async def test_a_deletion_that_nobody_knows_any_more_is_over_when_the_thing_is_gone(
    arm: Arm, azure: Azure
) -> None:
    arm.on(f"DELETE {vm_path()}", accepted(arm))
    arm.on(f"GET {OPERATION}", GONE)
    delete = azure.compute.virtual_machines.begin_delete
    await finished(delete, "rg", "vm1", what="deleting vm1", kind="vm_delete", scale=azure.scale)
    assert len(arm.of("DELETE")) == 1


async def test_an_action_that_nobody_knows_any_more_is_asked_for_once_more(arm: Arm, azure: Azure) -> None:
    """It may be repeated: a VM that runs is started without effect."""
    arm.on(f"POST {vm_path('/start')}", accepted(arm))
    arm.on(f"GET {OPERATION}", GONE, SUCCEEDED)
    await start(azure)
    assert len(arm.of("POST")) == 2
