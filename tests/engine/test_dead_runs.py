"""Runs that a fault of the engine itself has ended: nothing is undone but what the source VM needs."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from copy import copy
from pathlib import Path
from typing import Any

import pytest

from tests.engine.conftest import settings_in
from tests.engine.doubles import Cloud, Fake, play, run_of
from tests.engine.test_ending import resume
from tests.receiver import receiving
from vhdlift.engine import given_back
from vhdlift.engine.engine import Engine
from vhdlift.engine.store import Store
from vhdlift.errors import ExitCode, Leftover, VhdliftError
from vhdlift.model import Event
from vhdlift.settings import Settings
from vhdlift.steps.base import Context


class Nameless(Fake):
    """A step whose title cannot be told, so that the engine itself stumbles."""

    @property
    def title(self) -> str:
        raise RuntimeError("no title")

    @title.setter
    def title(self, _title: str) -> None:
        return


async def test_a_run_that_a_fault_of_ours_has_ended_says_so_when_it_is_resumed(
    tmp_path: Path, cloud: Cloud
) -> None:
    """And what there is to do: nothing of it would go on."""
    settings, run = settings_in(tmp_path), run_of()
    with pytest.raises(VhdliftError, match="stopped working on run"):
        # No step of this name is known when it is to be carried out.
        await play(settings, cloud, Nameless(cloud, "a"), run=run)
    with pytest.raises(VhdliftError, match="stopped working on run") as told:
        await resume(settings, cloud, run.id, Fake(cloud, "a"))
    assert "vhdlift cleanup" in told.value.hint


async def test_the_source_vm_of_a_dead_run_is_given_back_and_nothing_else_undone(
    tmp_path: Path, cloud: Cloud
) -> None:
    """Nobody may be there who would clean up before the morning."""
    plan = Fake(cloud, "source", first=True), Fake(cloud, "vm", "source"), Nameless(cloud, "a", "vm")
    with pytest.raises(VhdliftError, match="stopped working on run"):
        await play(settings_in(tmp_path), cloud, *plan)
    assert cloud.log == ["do source", "do vm", "undo source"]
    assert cloud.things == {"/vm"}


async def test_the_receiver_learns_that_a_run_is_dead_and_what_is_left_to_do(
    tmp_path: Path, cloud: Cloud
) -> None:
    """Before the command ends; also when the source VM could not be given back."""

    async def refuse(_c: Context) -> list[Leftover]:
        return [Leftover("/source", "It is locked.", "az vm start")]

    run, plan = run_of(), (Fake(cloud, "source", first=True, undo=refuse), Nameless(cloud, "a", "source"))
    with receiving() as receiver:
        settings = settings_in(tmp_path, VHDLIFT_WEBHOOK_URL=receiver.url)
        with pytest.raises(VhdliftError, match="stopped working on run"):
            await play(settings, cloud, *plan, run=run)
    last = receiver.bodies()[-1]
    assert last["status"] == "failed"
    assert last["details"]["error"].startswith(f"The engine stopped working on run {run.id}")
    assert "vhdlift cleanup" in last["details"]["hint"]
    assert [left["resource_id"] for left in last["details"]["leftovers"]] == ["/source"]
    assert "final" not in last["details"]


async def test_a_death_is_told_in_the_name_of_the_step_that_was_under_way(
    tmp_path: Path, cloud: Cloud
) -> None:
    """Not as the failure of one that is done."""
    events: list[Event] = []
    with pytest.raises(VhdliftError, match="stopped working on run"):
        await play(settings_in(tmp_path), cloud, Fake(cloud, "a"), Nameless(cloud, "b", "a"), events=events)
    (failed,) = [event for event in events if event.state == "failed"]
    assert failed.step == "completed"


async def test_it_is_not_said_that_the_source_vm_is_back_when_it_is_not(tmp_path: Path, cloud: Cloud) -> None:
    async def refuse(_c: Context) -> list[Leftover]:
        return [Leftover("/source", "It is locked.", "az vm start")]

    settings, run, nameless = settings_in(tmp_path), run_of(), Nameless(cloud, "a", "source")
    with pytest.raises(VhdliftError) as told:
        await play(settings, cloud, Fake(cloud, "source", first=True, undo=refuse), nameless, run=run)
    assert "The source VM may be off." in told.value.hint
    assert told.value.exit_code == ExitCode.LEFTOVERS
    with pytest.raises(VhdliftError) as told:
        await resume(settings, cloud, run.id, Fake(cloud, "source", first=True), nameless)
    assert "Only the source VM was looked after." in told.value.hint


async def test_the_post_of_a_death_is_delivered_by_whoever_resumes(tmp_path: Path, cloud: Cloud) -> None:
    """Its receiver was away just then."""
    run = run_of()
    with receiving() as receiver:
        receiver.statuses = [503]
        settings = settings_in(tmp_path, VHDLIFT_WEBHOOK_URL=receiver.url)
        with pytest.raises(VhdliftError, match="stopped working on run"):
            await play(settings, cloud, Nameless(cloud, "a"), run=run)
        receiver.statuses = [200]
        with pytest.raises(VhdliftError, match="stopped working on run"):
            await resume(settings, cloud, run.id, Nameless(cloud, "a"))
    assert [body["status"] for body in receiver.bodies()] == ["failed"]


async def test_a_run_may_die_in_one_process_more_than_once(tmp_path: Path, cloud: Cloud) -> None:
    """Each time its followers are told, and the right to work on it is given back."""
    settings, run, steps = settings_in(tmp_path), run_of(), (Nameless(cloud, "a"),)
    opened = Engine.open(settings, steps=steps, open_clients=cloud.clients, inventory=cloud.inventory)
    async with opened as engine, asyncio.timeout(60):
        for _ in range(2):
            await engine.start(run)
            with pytest.raises(VhdliftError, match="stopped working on run"):
                await engine.follow(run.id, lambda _event: None)
        assert not engine.locks.taken([run.id])


async def test_a_step_that_this_version_does_not_know_keeps_no_source_vm(
    tmp_path: Path, cloud: Cloud
) -> None:
    """It is of the plan of an earlier version, and the run cannot go on with it."""
    settings, run = settings_in(tmp_path), run_of()
    store = Store.open(settings)
    store.add_run(run, [{"name": "source", "needs": []}, {"name": "unknown", "needs": ["source"]}])
    store.close()
    with pytest.raises(VhdliftError, match="stopped working on run"):
        await resume(settings, cloud, run.id, Fake(cloud, "source", first=True))
    assert cloud.log == ["do source", "undo source"]


async def test_an_undo_that_ends_without_the_right_to_the_run_says_nothing_of_its_source_vm(
    tmp_path: Path, cloud: Cloud
) -> None:
    """Another process has gone on with the run meanwhile, and may have stopped the VM again."""
    run, steps = run_of(), (Fake(cloud, "source", first=True),)
    opened = Engine.open(
        settings_in(tmp_path), steps=steps, open_clients=cloud.clients, inventory=cloud.inventory
    )
    async with opened as engine:
        began = given_back.times(engine.store, run.id)
        engine.store.add_run(run, [{"name": "source", "needs": []}])
        given_back.note(engine.store, run.id, "source", began)
        assert given_back.is_over(engine.store, run.id)
        given_back.goes_on(engine.store, run.id)
        given_back.note(engine.store, run.id, "source", began)
        assert not given_back.is_over(engine.store, run.id)


async def test_a_run_that_dies_harms_no_other_of_its_process(tmp_path: Path, cloud: Cloud) -> None:
    """Its source VM is given back beside the steps of the others, on connections of its own."""
    loops: dict[int, asyncio.AbstractEventLoop] = {}

    @asynccontextmanager
    async def clients(_settings: Settings) -> AsyncIterator[Cloud]:
        here = asyncio.get_running_loop()
        one = copy(cloud)
        loops[id(one)] = here
        yield one

    async def used(c: Context) -> Any:
        assert loops[id(c.azure)] is asyncio.get_running_loop()
        return []

    async def wait(c: Context) -> dict[str, Any]:
        await used(c)
        async with asyncio.timeout(60):
            while "undo source" not in cloud.log:  # noqa: ASYNC110 - the other run's end
                await asyncio.sleep(0.05)
        return {}

    steps = Fake(cloud, "source", first=True, undo=used), Fake(cloud, "slow", do=wait)
    settings, well, dying = settings_in(tmp_path), run_of(), run_of()
    store = Store.open(settings)
    store.add_run(well, [{"name": "slow", "needs": []}])
    store.add_run(dying, [{"name": "source", "needs": []}, {"name": "unknown", "needs": ["source"]}])
    store.close()
    opened = Engine.open(settings, steps=steps, open_clients=clients, inventory=cloud.inventory)
    async with opened as engine:
        await engine.start(well)
        await engine.start(dying)
        with pytest.raises(VhdliftError) as told:
            await engine.follow(dying.id, lambda _event: None)
        assert "Only the source VM was looked after." in told.value.hint
        assert (await engine.follow(well.id, lambda _event: None)).status == "completed"
