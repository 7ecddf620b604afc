"""The snapshot: copied once, opened and closed, deleted only when it is ours."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from tests.azure.conftest import Answer, arm_error
from tests.steps.conftest import RUN_ID, World
from tests.steps.shelf import COMPUTE
from tests.steps.test_source import VM, vm
from vhdlift.azure.snapshot import create_vm_snapshot_and_generate_sas
from vhdlift.errors import AzureRefused, StepWarning
from vhdlift.steps.snapshot_created import SnapshotCreated
from vhdlift.steps.snapshot_released import SnapshotReleased

FACTS = {"source_disk_id": "/subscriptions/s/disks/old1-os", "source_location": "ukwest"}


def path(world: World) -> str:
    return f"{COMPUTE}/snapshots/{world.context.names.snapshot}"


async def make(world: World) -> Any:
    return await SnapshotCreated().do(world.with_facts(**FACTS))


def open_it(world: World, answer: Answer) -> None:
    kept = world.shelf.at(path(world))
    assert kept is not None
    kept["properties"]["diskState"] = "ActiveSAS"
    world.shelf.on(f"POST {path(world)}/beginGetAccess", answer)
    world.shelf.on(f"POST {path(world)}/endGetAccess", Answer(200))


async def test_snapshot_is_a_full_copy_beside_the_source(world: World) -> None:
    """Full, on standard storage, in the region of the source, with the run's tag, and in the ledger."""
    assert await make(world) == {"snapshot_id": path(world)}
    (put,) = world.shelf.of("PUT")
    assert put.body["location"] == "ukwest"
    assert put.body["sku"] == {"name": "Standard_LRS"}
    assert put.body["tags"]["vhdlift-run"] == RUN_ID
    assert put.body["properties"] == {
        "creationData": {"createOption": "Copy", "sourceResourceId": FACTS["source_disk_id"]},
        "incremental": False,
    }
    assert world.entered == [path(world)]


async def test_done_twice_makes_one_snapshot(world: World) -> None:
    """A second snapshot would be of a running disk: the first is taken over."""
    assert await make(world) == await make(world)
    assert len(world.shelf.of("PUT")) == 1


@pytest.mark.parametrize("spelling", ["accessSAS", "accessSas"])
async def test_url_is_found_in_either_spelling(spelling: str, world: World) -> None:
    """The service has been seen to write the key in two ways."""
    await make(world)
    open_it(world, Answer(body={spelling: "https://md-1.blob/abcd?sig=secret"}))
    _, url = await create_vm_snapshot_and_generate_sas(
        world.context.azure, world.context.run, None, ledger=world.context.ledger, seconds=90_000
    )
    assert url == "https://md-1.blob/abcd?sig=secret"
    assert world.shelf.of("POST")[-1].body == {"access": "Read", "durationInSeconds": 90_000}


async def test_empty_url_is_an_error(world: World) -> None:
    """Access that is granted without a URL is a failure."""
    await make(world)
    open_it(world, Answer(body={"accessSAS": ""}))
    with pytest.raises(AzureRefused) as caught:
        await create_vm_snapshot_and_generate_sas(
            world.context.azure, world.context.run, None, ledger=world.context.ledger, seconds=90_000
        )
    assert caught.value.code == "NoAccessSas"


async def test_lost_snapshot_is_not_made_again_later(world: World) -> None:
    """When the source runs again, a snapshot that is gone is an error."""
    with pytest.raises(AzureRefused) as caught:
        await create_vm_snapshot_and_generate_sas(
            world.context.azure, world.context.run, None, ledger=world.context.ledger, seconds=90_000
        )
    assert caught.value.code == "SnapshotGone"


async def test_open_snapshot_is_closed_before_it_is_opened_anew(world: World) -> None:
    """Of two URLs the older one ends first, and the service may refuse the second."""
    await make(world)
    open_it(world, Answer(body={"accessSAS": "https://md-1.blob/abcd?sig=secret"}))
    await create_vm_snapshot_and_generate_sas(
        world.context.azure, world.context.run, None, ledger=world.context.ledger, seconds=90_000
    )
    actions = [seen.path.split("?")[0].rpartition("/")[2] for seen in world.shelf.of("POST", "snapshots")]
    assert actions == ["endGetAccess", "beginGetAccess"]


def stopped(ago: timedelta) -> dict[str, str]:
    """The facts of a source VM that was stopped so long ago."""
    return {**FACTS, "source_stopped_at": (datetime.now(UTC) - ago).isoformat()}


@pytest.mark.parametrize("ago", [timedelta(hours=1), -timedelta(minutes=3)])
async def test_source_that_was_started_while_the_run_was_parked_is_stopped_again(
    ago: timedelta, world: World
) -> None:
    """Its disk is at rest when it is copied, also by a machine whose clock is behind."""
    world.shelf.on(f"GET {VM}", vm("running"), vm("deallocated"))
    world.shelf.on(f"POST {VM}/deallocate", Answer(200))
    await SnapshotCreated().do(world.with_facts(**stopped(ago)))
    changes = [seen.method for seen in world.shelf.seen if seen.method in {"POST", "PUT"}]
    assert changes == ["POST", "PUT"]


async def test_source_that_was_off_and_was_started_meanwhile_is_not_stopped(world: World) -> None:
    """Its owner uses it, and nobody would start it again."""
    world.shelf.on(f"GET {VM}", vm("running"))
    facts = {**stopped(timedelta(hours=1)), "source_power_state": "deallocated"}
    with pytest.raises(AzureRefused, match="somebody has started it"):
        await SnapshotCreated().do(world.with_facts(**facts))
    assert world.shelf.of("POST") == world.shelf.of("PUT") == []


async def test_source_that_was_stopped_just_now_is_not_looked_at(world: World) -> None:
    """It is down for as short a time as can be."""
    await SnapshotCreated().do(world.with_facts(**stopped(timedelta(seconds=1))))
    assert world.shelf.of("GET", "virtualMachines") == []


async def test_open_snapshot_is_closed_before_it_is_deleted(world: World) -> None:
    """Access is taken back first: a snapshot in export cannot be deleted."""
    await make(world)
    open_it(world, Answer(200))
    assert await SnapshotCreated().undo(world.context) == []
    methods = [seen.method for seen in world.shelf.seen if seen.method in {"POST", "DELETE"}]
    assert methods == ["POST", "DELETE"]
    assert world.shelf.at(path(world)) is None


async def test_undo_of_nothing_and_of_foreign_things(world: World) -> None:
    """No snapshot is no work, and one of somebody else survives."""
    assert await SnapshotCreated().undo(world.context) == []
    world.shelf.put(path(world), {"location": "ukwest", "tags": {"vhdlift-run": "another"}})
    assert await SnapshotCreated().undo(world.context) == []
    assert world.shelf.at(path(world)) is not None


async def test_release_that_fails_is_a_warning(world: World) -> None:
    """A snapshot that stays does not throw a verified artefact away; it is a leftover."""
    await make(world)
    world.shelf.on(f"DELETE {path(world)}", Answer(409, arm_error("ScopeLocked", "There is a lock.")))
    with pytest.raises(StepWarning, match="ScopeLocked") as caught:
        await SnapshotReleased().do(world.context)
    assert [left.resource_id for left in caught.value.leftovers] == [path(world)]


async def test_release_deletes(world: World) -> None:
    """After the release the snapshot is gone, and a second release is no error."""
    await make(world)
    await SnapshotReleased().do(world.context)
    assert world.shelf.at(path(world)) is None
    await SnapshotReleased().do(world.context)
