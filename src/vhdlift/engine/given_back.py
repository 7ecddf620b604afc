"""What is undone before all else, the source VM, is undone once: since then it is its owner's to change.

A run that goes on may stop the VM again, so what was noted before counts no more. An undo counts for the time
in which it began: one that a process ends late, without the right to the run any more, says nothing of now.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import sqlalchemy as sa

from vhdlift.engine import runtime, tables
from vhdlift.engine.database import patient

if TYPE_CHECKING:
    from vhdlift.engine.store import Store

_WENT_ON = "went on"


def comes_first(step: str) -> bool:
    """Whether a step is undone before all others."""
    return bool(getattr(runtime.current().steps.get(step), "undo_first", False))


def first_steps(store: Store, run_id: str) -> list[str]:
    """The steps of the run's plan that are undone before all others."""
    return [one["name"] for one in store.plan(run_id) if comes_first(one["name"])]


def times(store: Store, run_id: str) -> int:
    """How often the run went on, its beginning included."""
    return _noted(store, run_id, _WENT_ON) or 0


def goes_on(store: Store, run_id: str) -> None:
    """The run begins, or goes on."""
    _note(store, run_id, _WENT_ON, times(store, run_id) + 1)


def note(store: Store, run_id: str, step: str, time: int) -> None:
    """The undo of this step, begun after the run had gone on so many times, has left nothing."""
    _note(store, run_id, f"undone {step}", time)


def is_noted(store: Store, run_id: str, step: str) -> bool:
    """Whether this step has been undone since the run went on for the last time."""
    return _noted(store, run_id, f"undone {step}") == times(store, run_id)


def is_over(store: Store, run_id: str) -> bool:
    """Whether nothing that comes first is left to be undone."""
    return all(is_noted(store, run_id, step) for step in first_steps(store, run_id))


@patient
def _note(store: Store, run_id: str, name: str, value: int) -> None:
    t = tables.notes
    with store.engine.begin() as db:
        db.execute(t.delete().where(t.c.run_id == run_id, t.c.name == name))
        db.execute(t.insert().values(run_id=run_id, name=name, value=value))


@patient
def _noted(store: Store, run_id: str, name: str) -> int | None:
    t = tables.notes
    with store.engine.connect() as db:
        return db.execute(sa.select(t.c.value).where(t.c.run_id == run_id, t.c.name == name)).scalar()
