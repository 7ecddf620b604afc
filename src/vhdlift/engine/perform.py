"""Does one step, or undoes it, and tells what happened; knows nothing of durability.

The results are plain data, because they are stored: an error crosses as a sentence, never as a class.
"""

from __future__ import annotations

import asyncio
import contextlib
import hashlib
import json
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Any

import structlog

from vhdlift.azure.patience import heard_by
from vhdlift.engine import given_back, runtime
from vhdlift.engine.database import DatabaseLost
from vhdlift.errors import Leftover, StepWarning, VhdliftError
from vhdlift.model import Event, Run, State, Status
from vhdlift.redaction import redact, redact_json
from vhdlift.steps.base import Context

if TYPE_CHECKING:
    from collections.abc import Coroutine, Mapping, Sequence

    from vhdlift.engine.runtime import Runtime
    from vhdlift.steps.base import Step

log = structlog.get_logger("vhdlift.engine")

Result = dict[str, Any]

# The two ends of a run are told by the last step of each.
STATUS_WHEN_DONE: Mapping[str, Status] = {"script_storage_deleted": "provisioned", "completed": "completed"}


@dataclass(frozen=True)
class Teller:
    """Turns what happens to one step of one run into numbered events."""

    rt: Runtime
    run: Run
    step: str

    async def tell(
        self,
        state: State,
        message: str,
        details: Mapping[str, Any] | None = None,
        *,
        status: Status = "provisioning",
    ) -> None:
        """Keep an event, once: the same step and state again changes nothing."""
        extra = redact_json(dict(details or {}))
        said = redact(message)
        key = f"{self.step}:{state}:{status}"
        if state == "progress" or extra.get("under_way"):
            # Every progress is new by what it says; a repeated `do` says the same things again.
            key += f":{digest_of([said, extra])}"
        if state == "leftover":
            # A later clean-up may leave something else.
            key += f":{digest_of(sorted(row['resource_id'] for row in extra['leftovers']))}"
        event = Event(self.run.id, 0, status, self.step, state, said, "", extra)
        await asyncio.to_thread(self.rt.store.add_event, key, event)

    async def progress(
        self, message: str, details: dict[str, Any], *, status: Status = "provisioning"
    ) -> None:
        """What a step under way has to say."""
        await self.tell("progress", message, details, status=status)

    async def warn(self, message: str, details: dict[str, Any]) -> None:
        """What is not as it should be with a step that goes on."""
        await self.tell("warning", message, {"under_way": True, **details})

    async def ledger(self, resource_id: str) -> None:
        """Note what is about to be made."""
        await asyncio.to_thread(self.rt.store.add_ledger, self.run.id, self.step, resource_id)


def digest_of(data: Any) -> str:
    """Sixteen hexadecimal digits that tell plain data from other data."""
    return hashlib.sha256(json.dumps(data, sort_keys=True).encode()).hexdigest()[:16]


@runtime.kept_from_history
async def do(run_data: Mapping[str, Any], name: str, facts: Mapping[str, Any]) -> Result:
    """Do one step; returns its state and, by state, its facts, its leftovers or its reason.

    States: `done` and `warning` let the run go on, `failed` ends it, `stopped` means that another step
    failed, or the user cancelled, while this one was under way.
    """
    rt = runtime.current()
    run = Run.from_json(run_data)
    teller = Teller(rt, run, name)
    step = rt.steps[name]
    if rt.stopping(run.id):
        return {"state": "stopped"}
    await teller.tell("started", step.title)
    try:
        made = await _unless_stopped(rt, run.id, _do(rt, teller, step, facts))
    except DatabaseLost:
        raise
    except StepWarning as problem:
        return await _warned(teller, problem)
    except VhdliftError as problem:
        return await _failed(teller, problem)
    except Exception as problem:  # a bug of ours must end in an undo, not in a lost VM
        log.exception("step_crashed", step=name, run=run.id)
        reason = f"An unexpected {type(problem).__name__}: {redact(str(problem))}"
        hint = "This is a fault of vhdlift; the log has the details."
        return await _failed(teller, VhdliftError(reason, hint))
    if made is None:
        return {"state": "stopped"}
    await asyncio.to_thread(rt.store.add_facts, run.id, name, made)
    await teller.tell("done", step.title, made, status=STATUS_WHEN_DONE.get(name, "provisioning"))
    return {"state": "done", "facts": made}


