"""The daily shutdown of a VM, by the official client's generic calls."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
import pytest_asyncio
from azure.core.exceptions import HttpResponseError, ResourceNotFoundError

from tests.armlocal.armworld import LOCATION, Arm, running_arm

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path

    from tests.armlocal.conftest import Certificates

VERSION = "2018-09-15"


@pytest_asyncio.fixture
async def arm(certificates: Certificates, tmp_path: Path) -> AsyncIterator[Arm]:
    async with running_arm(certificates, tmp_path) as started:
        await started.make_group("lab")
        yield started


def path(arm: Arm, name: str = "shutdown-computevm-vm1") -> str:
    return f"{arm.id('lab', 'Microsoft.DevTestLab')}/schedules/{name}"


def body(arm: Arm, time: str = "1900", **more: Any) -> dict[str, Any]:
    properties = {
        "status": "Enabled",
        "taskType": "ComputeVmShutdownTask",
        "dailyRecurrence": {"time": time},
        "timeZoneId": "UTC",
        "targetResourceId": f"{arm.id('lab', 'Microsoft.Compute')}/virtualMachines/vm1",
    }
    return {"location": LOCATION, "tags": {"team": "a"}, "properties": properties, **more}


async def test_a_schedule_is_made_changed_listed_and_deleted(arm: Arm) -> None:
    """As recorded: 201 both times, one and the same schedule, ids in small letters, 200 at its end."""
    generic = arm.resources.resources
    first = await arm.http.put(path(arm), json=body(arm))
    poller = await generic.begin_create_or_update_by_id(path(arm), body(arm, "1730"), api_version=VERSION)
    made = await poller.result()
    assert first.status_code == 201
    assert made.properties["uniqueIdentifier"] == first.json()["properties"]["uniqueIdentifier"]
    assert (made.type, made.tags) == ("microsoft.devtestlab/schedules", {"team": "a"})
    assert made.properties["dailyRecurrence"] == {"time": "1730"}
    assert made.properties["provisioningState"] == "Succeeded"
    listed = generic.list(filter="tagName eq 'team' and tagValue eq 'a'")
    assert [one.name async for one in listed] == ["shutdown-computevm-vm1"]
    await (await generic.begin_delete_by_id(path(arm), api_version=VERSION)).result()
    with pytest.raises(ResourceNotFoundError):
        await generic.get_by_id(path(arm), api_version=VERSION)
    assert (await arm.http.delete(path(arm))).status_code == 204


async def test_another_name_than_the_machine_s_is_refused(arm: Arm) -> None:
    generic = arm.resources.resources
    with pytest.raises(HttpResponseError) as caught:
        await generic.begin_create_or_update_by_id(path(arm, "off"), body(arm), api_version=VERSION)
    assert caught.value.status_code == 400


async def test_a_schedule_goes_with_its_group(arm: Arm) -> None:
    await arm.http.put(path(arm), json=body(arm))
    await (await arm.resources.resource_groups.begin_delete("lab")).result()
    assert arm.world.resources == {}
