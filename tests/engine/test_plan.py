"""What the engine promises about a plan: order, facts, failure, undo."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import Any

import pytest

from tests.engine.doubles import Cloud, Fake, play, run_of
from vhdlift.engine.store import Store
from vhdlift.errors import ExitCode, Leftover, StepWarning, VhdliftError
from vhdlift.model import Event
from vhdlift.redaction import register
from vhdlift.settings import Settings
from vhdlift.steps.base import Context


async def fail(_c: Context) -> dict[str, Any]:
    raise VhdliftError("No cores are left.", "Ask for more.")


async def test_a_step_starts_when_what_it_needs_is_done(settings: Settings, cloud: Cloud) -> None:
    outcome = await play(
        settings, cloud, Fake(cloud, "c", "b"), Fake(cloud, "a"), Fake(cloud, "b", "a"), Fake(cloud, "d", "c")
    )
    assert outcome.exit_code == ExitCode.COMPLETED
    assert cloud.log == ["do a", "do b", "do c", "do d"]


async def test_steps_that_do_not_need_each_other_run_at_the_same_time(
    settings: Settings, cloud: Cloud
) -> None:
    met = asyncio.Barrier(3)

    async def meet(_c: Context) -> dict[str, Any]:
        async with asyncio.timeout(10):
            await met.wait()
        return {}

    outcome = await play(settings, cloud, *(Fake(cloud, name, do=meet) for name in "abc"))
    assert outcome.status == "completed"


async def test_a_step_is_given_the_facts_of_all_it_needs_and_no_others(
    settings: Settings, cloud: Cloud
) -> None:
    given: dict[str, Any] = {}

    async def look(c: Context) -> dict[str, Any]:
        given.update(c.facts)
        return {}

    steps = Fake(cloud, "a"), Fake(cloud, "x"), Fake(cloud, "b", "a"), Fake(cloud, "c", "b", do=look)
    await play(settings, cloud, *steps)
    assert given == {"a_id": "/a", "b_id": "/b"}


async def test_a_failure_undoes_the_whole_plan_in_reverse_the_source_first(
    settings: Settings, cloud: Cloud
) -> None:
    steps = (
        Fake(cloud, "source_stopped", first=True),
        Fake(cloud, "a", "source_stopped"),
        Fake(cloud, "b", "a", do=fail),
        Fake(cloud, "never", "b"),
    )
    outcome = await play(settings, cloud, *steps)
    assert (outcome.failed_step, outcome.reason, outcome.exit_code) == (
        "b",
        "No cores are left.",
        ExitCode.FAILED,
    )
    assert cloud.log[2:] == ["undo source_stopped", "undo never", "undo b", "undo a"]
    assert cloud.things == set()


async def test_a_step_under_way_ends_when_another_fails(settings: Settings, cloud: Cloud) -> None:
    started = asyncio.Event()

    async def forever(_c: Context) -> dict[str, Any]:
        started.set()
        await asyncio.Event().wait()
        return {}

    async def fail_later(c: Context) -> dict[str, Any]:
        await started.wait()
        return await fail(c)

    events: list[Event] = []
    outcome = await play(
        settings, cloud, Fake(cloud, "slow", do=forever), Fake(cloud, "bad", do=fail_later), events=events
    )
    assert outcome.failed_step == "bad"
    assert next(event.step for event in events if event.state == "failed") == "bad"
    assert cloud.things == set()


async def test_what_cannot_be_removed_is_named_and_the_rest_is_gone(settings: Settings, cloud: Cloud) -> None:
    left = Leftover("/a", "ScopeLocked: a lock forbids it.", "az thing delete --name a")

    async def stuck(_c: Context) -> Sequence[Leftover]:
        return [left]

    steps = Fake(cloud, "z"), Fake(cloud, "a", "z", undo=stuck), Fake(cloud, "b", "a", do=fail)
    outcome = await play(settings, cloud, *steps)
    assert (outcome.exit_code, outcome.leftovers) == (ExitCode.LEFTOVERS, (left,))
    assert cloud.things == {"/a"}


async def test_an_undo_that_breaks_does_not_end_the_undoing(settings: Settings, cloud: Cloud) -> None:
    async def broken(_c: Context) -> Sequence[Leftover]:
        raise KeyError("sku")

    steps = Fake(cloud, "z"), Fake(cloud, "a", "z", undo=broken), Fake(cloud, "b", "a", do=fail)
    outcome = await play(settings, cloud, *steps)
    assert {row.resource_id for row in outcome.leftovers} == {"step a", "/a"}
    assert cloud.things == {"/a"}


async def test_what_still_carries_the_tag_at_the_end_is_a_leftover(settings: Settings, cloud: Cloud) -> None:
    cloud.things.add("/forgotten")
    outcome = await play(settings, cloud, Fake(cloud, "a", do=fail))
    assert [(row.resource_id, row.command) for row in outcome.leftovers] == [
        ("/forgotten", "az resource delete --ids /forgotten")
    ]


async def test_a_warning_lets_the_run_complete_and_names_what_it_left(
    settings: Settings, cloud: Cloud
) -> None:
    left = Leftover("/x", "busy", "az x delete")

    async def warn(_c: Context) -> dict[str, Any]:
        raise StepWarning("It is still busy.", "", [left])

    outcome = await play(settings, cloud, Fake(cloud, "a", do=warn), Fake(cloud, "b", "a"))
    assert (outcome.status, outcome.exit_code, outcome.leftovers) == (
        "completed",
        ExitCode.COMPLETED,
        (left,),
    )


async def test_keep_gives_the_source_back_and_leaves_the_rest(settings: Settings, cloud: Cloud) -> None:
    steps = Fake(cloud, "source_stopped", first=True), Fake(cloud, "a", do=fail)
    outcome = await play(settings, cloud, *steps, run=run_of(on_failure="keep"))
    assert [line for line in cloud.log if line.startswith("undo")] == ["undo source_stopped"]
    assert (outcome.kept, outcome.leftovers) == (("/a",), ())


async def test_a_fault_of_ours_is_a_failed_step_and_is_undone(settings: Settings, cloud: Cloud) -> None:
    async def crash(_c: Context) -> dict[str, Any]:
        raise ValueError("not what we thought")

    outcome = await play(settings, cloud, Fake(cloud, "a", do=crash))
    assert outcome.reason == "An unexpected ValueError: not what we thought"
    assert cloud.things == set()


async def test_events_are_numbered_without_gaps_and_each_state_is_told_once(
    settings: Settings, cloud: Cloud
) -> None:
    events: list[Event] = []
    await play(settings, cloud, Fake(cloud, "a"), Fake(cloud, "b", "a"), events=events)
    assert [event.sequence for event in events] == [1, 2, 3, 4]
    assert [(event.step, event.state) for event in events] == [
        ("a", "started"), ("a", "done"), ("b", "started"), ("b", "done"),
    ]  # fmt: skip


async def test_no_secret_reaches_the_database(settings: Settings, cloud: Cloud) -> None:
    register("hunter2-hunter2")

    async def leak(_c: Context) -> dict[str, Any]:
        raise VhdliftError("Refused: password hunter2-hunter2 at https://x/y?sv=1&sig=abcDEF%3D")

    await play(settings, cloud, Fake(cloud, "a", do=leak))
    stored = b"".join(file.read_bytes() for file in settings.state_dir.glob("vhdlift.db*"))
    assert b"hunter2" not in stored
    assert b"abcDEF" not in stored


async def test_progress_is_told_once_for_each_thing_said(settings: Settings, cloud: Cloud) -> None:
    async def talk(c: Context) -> dict[str, Any]:
        for percent in (10, 20, 20):
            await c.progress("downloading", {"percent": percent})
        return {}

    events: list[Event] = []
    await play(settings, cloud, Fake(cloud, "a", do=talk), events=events)
    assert [event.details["percent"] for event in events if event.state == "progress"] == [10, 20]


async def test_a_run_is_found_by_the_start_of_its_id(settings: Settings, cloud: Cloud) -> None:
    run = run_of()
    await play(settings, cloud, Fake(cloud, "a"), run=run)
    store = Store.open(settings)
    assert store.find(run.id[:20].lower()).id == run.id
    with pytest.raises(VhdliftError, match="No run"):
        store.find("zzz")
    store.close()
