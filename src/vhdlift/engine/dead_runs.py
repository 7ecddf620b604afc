"""A run that goes no further of itself: its source VM does not wait for its user, who is told.

A fault of the engine says nothing about what the run has made, so nothing else is undone: that is for the
user to decide.
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from vhdlift.engine import given_back, perform
from vhdlift.engine.database import DatabaseLost
from vhdlift.engine.runtime import BrokenOff
from vhdlift.errors import EngineStopped
from vhdlift.model import Event
from vhdlift.redaction import owned_by, redact

if TYPE_CHECKING:
    from vhdlift.engine.runtime import Runtime
    from vhdlift.engine.store import Store
    from vhdlift.errors import VhdliftError
    from vhdlift.model import Run


def stopped_working(store: Store, workflow_id: str) -> EngineStopped:
    """What to say of a run whose durable function is dead, and what is still to be done for it."""
    from vhdlift.engine import workflow  # noqa: PLC0415 - DBOS is slow to import

    run_id = workflow_id.partition(":")[0]
    if not given_back.is_over(store, run_id):
        hint = f"The source VM may be off. `vhdlift cleanup {run_id}` starts it, and undoes the rest."
    elif workflow_id == run_id:
        hint = f"Only the source VM was looked after. `vhdlift cleanup {run_id}` undoes the rest."
    else:
        hint = f"The undo has not come to its end. `vhdlift cleanup {run_id}` undoes the rest."
    why = redact(workflow.error_of(workflow_id))
    return EngineStopped(f"The engine stopped working on run {run_id}: {why}", hint)


async def look_after(rt: Runtime, run: Run, workflow_id: str) -> EngineStopped:
    """Give the source VM of a dead run back, and tell by an event what the run died of; returns that.

    Raises:
        DatabaseLost: the database went away meanwhile.
    """
    left = await give_source_back(rt, run)
    problem = await asyncio.to_thread(stopped_working, rt.store, workflow_id)
    await _tell(rt, run, problem, left)
    return problem


async def give_source_back(rt: Runtime, run: Run) -> list[dict[str, str]]:
    """Undo what is undone before all else, and nothing more: the right to work on the run is ours.

    Returns:
        What could not be undone.

    Raises:
        DatabaseLost: the database went away meanwhile.
    """
    first = await asyncio.to_thread(given_back.first_steps, rt.store, run.id)
    try:
        with owned_by(run.id):
            ends = [await perform.undo(run.to_json(), name, "provisioning", tell=False) for name in first]
    except BrokenOff as problem:
        raise DatabaseLost("The run database does not answer any more.") from problem
    return [left for end in ends for left in end]


async def _tell(rt: Runtime, run: Run, problem: VhdliftError, left: list[dict[str, str]]) -> None:
    step = await asyncio.to_thread(_under_way, rt.store, run.id)
    details = {"error": problem.sentence, "hint": problem.hint, "leftovers": left}
    event = Event(run.id, 0, "failed", step, "failed", problem.sentence, "", details)
    await asyncio.to_thread(rt.store.add_event, f"run:dead:{perform.digest_of(details)}", event)


def _under_way(store: Store, run_id: str) -> str:
    """The step that had begun last and was not over; the last one of all if there is none."""
    last = {event.step: event for event in store.events(run_id)}
    open_ = [
        one for one in last.values() if one.state in {"started", "progress"} or one.details.get("under_way")
    ]
    return max(open_, key=lambda event: event.sequence).step if open_ else "completed"
