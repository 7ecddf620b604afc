"""What is said to be left at the end of an undo is what is there then."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from tests.engine.doubles import Cloud, Fake, play, run_of
from vhdlift.engine import api
from vhdlift.errors import ExitCode, Leftover, VhdliftError
from vhdlift.model import Event
from vhdlift.settings import Settings
from vhdlift.steps.base import Context


async def fail(_c: Context) -> dict[str, Any]:
    raise VhdliftError("No cores are left.")


def told(resource_id: str, reason: str = "busy") -> Any:
    """An undo that could not remove a resource."""

    async def undo(_c: Context) -> Sequence[Leftover]:
        return [Leftover(resource_id, reason, f"az delete {resource_id}")]

    return undo


async def test_what_was_told_as_left_and_has_gone_since_is_no_leftover(
    settings: Settings, cloud: Cloud
) -> None:
    """Its deletion took longer than its step waited for it, or a later step removed it."""
    late = Fake(cloud, "late", undo=told("/late"))

    async def vanish(_c: Context) -> Sequence[Leftover]:
        cloud.things.discard("/late")
        return []

    events = list[Event]()
    steps = Fake(cloud, "a", undo=vanish), late, Fake(cloud, "b", "late", do=fail)
    outcome = await play(settings, cloud, *steps, events=events)
    assert (outcome.leftovers, outcome.exit_code) == ((), ExitCode.FAILED)
    assert (events[-1].details["leftovers"], events[-1].message) == ([], "Everything the run made is gone.")


async def test_what_two_steps_could_not_remove_is_left_once_with_the_last_reason(
    settings: Settings, cloud: Cloud
) -> None:
    cloud.things.add("/shared")
    steps = (
        Fake(cloud, "account", undo=told("/shared", "still locked")),
        Fake(cloud, "blob", undo=told("/Shared", "locked")),
        Fake(cloud, "c", "blob", do=fail),
    )
    outcome = await play(settings, cloud, *steps)
    cloud.things.discard("/account")
    assert [(row.resource_id, row.reason) for row in outcome.leftovers if "hared" in row.resource_id] == [
        ("/shared", "still locked")
    ]


async def test_what_is_no_resource_is_left_whatever_the_cloud_lists(settings: Settings, cloud: Cloud) -> None:
    async def broken(_c: Context) -> Sequence[Leftover]:
        cloud.things.discard("/a")
        raise KeyError("sku")

    outcome = await play(settings, cloud, Fake(cloud, "a", undo=broken), Fake(cloud, "b", "a", do=fail))
    assert [row.resource_id for row in outcome.leftovers] == ["step a"]


async def test_a_list_that_cannot_be_read_ends_the_run_with_all_it_may_have_left(
    settings: Settings, cloud: Cloud
) -> None:
    """Whatever goes wrong in the last look: the run ends, and claims nothing that was not seen."""

    async def broken(*_: Any) -> list[str]:
        raise KeyError("value")

    doubles = {"steps": (Fake(cloud, "a", do=fail),), "open_clients": cloud.clients, "inventory": broken}
    outcome = await api.provision(settings, run_of(), lambda _event: None, **doubles)
    assert (outcome.status, [row.resource_id for row in outcome.leftovers]) == ("failed", ["/a"])
    assert "KeyError" in outcome.leftovers[0].reason


def source_that_comes_back_at_try(cloud: Cloud, tries: int) -> Fake:
    """A step undone first, whose undo works at its so-manieth try."""
    done = 0

    async def undo(_c: Context) -> Sequence[Leftover]:
        nonlocal done
        done += 1
        return [] if done >= tries else [Leftover("/source", "no answer", "az start")]

    return Fake(cloud, "source", undo=undo, first=True)


async def test_what_comes_first_is_tried_again_before_what_remembers_it_goes(
    settings: Settings, cloud: Cloud
) -> None:
    source = source_that_comes_back_at_try(cloud, 2)
    memory, other = Fake(cloud, "memory", "source", remembers=True), Fake(cloud, "other", "memory", do=fail)
    outcome = await play(settings, cloud, source, memory, other)
    undone = [line for line in cloud.log if line.startswith("undo")]
    assert undone == ["undo source", "undo other", "undo source", "undo memory"]
    assert outcome.leftovers == ()


async def test_what_remembers_the_first_stays_as_long_as_that_is_not_undone(
    settings: Settings, cloud: Cloud
) -> None:
    source = source_that_comes_back_at_try(cloud, 3)
    memory, other = Fake(cloud, "memory", "source", remembers=True), Fake(cloud, "other", "memory", do=fail)
    outcome = await play(settings, cloud, source, memory, other)
    assert {row.resource_id for row in outcome.leftovers} == {"/source", "/memory"}
    assert "undo memory" not in cloud.log
    assert outcome.exit_code == ExitCode.LEFTOVERS
