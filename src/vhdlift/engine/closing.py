"""How a run ends: what is undone and in which order, what the cloud says is left, what is told last."""

from __future__ import annotations

import asyncio
from shlex import quote
from typing import TYPE_CHECKING, Any

import structlog

from vhdlift.engine import given_back, runtime
from vhdlift.engine.perform import digest_of
from vhdlift.engine.store import Outcome
from vhdlift.errors import Leftover, VhdliftError
from vhdlift.model import Event, Run, State
from vhdlift.redaction import redact

if TYPE_CHECKING:
    from collections.abc import Mapping

log = structlog.get_logger("vhdlift.engine")

INVENTORY_TRIES = 10
INVENTORY_PAUSE_SECONDS = 3.0


def cause_of(results: Mapping[str, Mapping[str, Any]], *, keep: bool = False) -> dict[str, Any]:
    """Why the run did not complete: the step that failed, or that the user cancelled."""
    for result in results.values():
        if result["state"] == "failed":
            return {"status": "failed", "keep": keep, **{k: result[k] for k in ("step", "reason", "hint")}}
    stopped = next((name for name, result in results.items() if result["state"] == "stopped"), "")
    return {
        "status": "cancelled",
        # Who cancels wants it gone; what a failure left is kept to be looked at.
        "keep": False,
        "step": stopped,
        "reason": "The run was cancelled.",
        "hint": "",
    }


def undo_order(plan: list[dict[str, Any]], cause: Mapping[str, Any]) -> list[str]:
    """The source VM first, whatever happens; then, unless everything is to be kept, the plan in reverse."""
    first = [row["name"] for row in plan if given_back.comes_first(row["name"])]
    if cause["keep"]:
        return first
    return first + [row["name"] for row in reversed(plan) if row["name"] not in first]


def remembers(name: str) -> bool:
    """Whether what a step made is the only thing outside the database that tells how to undo the first."""
    return bool(getattr(runtime.current().steps.get(name), "remembers_first", False))


@runtime.kept_from_history
async def kept(run_data: Mapping[str, Any], name: str) -> list[dict[str, str]]:
    """What a step made, as leftovers that stay for what they remember."""
    run_id = str(run_data["id"])
    ids = await asyncio.to_thread(runtime.current().store.ledger, run_id, name)
    reason = "It stays, as it alone tells what power state the source VM is still to be given back."
    return [Leftover(one, reason, f"vhdlift cleanup {run_id}").to_json() for one in ids]


@runtime.kept_from_history
async def completed(run_data: Mapping[str, Any], results: Mapping[str, Mapping[str, Any]]) -> dict[str, Any]:
    """Write down that the run completed, with what a warning left behind."""
    rt = runtime.current()
    left = [Leftover(**row) for result in results.values() for row in result.get("leftovers", [])]
    facts = await asyncio.to_thread(rt.store.facts, run_data["id"])
    return await _end(run_data["id"], Outcome("completed", leftovers=tuple(left), facts=facts))


@runtime.kept_from_history
async def unwound(
    run_data: Mapping[str, Any], cause: Mapping[str, Any], leftovers: list[dict[str, str]]
) -> dict[str, Any]:
    """Ask the cloud what is left, tell it as the run's last event, and write down how the run ended."""
    rt = runtime.current()
    run = Run.from_json(run_data)
    # The last word on a resource counts: what one step could not remove, a later one tried again.
    told = {row["resource_id"].lower(): Leftover(**row) for row in leftovers}
    found = await _found(run, told, keep=bool(cause["keep"]))
    known = list(told.values())
    if not cause["keep"]:
        there = {row.resource_id.lower() for row in found}
        known = [row for row in known if row.resource_id.lower() in there or not _is_resource(row)]
        known += [row for row in found if row.resource_id.lower() not in told]
    outcome = Outcome(
        status=cause["status"],
        failed_step=cause["step"] or None,
        reason=cause["reason"],
        hint=cause["hint"],
        leftovers=tuple(known),
        kept=tuple(row.resource_id for row in found) if cause["keep"] else (),
        facts=await asyncio.to_thread(rt.store.facts, run.id),
    )
    await _tell_end(run, outcome)
    return await _end(run.id, outcome)


async def _found(run: Run, told: Mapping[str, Leftover], *, keep: bool) -> list[Leftover]:
    """What is there: of what was told as left, and of all that carries the run's tag.

    ARM's list lags behind deletions, so a surprise is looked at again.
    """
    rt = runtime.current()
    found: list[str] = []
    for _ in range(INVENTORY_TRIES):
        try:
            async with rt.open_clients(rt.settings) as azure:
                asked = [row.resource_id for row in told.values() if _is_resource(row)]
                found = list(await rt.inventory(azure, run.id, asked))
        except VhdliftError as problem:
            return await _noted(run, told, problem.sentence)
        except Exception as problem:  # a bug of ours must not keep the run from ending
            log.exception("inventory_crashed", run=run.id)
            return await _noted(run, told, f"An unexpected {type(problem).__name__}: {problem}")
        if keep or all(one.lower() in told for one in found):
            break
        await asyncio.sleep(INVENTORY_PAUSE_SECONDS * rt.settings.time_scale)
    return _still_there(found, "It still carries the tag of this run.")


async def _noted(run: Run, told: Mapping[str, Leftover], problem: str) -> list[Leftover]:
    """All that may be there, when nobody says what is."""
    noted = await asyncio.to_thread(runtime.current().store.ledger, run.id)
    resources = [row.resource_id for row in told.values() if _is_resource(row)]
    return _still_there([*resources, *noted], f"It may still exist: {redact(problem)}")


def _is_resource(leftover: Leftover) -> bool:
    """Whether it is something that Azure has by this id, and not a step whose undo broke."""
    return leftover.resource_id.startswith("/")


def _still_there(ids: list[str], reason: str) -> list[Leftover]:
    return [Leftover(one, reason, f"az resource delete --ids {quote(one)}") for one in ids]


async def _tell_end(run: Run, outcome: Outcome) -> None:
    rt = runtime.current()
    if outcome.kept:
        message = f"Kept, as asked: {len(outcome.kept)} resources."
    elif outcome.leftovers:
        message = f"{len(outcome.leftovers)} leftovers; everything else the run made is gone."
    else:
        message = "Everything the run made is gone."
    details = {
        "final": True,
        "error": outcome.reason,
        "leftovers": [row.to_json() for row in outcome.leftovers],
        "kept": list(outcome.kept),
    }
    step = outcome.failed_step or "completed"
    state: State = "failed" if outcome.status == "failed" else "leftover" if outcome.leftovers else "undone"
    event = Event(run.id, 0, outcome.status, step, state, redact(message), "", details)
    # A later clean-up that ends differently is told too.
    there = digest_of([sorted(row.resource_id for row in outcome.leftovers), sorted(outcome.kept)])
    await asyncio.to_thread(rt.store.add_event, f"run:{outcome.status}:{there}", event)


async def _end(run_id: str, outcome: Outcome) -> dict[str, Any]:
    rt = runtime.current()
    await asyncio.to_thread(rt.store.end_run, run_id, outcome)
    return outcome.to_json()