@runtime.kept_from_history
async def undo(
    run_data: Mapping[str, Any], name: str, status: Status, *, tell: bool = True
) -> list[dict[str, str]]:
    """Undo one step; returns the leftovers as plain data and never raises what Azure or a step raised.

    Not told is an undo after which the run may still go on.
    """
    rt = runtime.current()
    run = Run.from_json(run_data)
    teller = Teller(rt, run, name)
    left: Sequence[Leftover]
    try:
        left = await _undo(rt, teller, status)
    except DatabaseLost:
        raise
    except VhdliftError as problem:
        left = [_not_undone(run, name, problem.sentence)]
    except Exception as problem:  # the other steps must still be undone
        log.exception("undo_crashed", step=name, run=run.id)
        left = [_not_undone(run, name, f"An unexpected {type(problem).__name__}: {redact(str(problem))}")]
    if tell:
        await _tell_undone(teller, list(left), status)
    return list(redact_json([row.to_json() for row in left]))


async def _undo(rt: Runtime, teller: Teller, status: Status) -> Sequence[Leftover]:
    run_id, name, step = teller.run.id, teller.step, rt.steps[teller.step]
    once = bool(getattr(step, "undo_first", False))
    if once and await asyncio.to_thread(given_back.is_noted, rt.store, run_id, name):
        return []
    time = await asyncio.to_thread(given_back.times, rt.store, run_id)
    async with rt.open_clients(rt.settings) as azure:
        recorded = await asyncio.to_thread(rt.store.facts, run_id)
        with heard_by(partial(teller.progress, status=status)):
            left = await step.undo(_context(teller, azure, recorded))
    if once and not left:
        await asyncio.to_thread(given_back.note, rt.store, run_id, name, time)
    return left


async def _do(rt: Runtime, teller: Teller, step: Step, facts: Mapping[str, Any]) -> dict[str, Any]:
    async with rt.open_clients(rt.settings) as azure:
        with heard_by(teller.progress):
            return await step.do(_context(teller, azure, facts))


def _context(teller: Teller, azure: Any, facts: Mapping[str, Any]) -> Context:
    rt = teller.rt
    settings = rt.settings_of(teller.run.id)
    return Context(teller.run, azure, settings, facts, teller.ledger, teller.progress, teller.warn)


async def _unless_stopped(
    rt: Runtime, run_id: str, work: Coroutine[Any, Any, dict[str, Any]]
) -> dict[str, Any] | None:
    """The work's result, or None when the run is to end before it is there."""
    doing = asyncio.ensure_future(work)
    stop = asyncio.ensure_future(rt.until_stopped(run_id))
    try:
        await asyncio.wait({doing, stop}, return_when=asyncio.FIRST_COMPLETED)
        return doing.result() if doing.done() else None
    finally:
        for task in (doing, stop):
            task.cancel()
            with contextlib.suppress(asyncio.CancelledError, Exception):
                await task


async def _warned(teller: Teller, problem: StepWarning) -> Result:
    left = [row.to_json() for row in problem.leftovers]
    status = STATUS_WHEN_DONE.get(teller.step, "provisioning")
    details = {"hint": problem.hint, "leftovers": left}
    await teller.tell("warning", problem.sentence, details, status=status)
    return {"state": "warning", "facts": {}, "leftovers": redact_json(left)}


async def _failed(teller: Teller, problem: VhdliftError) -> Result:
    why = teller.rt.stopping(teller.run.id)
    if why is not None:  # the run was ending already: this is a consequence, not the cause
        return {"state": "stopped"}
    if getattr(teller.rt.steps[teller.step], "may_fail", False):
        return await _warned(teller, StepWarning(problem.sentence, problem.hint))
    teller.rt.stop(teller.run.id, "failed")
    said, hint = redact(problem.sentence), redact(problem.hint)
    await teller.tell("failed", said, {"error": said, "hint": hint}, status="failed")
    return {"state": "failed", "step": teller.step, "reason": said, "hint": hint}


def _not_undone(run: Run, name: str, reason: str) -> Leftover:
    return Leftover(f"step {name}", redact(reason), f"vhdlift cleanup {run.id}")


async def _tell_undone(teller: Teller, left: list[Leftover], status: Status) -> None:
    if left:
        message = "; ".join(f"{row.resource_id}: {row.reason}" for row in left)
        details = {"leftovers": [row.to_json() for row in left]}
        await teller.tell("leftover", message, details, status=status)
    elif await asyncio.to_thread(_was_started, teller):
        await teller.tell("undone", teller.rt.steps[teller.step].title, status=status)


def _was_started(teller: Teller) -> bool:
    return any(event.step == teller.step for event in teller.rt.store.events(teller.run.id))
