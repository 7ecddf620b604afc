"""What holds for every kind of resource alike: made, read, changed, listed and deleted as ARM has it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest_asyncio

from tests.armlocal.kinds import Kind, kinds
from tests.armlocal.machines import Machines, running_machines
from tests.armlocal.replay.player import HeldClock

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path

    from tests.armlocal.conftest import Certificates


@pytest_asyncio.fixture
async def lab(certificates: Certificates, tmp_path: Path) -> AsyncIterator[Machines]:
    """With a clock that ends operations only when it is told to."""
    async with running_machines(certificates, tmp_path) as started:
        started.arm.world.clock = HeldClock()
        yield started
        await over(started)


async def over(lab: Machines) -> None:
    """Ends every operation that runs."""
    clock = lab.arm.world.clock
    assert isinstance(clock, HeldClock)
    await clock.end_all(lab.arm.world.tasks)


async def made(lab: Machines) -> list[Kind]:
    """One of each kind, all of them ready."""
    for kind in kinds(lab):
        answer = await kind.put(lab)
        assert answer.status_code == kind.first, (kind.path, answer.text)
        await over(lab)
    return kinds(lab)


async def state(lab: Machines, kind: Kind) -> str:
    body = (await lab.arm.http.get(kind.id(lab))).json()
    return str(body["properties"].get("provisioningState", "Succeeded"))


def without_etags(value: Any) -> Any:
    """Parts of a resource carry its etag, too."""
    if isinstance(value, list):
        return [without_etags(item) for item in value]
    if isinstance(value, dict):
        return {key: without_etags(item) for key, item in value.items() if key != "etag"}
    return value


async def test_a_read_while_it_is_made_says_so_and_that_it_is_ready_later(lab: Machines) -> None:
    """Creating or Updating first, Succeeded when the operation is over."""
    for kind in kinds(lab):
        await kind.put(lab)
        first = await state(lab, kind)
        assert (first in ("Creating", "Updating")) is kind.waits, (kind.path, first)
        await over(lab)
        assert await state(lab, kind) == "Succeeded", kind.path


async def test_an_id_is_the_same_in_whatever_letters_and_answered_as_it_was_made(lab: Machines) -> None:
    """Only what is asked for, not what is there, is free in its letters."""
    for kind in await made(lab):
        small = await lab.arm.http.get(kind.id(lab).lower())
        large = await lab.arm.http.get("/subscriptions/" + kind.id(lab).split("/", 2)[2].upper())
        assert small.json()["id"] == large.json()["id"], kind.path
        assert small.json()["id"].lower() == kind.id(lab).lower()
        assert small.json()["name"] == kind.path.rsplit("/", 1)[-1]


async def test_a_put_of_what_is_there_changes_it_and_keeps_what_it_is(lab: Machines) -> None:
    """With the status of a change, and ready again at the end; children before what they are in."""
    for kind in reversed(await made(lab)):
        answer = await kind.put(lab)
        assert answer.status_code == kind.again, (kind.path, answer.text)
        await over(lab)
        assert await state(lab, kind) == "Succeeded", kind.path


async def test_a_patch_of_tags_changes_them_and_nothing_else(lab: Machines) -> None:
    """Whatever has tags."""
    for kind in await made(lab):
        if not kind.tagged:
            continue
        before = (await lab.arm.http.get(kind.id(lab))).json()
        answer = await lab.arm.http.patch(kind.id(lab), json={"tags": {"c": "d"}})
        assert answer.status_code in (200, 202), (kind.path, answer.text)
        await over(lab)
        after = (await lab.arm.http.get(kind.id(lab))).json()
        assert after["tags"] == {"c": "d"}, kind.path
        assert without_etags(after["properties"]) == without_etags(before["properties"]), kind.path


async def test_an_etag_that_does_not_match_is_a_412(lab: Machines) -> None:
    """Of Network and DNS, for changes and for deletions, and `If-None-Match: *` on what is there."""
    for kind in reversed(await made(lab)):
        if not kind.etag:
            continue
        for headers in ({"If-Match": '"another"'}, {"If-None-Match": "*"}):
            assert (await kind.put(lab, headers)).status_code == 412, (kind.path, headers)
        gone = await lab.arm.http.delete(kind.id(lab), headers={"If-Match": '"another"'})
        assert gone.status_code == 412, kind.path
        etag = (await lab.arm.http.get(kind.id(lab))).json()["etag"]
        assert (await kind.put(lab, {"If-Match": etag})).status_code == kind.again, kind.path
        await over(lab)


async def test_a_list_has_what_there_is_in_the_group_and_in_the_subscription(lab: Machines) -> None:
    """Children are listed below what they are in."""
    for kind in await made(lab):
        lists = [kind.id(lab).rsplit("/", 1)[0]]
        if kind.path.count("/") == 2:
            lists.append(
                f"/subscriptions/{lab.arm.world.subscription_id}/providers/{kind.path.rsplit('/', 1)[0]}"
            )
        for path in lists:
            rows = (await lab.arm.http.get(path)).json()["value"]
            assert kind.id(lab).lower() in {row["id"].lower() for row in rows}, path


async def test_what_is_deleted_is_gone_and_deleting_it_again_is_a_204(lab: Machines) -> None:
    """In the order that lets go of what others need."""
    for kind in reversed(await made(lab)):
        answer = await lab.arm.http.delete(kind.id(lab))
        assert answer.status_code in (200, 202), (kind.path, answer.text)
        await over(lab)
        assert (await lab.arm.http.get(kind.id(lab))).status_code == 404, kind.path
        assert (await lab.arm.http.delete(kind.id(lab))).status_code == 204, kind.path
