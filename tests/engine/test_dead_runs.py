"""Runs that a fault of the engine itself has ended: nothing is undone but what the source VM needs."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.engine.conftest import settings_in
from tests.engine.doubles import Cloud, Fake, play, run_of
from tests.engine.test_ending import resume
from tests.receiver import receiving
from vhdlift.errors import Leftover, VhdliftError
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
