"""Ways to end a run from outside: cancel it while it works, clean up after it."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from tests.engine.doubles import Cloud, Fake, Undo, play, run_of
from vhdlift.engine import api, locks
from vhdlift.engine.store import Outcome, Store
from vhdlift.errors import Leftover, VhdliftError
from vhdlift.model import Event
from vhdlift.settings import Settings
from vhdlift.steps.base import Context


async def until(condition: Any) -> None:
    async with asyncio.timeout(90):
        while not condition():  # noqa: ASYNC110 - the condition is anybody's
            await asyncio.sleep(0.02)


async def forever(_c: Context) -> dict[str, Any]:
    await asyncio.Event().wait()
    return {}


async def resume(settings: Settings, cloud: Cloud, run_id: str, *steps: Fake) -> Outcome:
    doubles = {"steps": steps, "open_clients": cloud.clients, "inventory": cloud.inventory}
    return await api.resume(settings, run_id, lambda _event: None, **doubles)


async def test_a_cancelled_run_is_undone_and_says_so(settings: Settings, cloud: Cloud) -> None:
    run, events = run_of(), list[Event]()
    playing = asyncio.create_task(
        play(settings, cloud, Fake(cloud, "slow", do=forever), run=run, events=events)
    )
    await until(lambda: cloud.things)
    api.request_cancel(settings, run.id)
    outcome = await playing
    assert (outcome.status, cloud.things) == ("cancelled", set())
    assert events[-1].status == "cancelled"


async def test_a_clean_up_removes_what_was_left_before(settings: Settings, cloud: Cloud) -> None:
    stuck = True

    async def undo(_c: Context) -> list[Leftover]:
        return [Leftover("/a", "locked", "az unlock")] if stuck else []

    async def fail(_c: Context) -> dict[str, Any]:
        raise VhdliftError("It broke.")

    run, steps = run_of(), (Fake(cloud, "a", undo=undo), Fake(cloud, "b", "a", do=fail))
    assert (await play(settings, cloud, *steps, run=run)).leftovers
    stuck = False
    doubles = {"steps": steps, "open_clients": cloud.clients, "inventory": cloud.inventory}
    outcome = await api.cleanup(settings, run.id, lambda _event: None, **doubles)
    assert (outcome.status, outcome.leftovers, cloud.things) == ("failed", (), set())


async def test_a_clean_up_that_leaves_something_else_says_so_last(settings: Settings, cloud: Cloud) -> None:
    """Its receiver would otherwise still believe what the one before it left."""
    stuck, events = "a", list[Event]()

    def undo(name: str) -> Undo:
        async def leave(_c: Context) -> list[Leftover]:
            return [Leftover(f"/{name}", "locked", "az unlock")] if name == stuck else []

        return leave

    async def fail(_c: Context) -> dict[str, Any]:
        raise VhdliftError("It broke.")

    last = Fake(cloud, "c", "b", do=fail)
    run, steps = run_of(), (Fake(cloud, "a", undo=undo("a")), Fake(cloud, "b", "a", undo=undo("b")), last)
    await play(settings, cloud, *steps, run=run)
    stuck = "b"
    cloud.things.add("/b")
    doubles = {"steps": steps, "open_clients": cloud.clients, "inventory": cloud.inventory}
    await api.cleanup(settings, run.id, events.append, **doubles)
    finals = [event.details for event in events if event.details.get("final")]
    assert [[row["resource_id"] for row in one["leftovers"]] for one in finals] == [["/a"], ["/b"]]


async def test_what_is_given_back_first_is_not_given_back_again_by_a_later_clean_up(
    settings: Settings, cloud: Cloud
) -> None:
    """Its owner may have turned the source VM off since."""

    async def fail(_c: Context) -> dict[str, Any]:
        raise VhdliftError("It broke.")

    run, steps = run_of(), (Fake(cloud, "source", first=True), Fake(cloud, "b", "source", do=fail))
    await play(settings, cloud, *steps, run=run)
    doubles = {"steps": steps, "open_clients": cloud.clients, "inventory": cloud.inventory}
    await api.cleanup(settings, run.id, lambda _event: None, **doubles)
    assert [entry for entry in cloud.log if "undo" in entry] == ["undo source", "undo b", "undo b"]


async def test_a_clean_up_that_is_cancelled_waits_for_its_user(settings: Settings, cloud: Cloud) -> None:
    """No worker goes on removing what its user has stopped removing."""

    async def hang(_c: Context) -> list[Leftover]:
        hanging.set()
        await asyncio.Event().wait()
        return []

    async def fail(_c: Context) -> dict[str, Any]:
        raise VhdliftError("It broke.")

    run, hanging = run_of(on_failure="keep"), asyncio.Event()
    await play(settings, cloud, Fake(cloud, "a"), Fake(cloud, "b", "a", do=fail), run=run)
    steps = Fake(cloud, "a", undo=hang), Fake(cloud, "b", "a")
    doubles = {"steps": steps, "open_clients": cloud.clients, "inventory": cloud.inventory}
    cleaning = asyncio.create_task(api.cleanup(settings, run.id, lambda _event: None, **doubles))
    await hanging.wait()
    cleaning.cancel()
    with pytest.raises(asyncio.CancelledError):
        await cleaning
    store = Store.open(settings)
    assert store.to_take_up() == []
    store.close()


async def test_a_call_that_is_cancelled_leaves_the_run_to_be_resumed(
    settings: Settings, cloud: Cloud
) -> None:
    run, slow = run_of(), Fake(cloud, "slow", "quick", do=forever)
    playing = asyncio.create_task(play(settings, cloud, Fake(cloud, "quick"), slow, run=run))
    await until(lambda: "/slow" in cloud.things)
    playing.cancel()
    with pytest.raises(asyncio.CancelledError):
        await playing
    steps = Fake(cloud, "quick"), Fake(cloud, "slow", "quick")
    outcome = await asyncio.wait_for(resume(settings, cloud, run.id, *steps), 90)
    assert (outcome.status, cloud.log) == ("completed", ["do quick", "do slow"])


async def test_an_undo_that_is_broken_off_by_a_cancelled_call_is_resumed(
    settings: Settings, cloud: Cloud
) -> None:
    async def fail(_c: Context) -> dict[str, Any]:
        raise VhdliftError("It broke.")

    async def never(_c: Context) -> list[Leftover]:
        await asyncio.Event().wait()
        return []

    run, failing = run_of(), Fake(cloud, "b", "a", do=fail)
    stuck = Fake(cloud, "a", undo=never), failing
    playing = asyncio.create_task(play(settings, cloud, *stuck, run=run))
    await until(lambda: "undo a" in cloud.log)
    playing.cancel()
    with pytest.raises(asyncio.CancelledError):
        await playing
    outcome = await asyncio.wait_for(resume(settings, cloud, run.id, Fake(cloud, "a"), failing), 90)
    assert (outcome.status, outcome.failed_step, cloud.things) == ("failed", "b", set())


async def test_two_processes_never_work_on_one_run(settings: Settings, cloud: Cloud) -> None:
    run = run_of()
    with locks.opened(settings) as theirs:
        theirs.take(run.id)
        with pytest.raises(VhdliftError, match="Another process is working"):
            await play(settings, cloud, Fake(cloud, "a"), run=run)
    assert cloud.log == []


async def test_a_clean_up_waits_for_who_still_posts_the_end_of_the_run(
    settings: Settings, cloud: Cloud
) -> None:
    """A run that is over is soon let go of."""
    run, steps = run_of(), (Fake(cloud, "a"),)
    await play(settings, cloud, *steps, run=run)
    doubles = {"steps": steps, "open_clients": cloud.clients, "inventory": cloud.inventory}
    with locks.opened(settings) as others:
        assert others.take(run.id)
        asyncio.get_running_loop().call_later(1.5, others.give_back, run.id)
        outcome = await api.cleanup(settings, run.id, lambda _event: None, **doubles)
    assert (outcome.leftovers, cloud.things) == ((), set())
