"""A run that goes no further of itself: its source VM does not wait for its user, who is told.

A fault of the engine says nothing about what the run has made, so nothing else is undone: that is for the
user to decide.
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from vhdlift.engine import closing, perform
from vhdlift.errors import VhdliftError
from vhdlift.model import Event
from vhdlift.redaction import owned_by, redact

if TYPE_CHECKING:
    from vhdlift.engine.runtime import Runtime
    from vhdlift.engine.store import Store
    from vhdlift.model import Run

_LOOKED_AFTER = "source_looked_after_at_event"


def stopped_working(workflow_id: str) -> VhdliftError:
    """What to say of a run whose durable function is dead."""
    from vhdlift.engine import workflow  # noqa: PLC0415 - DBOS is slow to import

    run_id = workflow_id.partition(":")[0]
    return VhdliftError(
        f"The engine stopped working on run {run_id}: {redact(workflow.error_of(workflow_id))}",
        f"Nothing but the source VM was looked after. `vhdlift cleanup {run_id}` undoes the rest.",
    )


async def look_after(rt: Runtime, run: Run, problem: VhdliftError) -> None:
    """Give the source VM of a dead run back, and tell by an event what the run died of."""
    left = await give_source_back(rt, run)
    await _tell(rt, run, problem, left)
    if not left:
        await asyncio.to_thread(note_looked_after, rt.store, run.id)


async def give_source_back(rt: Runtime, run: Run) -> list[dict[str, str]]:
    """Undo what is undone before all else, and nothing more: the right to work on the run is ours.

    Returns:
        What could not be undone.
    """
    plan = await asyncio.to_thread(rt.store.plan, run.id)
    first = [one["name"] for one in plan if closing.comes_first(one["name"])]
    with owned_by(run.id):
        ends = [await perform.undo(run.to_json(), name, "provisioning", tell=False) for name in first]
    return [left for end in ends for left in end]


def note_looked_after(store: Store, run_id: str) -> None:
    """For all workers and all time: once given back, what the source VM is is its owner's will."""
    events = store.events(run_id)
    seen = events[-1].sequence if events else 0
    store.add_facts(run_id, _LOOKED_AFTER, {_LOOKED_AFTER: seen})


def has_news(store: Store, run_id: str) -> bool:
    """Whether something has happened to the run since its source VM was looked after, if it was."""
    seen = store.facts_of(run_id, _LOOKED_AFTER).get(_LOOKED_AFTER)
    return seen is None or bool(store.events(run_id, seen))


async def _tell(rt: Runtime, run: Run, problem: VhdliftError, left: list[dict[str, str]]) -> None:
    events = await asyncio.to_thread(rt.store.events, run.id)
    plan = await asyncio.to_thread(rt.store.plan, run.id)
    step = events[-1].step if events else plan[0]["name"]
    details = {"error": problem.sentence, "hint": problem.hint, "leftovers": left}
    event = Event(run.id, 0, "failed", step, "failed", problem.sentence, "", details)
    await asyncio.to_thread(rt.store.add_event, f"run:dead:{perform.digest_of(details)}", event)
