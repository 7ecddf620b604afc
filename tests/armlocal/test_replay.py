"""Recorded exchanges with the real service, played against the stand-in and compared."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from tests.armlocal.armworld import running_arm
from tests.armlocal.machines import Disks, Grants, Handler
from tests.armlocal.replay.differences import Entry, entries, outlived, unlisted
from tests.armlocal.replay.player import Difference, HeldClock, Player
from tests.armlocal.replay.shape import fold, paths_of, unfold
from tests.armlocal.replay.story import stories

if TYPE_CHECKING:
    from pathlib import Path

    from armlocal.azurite import Azurite
    from tests.armlocal.conftest import Certificates

pytestmark = pytest.mark.asyncio(loop_scope="module")


async def test_every_exchange_is_answered_as_recorded_but_for_the_listed_differences(
    certificates: Certificates, tmp_path: Path, azurite: Azurite
) -> None:
    """Status, headers and keys of the body; a listed difference that is gone has to leave the list."""
    found = []
    async with running_arm(certificates, tmp_path, azurite) as arm:
        arm.world.clock = clock = HeldClock()
        arm.world.disks, arm.world.exports, arm.world.guest = Disks(), Grants(), Handler()
        player = Player(arm, clock)
        for story in stories():
            found += await player.play(story)
    known = entries()
    assert unlisted(found, known) == []
    assert outlived(found, known) == []


def difference(what: str) -> Difference:
    return Difference("group", 1, "GET Microsoft.Resources/resourceGroups", what)


@pytest.mark.parametrize("what", ["status 200, not 201", "header etag missing", "key properties.a added"])
async def test_a_difference_that_is_not_listed_is_told(what: str) -> None:
    """With the exchange it was seen in, whatever else is listed."""
    other = Entry("another", ("key properties.b added",), ("*",), ("*",))
    told = [f"group [1] GET Microsoft.Resources/resourceGroups: {what}"]
    assert unlisted([difference(what)], [other]) == told


@pytest.mark.parametrize(
    ("entry", "gone"),
    [
        (Entry("", ("key a* added",), ("GET *",), ("group",)), []),
        (Entry("", ("key a* added", "key c added"), ("*",), ("*",)), ["what = key c added"]),
        (Entry("", ("key a* added",), ("GET *", "PUT *"), ("*",)), ["operation = PUT *"]),
        (Entry("", ("key a* added",), ("*",), ("group", "disk")), ["story = disk"]),
    ],
)
async def test_a_listed_difference_that_is_gone_is_told(entry: Entry, gone: list[str]) -> None:
    """Each text, operation and story of an entry by itself."""
    assert outlived([difference("key a[].b added")], [entry]) == gone


@pytest.mark.parametrize(
    ("body", "line"),
    [
        ({"id": 1, "properties": {"a": None, "b": {}}}, "id,properties{a,b}"),
        ({"value": [{"name": "x"}, {"id": "y", "tags": {"t": "u"}}]}, "value[]{id,name,tags}"),
        ({"properties": {"provisioningState": "Updating"}}, "properties{provisioningState=Updating}"),
        ([{"name": 1}], "[]{name}"),
        ({"value": []}, "value[]"),
    ],
)
async def test_the_keys_of_a_body_are_one_line(body: Any, line: str) -> None:
    """And the line tells all of them again."""
    assert fold(paths_of(body)) == line
    assert unfold(line) == paths_of(body)
