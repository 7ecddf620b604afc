"""The resource group: used when it is there, made and taken away when it is not."""

from __future__ import annotations

from tests.azure.conftest import Answer
from tests.steps.conftest import RUN_ID, World
from tests.steps.shelf import GROUP
from vhdlift.steps.resource_group_ready import ResourceGroupReady


def holds(world: World, *items: dict[str, object]) -> None:
    world.shelf.on(f"GET {GROUP}/resources", Answer(body={"value": list(items)}))


async def test_missing_group_is_made_and_removed(world: World) -> None:
    """A group that the run made carries its tag and goes with it."""
    await ResourceGroupReady().do(world.context)
    kept = world.shelf.at(GROUP)
    assert kept is not None
    assert kept["tags"]["vhdlift-run"] == RUN_ID
    assert world.entered == [GROUP]
    holds(world)
    assert await ResourceGroupReady().undo(world.context) == []
    assert world.shelf.at(GROUP) is None


async def test_existing_group_survives_unchanged(world: World) -> None:
    """A group that was there is neither changed nor deleted."""
    before = dict(world.shelf.put(GROUP, {"location": "ukwest", "tags": {"owner": "them"}}))
    await ResourceGroupReady().do(world.context)
    assert await ResourceGroupReady().undo(world.context) == []
    assert world.shelf.at(GROUP) == before
    assert world.shelf.of("PUT") == []


async def test_group_with_something_else_in_it_stays(world: World) -> None:
    """What somebody put into the run's group is not deleted with it; the group is told as left."""
    await ResourceGroupReady().do(world.context)
    holds(world, {"id": f"{GROUP}/providers/Microsoft.Sql/servers/theirs", "tags": {}})
    (left,) = await ResourceGroupReady().undo(world.context)
    assert "servers/theirs" in left.reason
    assert left.command == "az group delete --name lab1-rg --yes"
    assert world.shelf.of("DELETE") == []


async def test_lagging_list_is_waited_for(world: World) -> None:
    """ARM's list names deleted resources of the run for a while; the group goes when it is empty."""
    await ResourceGroupReady().do(world.context)
    lagging = Answer(body={"value": [{"id": "x", "tags": {"vhdlift-run": RUN_ID}}]})
    world.shelf.on(f"GET {GROUP}/resources", lagging, lagging, Answer(body={"value": []}))
    assert await ResourceGroupReady().undo(world.context) == []
    assert world.shelf.at(GROUP) is None


async def test_group_that_is_being_deleted_is_made_anew(world: World) -> None:
    """A group on its way out is waited for and then made."""
    leaving = {"id": GROUP, "location": "ukwest", "properties": {"provisioningState": "Deleting"}}
    world.shelf.on(f"GET {GROUP}", Answer(body=leaving), Answer(404, {"error": {"code": "NotFound"}}))
    await ResourceGroupReady().do(world.context)
    assert len(world.shelf.of("PUT")) == 1
