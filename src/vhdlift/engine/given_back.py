"""What is undone before all else, the source VM, is undone once: since then it is its owner's to change.

The note of it is a fact of the run. A run that goes on may stop the VM again, so it forgets the note first.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from vhdlift.engine import runtime

if TYPE_CHECKING:
    from vhdlift.engine.store import Store


def comes_first(step: str) -> bool:
    """Whether a step is undone before all others."""
    return bool(getattr(runtime.current().steps.get(step), "undo_first", False))


def first_steps(store: Store, run_id: str) -> list[str]:
    """The steps of the run's plan that are undone before all others."""
    return [one["name"] for one in store.plan(run_id) if comes_first(one["name"])]


def note(store: Store, run_id: str, step: str) -> None:
    """The undo of this step has left nothing."""
    store.add_facts(run_id, _row(step), {f"{step}_undone": True})


def is_noted(store: Store, run_id: str, step: str) -> bool:
    """Whether this step has been undone since the run went on for the last time."""
    return bool(store.facts_of(run_id, _row(step)))


def is_over(store: Store, run_id: str) -> bool:
    """Whether nothing that comes first is left to be undone."""
    return all(is_noted(store, run_id, step) for step in first_steps(store, run_id))


def forget(store: Store, run_id: str) -> None:
    """The run goes on."""
    for step in first_steps(store, run_id):
        if is_noted(store, run_id, step):
            store.add_facts(run_id, _row(step), {})


def _row(step: str) -> str:
    return f"undo {step}"
