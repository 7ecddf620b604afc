"""What belongs to a run: taken over, deleted and listed by its tag, and nothing else touched."""

from __future__ import annotations

import asyncio
from functools import partial
from typing import Any

import pytest

from tests.azure.conftest import SUBSCRIPTION, Answer, Arm, arm_error, group_path, vm_path
from vhdlift.azure.clients import Azure
from vhdlift.azure.ownership import Resource, delete_ours, inventory, made
from vhdlift.azure.waiting import finished
from vhdlift.errors import AzureRefused

RUN = "01RUN"


def vm(state: str = "Succeeded", run: str = RUN) -> Answer:
    return Answer(
        body={
            "id": vm_path(),
            "name": "vm1",
            "location": "uksouth",
            "tags": {"vhdlift-run": run},
            "properties": {"provisioningState": state},
        }
    )


GONE = Answer(404, arm_error("ResourceNotFound", "It was not found."))


def machine(azure: Azure) -> Resource:
    machines = azure.compute.virtual_machines
    return Resource(
        id=vm_path(),
        what="the VM vm1",
        get=partial(machines.get, "rg", "vm1"),
        begin_delete=partial(machines.begin_delete, "rg", "vm1"),
        kind="vm_delete",
    )


async def test_nothing_there_is_success(arm: Arm, azure: Azure) -> None:
    """Deleting what does not exist sends no delete and leaves nothing over."""
    assert await delete_ours(azure, machine(azure), RUN) == []
    assert arm.of("DELETE") == []


@pytest.mark.parametrize("owner", ["another-run", ""])
async def test_foreign_thing_is_untouched(owner: str, arm: Arm, azure: Azure) -> None:
    """What does not carry this run's tag is not deleted and is no leftover."""
    arm.on(f"GET {vm_path()}", vm(run=owner))
    assert await delete_ours(azure, machine(azure), RUN) == []
    assert arm.of("DELETE") == []


async def test_deletion_counts_when_it_is_seen_gone(arm: Arm, azure: Azure) -> None:
    """After the operation is over the resource is read until Azure says 404."""
    arm.on(f"GET {vm_path()}", vm(), vm("Deleting"), vm("Deleting"), GONE)
    arm.on(f"DELETE {vm_path()}", Answer(204))
    assert await delete_ours(azure, machine(azure), RUN) == []
    assert len(arm.of("GET")) == 4


async def test_deletion_is_seen_by_its_absence(arm: Arm, azure: Azure) -> None:
    """A 404 ends the wait, however long the service asks to be left alone about the operation."""
    url = f"{arm.url}/subscriptions/{SUBSCRIPTION}/operations/1"
    arm.on(f"GET {vm_path()}", vm(), vm("Deleting"), GONE)
    arm.on(f"DELETE {vm_path()}", Answer(202, headers={"Azure-AsyncOperation": url, "Retry-After": "30"}))
    assert await delete_ours(azure, machine(azure), RUN) == []
    assert arm.of("GET", "operations") == []


async def gone_after(arm: Arm, deletions: int) -> None:
    """The VM is there until so many deletions have been asked for."""
    while len(arm.of("DELETE")) < deletions:
        arm.arrived.clear()
        await arm.arrived.wait()
    arm.on(f"GET {vm_path()}", GONE)


async def test_deletion_that_never_began_is_asked_for_again(arm: Arm, azure: Azure) -> None:
    """A proxy's answer in place of Azure's looks like an end; the resource itself says that it is none."""
    arm.on(f"GET {vm_path()}", vm())
    arm.on(f"DELETE {vm_path()}", Answer(200))
    going = asyncio.create_task(gone_after(arm, 2))
    assert await delete_ours(azure, machine(azure), RUN) == []
    await going


async def test_deletion_is_not_repeated_on_what_somebody_else_made_meanwhile(arm: Arm, azure: Azure) -> None:
    """Once the run's own is gone, the name may be another's: that stays, and is no leftover of the run."""
    arm.on(f"GET {vm_path()}", vm(), vm(run="another-run"))
    arm.on(f"DELETE {vm_path()}", Answer(200))
    assert await delete_ours(azure, machine(azure), RUN) == []
    assert len(arm.of("DELETE")) == 1


