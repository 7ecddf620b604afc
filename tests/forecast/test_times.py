"""When steps start and end, by their needs and durations alone."""

from __future__ import annotations

from itertools import pairwise

from hypothesis import given
from hypothesis import strategies as st

from vhdlift.forecast.costs import price_table, vm_per_hour
from vhdlift.forecast.times import beside, durations, forecast
from vhdlift.steps import PROVISION

PLAN = {step.name: step.needs for step in PROVISION}


def test_a_step_starts_when_the_last_of_its_needs_ends() -> None:
    """Steps without needs start at once; the longest chain is the critical one."""
    told = forecast({"a": (), "b": (), "c": ("a", "b")}, {"a": 5, "b": 2, "c": 1})
    assert (told["a"].starts, told["b"].starts, told["c"].starts) == (0, 0, 5)
    assert [name for name, step in told.items() if step.critical] == ["a", "c"]


def test_steps_that_overlap_are_beside_each_other() -> None:
    """One that starts when another ends is not."""
    told = forecast({"a": (), "b": (), "c": ("b",)}, {"a": 5, "b": 2, "c": 1})
    assert {name: beside(told, name) for name in told} == {"a": ["b", "c"], "b": ["a"], "c": ["a"]}


def test_every_step_of_the_plan_has_a_duration() -> None:
    """A step that nobody gave a figure would be told as taking no time."""
    assert set(durations(64, read_back=True)) == set(PLAN)


def test_reading_the_artefact_back_takes_as_long_as_its_data() -> None:
    """Only `--verify full` pays for it."""
    assert (
        durations(64, read_back=True)["vhd_verified"] > 600 > durations(64, read_back=False)["vhd_verified"]
    )


@given(st.dictionaries(st.sampled_from(list(PLAN)), st.floats(0, 10_000)))
def test_the_critical_path_is_as_long_as_the_run(takes: dict[str, float]) -> None:
    """The steps on it follow each other without a gap, from the start to the end."""
    told = forecast(PLAN, takes)
    chain = [step for step in told.values() if step.critical]
    assert chain[0].starts == 0
    assert all(after.starts == before.ends for before, after in pairwise(chain))
    assert chain[-1].ends == max(step.ends for step in told.values())


def test_a_licence_of_ones_own_makes_windows_free() -> None:
    """Four cores of a Dsv5, as the list has them."""
    table = price_table()
    assert vm_per_hour("Standard_D4s_v5", table) == 4 * (0.048 + 0.046)
    assert vm_per_hour("Standard_D4s_v5", table, windows=False) == 4 * 0.048
    assert vm_per_hour("Basic_A1", table) is None