async def test_refused_deletion_is_a_leftover(arm: Arm, azure: Azure) -> None:
    """A leftover has the id, the reason with Azure's code, and the command."""
    arm.on(f"GET {vm_path()}", vm())
    arm.on(f"DELETE {vm_path()}", Answer(409, arm_error("ScopeLocked", "There is a lock.")))
    (left,) = await delete_ours(azure, machine(azure), RUN)
    assert left.resource_id == vm_path()
    assert left.reason == "deleting the VM vm1: There is a lock (ScopeLocked)"
    assert left.command == f"az resource delete --ids {vm_path()}"


async def test_what_cannot_be_read_is_a_leftover(arm: Arm, azure: Azure) -> None:
    """Not being allowed to look is no proof of absence."""
    arm.on(f"GET {vm_path()}", Answer(403, arm_error("AuthorizationFailed", "Not authorized.")))
    (left,) = await delete_ours(azure, machine(azure), RUN)
    assert "AuthorizationFailed" in left.reason


class Making:
    """A create call with its ledger."""

    def __init__(self, azure: Azure) -> None:
        self.azure = azure
        self.told: list[str] = []

    async def ledger(self, resource_id: str) -> None:
        self.told.append(resource_id)

    async def create(self) -> Any:
        self.told.append("create")
        machines = self.azure.compute.virtual_machines
        return await finished(
            machines.begin_create_or_update,
            "rg",
            "vm1",
            {"location": "uksouth"},
            what="creating vm1",
            kind="vm_create",
            scale=self.azure.scale,
        )

    async def made(self) -> Any:
        return await made(self.azure, machine(self.azure), RUN, self.ledger, self.create)


async def test_ledger_entry_comes_before_the_create_call(arm: Arm, azure: Azure) -> None:
    """What is about to be made is noted first."""
    arm.on(f"PUT {vm_path()}", vm())
    making = Making(azure)
    await making.made()
    assert making.told == [vm_path(), "create"]


async def test_own_resource_is_taken_over(arm: Arm, azure: Azure) -> None:
    """What this run made before is used, not made again."""
    arm.on(f"GET {vm_path()}", vm())
    assert (await Making(azure).made()).name == "vm1"
    assert arm.of("PUT") == []


async def test_running_creation_is_waited_out(arm: Arm, azure: Azure) -> None:
    """A create call that is still under way is not sent again."""
    arm.on(f"GET {vm_path()}", vm("Creating"), vm("Creating"), vm())
    await Making(azure).made()
    assert arm.of("PUT") == []
    assert len(arm.of("GET")) == 3


async def test_failed_creation_is_made_again(arm: Arm, azure: Azure) -> None:
    """A resource of ours in state Failed is created again over it."""
    arm.on(f"GET {vm_path()}", vm("Failed"))
    arm.on(f"PUT {vm_path()}", vm())
    await Making(azure).made()
    assert len(arm.of("PUT")) == 1


async def test_name_of_something_else_is_refused(arm: Arm, azure: Azure) -> None:
    """A resource that this run did not make is neither used nor changed."""
    arm.on(f"GET {vm_path()}", vm(run="another"))
    with pytest.raises(AzureRefused, match="was not made by this run") as caught:
        await Making(azure).made()
    assert caught.value.code == "NotOurs"
    assert arm.of("PUT") == []


async def test_inventory_is_by_tag_and_has_groups(arm: Arm, azure: Azure) -> None:
    """All that carries the tag is listed, over all pages, and what a lax list adds is left out."""
    mine, other = {"vhdlift-run": RUN}, {"vhdlift-run": "other"}
    path = f"/subscriptions/{SUBSCRIPTION}/resources"
    more = f"{arm.url}{path}?page=2"
    arm.on(
        f"GET {path}",
        Answer(body={"value": [{"id": "a", "tags": mine}, {"id": "x", "tags": other}], "nextLink": more}),
        Answer(body={"value": [{"id": "b", "tags": mine}]}),
    )
    arm.on(
        f"GET /subscriptions/{SUBSCRIPTION}/resourcegroups",
        Answer(body={"value": [{"id": group_path(), "location": "uksouth", "tags": mine}]}),
    )
    assert await inventory(azure, RUN) == ["a", "b", group_path()]
    assert "vhdlift-run" in arm.seen[0].path
