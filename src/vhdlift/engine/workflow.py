"""The durable part: what survives a killed process, and the only file that knows DBOS.

Everything that crosses into DBOS is plain JSON. Its own errors (a replay that does not fit) are never
taken for a failed step: only a step's result starts an undo.
"""

from __future__ import annotations

import asyncio
import json
from contextlib import suppress
from functools import wraps
from typing import TYPE_CHECKING, Any, TypeVar, TypeVarTuple

import sqlalchemy as sa
from dbos import DBOS, DBOSConfig, Serializer, SetWorkflowID

from vhdlift.engine import closing, deliver, given_back, perform, runtime
from vhdlift.engine.runtime import BrokenOff
from vhdlift.redaction import redact

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Coroutine, Sequence

T = TypeVar("T")
Ts = TypeVarTuple("Ts")

PROVISION, UNWIND, DELIVER = "provision", "unwind", "deliver"
UNFINISHED = ("PENDING", "ENQUEUED")
DEAD = ("ERROR", "CANCELLED", "MAX_RECOVERY_ATTEMPTS_EXCEEDED")
BROKEN = ("ERROR", "MAX_RECOVERY_ATTEMPTS_EXCEEDED")
LOOK_SECONDS = 0.1
THREADS = 24

Plan = list[dict[str, Any]]
Results = dict[str, dict[str, Any]]


class JsonSerializer(Serializer):
    """JSON instead of pickles: no class names in the database, nothing that runs when it is read."""

    def name(self) -> str:
        """What the database calls this format."""
        return "vhdlift_json"

    def serialize(self, data: Any) -> str:
        """Text of plain data; of an error, its kind and sentence."""
        if isinstance(data, BaseException):
            data = {"__error__": type(data).__name__, "message": redact(str(data))}
        return json.dumps(data)

    def deserialize(cls, serialized_data: str) -> Any:  # noqa: N805 - the base class calls it so
        """The data; an error comes back as a RuntimeError that says what it was."""
        data = json.loads(serialized_data)
        if isinstance(data, dict) and "__error__" in data:
            return RuntimeError(f"{data['__error__']}: {data['message']}")
        return data


def resumable(
    function: Callable[[dict[str, Any], *Ts], Awaitable[T]],
) -> Callable[[dict[str, Any], *Ts], Coroutine[Any, Any, T]]:
    """The durable function of a run, whose cancellation leaves it to the next process."""

    @wraps(function)
    async def until_broken_off(run: dict[str, Any], *args: *Ts) -> T:
        with runtime.current().at_work(run["id"]):
            try:
                return await function(run, *args)
            except asyncio.CancelledError:
                raise BrokenOff from None
            except sa.exc.DBAPIError as problem:  # DBOS could not write down how far it is
                raise BrokenOff from problem

    return until_broken_off


@DBOS.workflow(name=PROVISION)
@resumable
async def provision(run: dict[str, Any], plan: Plan) -> dict[str, Any]:
    """Do every step as soon as what it needs is done; undo all when one fails or the user cancels."""
    tasks: dict[str, asyncio.Task[dict[str, Any]]] = {}
    try:
        results = await _do_steps(run, plan, tasks)
    finally:
        # Broken off, the steps end before it: nothing of the run goes on in a process that has left it.
        await _leave([task for task in tasks.values() if not task.done()])
    if len(results) == len(plan) and all(r["state"] in ("done", "warning") for r in results.values()):
        return await DBOS.run_step_async({"name": "close"}, closing.completed, run, results)
    cause = closing.cause_of(results, keep=run["spec"]["on_failure"] == "keep")
    with SetWorkflowID(unwind_id(run["id"])):
        handle = await DBOS.start_workflow_async(cleanup_resources_on_failure, run, plan, cause)
    return await handle.get_result()


async def _do_steps(
    run: dict[str, Any], plan: Plan, tasks: dict[str, asyncio.Task[dict[str, Any]]]
) -> Results:
    """The results of all steps that could be done; `tasks` fills with them as they start."""
    results: Results = {}
    while True:
        for name in _ready(plan, results, tasks):
            # The number of a step in the history is drawn in plan order, before anything can run.
            slot = DBOS.reserve_step()
            given = _facts_of_needs(plan, name, results)
            tasks[name] = asyncio.create_task(slot.run_async({"name": name}, perform.do, run, name, given))
        under_way = [task for name, task in tasks.items() if name not in results]
        if not under_way:
            return results
        ended, _ = await DBOS.asyncio_wait(list(under_way), return_when=asyncio.FIRST_COMPLETED)
        # Only what the history says has ended, or a replay would start steps in another order.
        results |= {name: task.result() for name, task in tasks.items() if task in ended}
        if any(result["state"] == "failed" for result in results.values()):
            runtime.current().stop(run["id"], "failed")


async def _leave(tasks: list[asyncio.Task[dict[str, Any]]]) -> None:
    for task in tasks:
        task.cancel()
    if tasks:
        await asyncio.wait(tasks)


@DBOS.workflow(name=UNWIND)
@resumable
async def cleanup_resources_on_failure(
    run: dict[str, Any], plan: Plan, cause: dict[str, Any]
) -> dict[str, Any]:
    """Undo the whole plan in reverse, the source VM first, whatever was recorded as done.

    What comes first and could not be undone is tried again at the end, when what was in its way may be over.
    Until it is undone, what alone remembers how stays.
    """
    left: dict[str, list[dict[str, str]]] = {}

    async def undo(name: str, again: str = "") -> None:
        left[name] = await DBOS.run_step_async(
            {"name": f"undo {name}{again}"}, perform.undo, run, name, cause["status"]
        )

    for name in closing.undo_order(plan, cause):
        if closing.remembers(name):
            for one in [one for one in left if given_back.comes_first(one) and left[one]]:
                await undo(one, " again")
            if any(left[one] for one in left if given_back.comes_first(one)):
                left[name] = await DBOS.run_step_async({"name": f"keep {name}"}, closing.kept, run, name)
                continue
        await undo(name)
    leftovers = [row for rows in left.values() for row in rows]
    return await DBOS.run_step_async({"name": "close"}, closing.unwound, run, cause, leftovers)


@DBOS.workflow(name=DELIVER)
@resumable
async def deliver_events(run: dict[str, Any], after: int) -> int:
    """Post the run's events above `after` in their order, until the last; returns how many arrived."""
    arrived = 0
    while (
        sequence := await DBOS.run_step_async({"name": "next"}, deliver.next_event, run["id"], after)
    ) is not None:
        arrived += await DBOS.run_step_async({"name": f"post {sequence}"}, deliver.post_event, run, sequence)
        after = sequence
    return arrived


def unwind_id(run_id: str) -> str:
    """The id of a run's undo: asking for it twice undoes once."""
    return f"{run_id}:undo"


def delivery_id(run_id: str) -> str:
    """The id of the posting of a run's events."""
    return f"{run_id}:{DELIVER}"


def is_delivery(workflow_id: str) -> bool:
    """Whether a durable function posts events; the run itself needs it for nothing."""
    return f":{DELIVER}" in workflow_id


def launch(url: str, executor: str, engine: sa.Engine) -> None:
    """Start DBOS as this executor, which begins with nothing.

    What is known of a run is carried out by the process that has the right to: its id is put into the queue
    of that process's executor, and no other process looks into it. DBOS's own recovery finds nothing, since
    no executor has a name that was used before.

    Args:
        url: the database.
        executor: a name that no process has had.
        engine: used in place of one of DBOS's own: the same waits, the same pool.
    """
    config: DBOSConfig = {
        "name": "vhdlift",
        "system_database_url": url,
        "system_database_engine": engine,
        "executor_id": executor,
        # The plan is in the database, so every version of vhdlift can go on with every run.
        "application_version": "vhdlift",
        "serializer": JsonSerializer(),
        "log_level": "CRITICAL",
        "console_log_level": "CRITICAL",
        "notification_listener_polling_interval_sec": 0.2,
        # Fewer than the connections of the pool, so that no thread waits for one.
        "max_executor_threads": THREADS,
        # It would keep a connection for itself, and nothing here waits for notifications.
        "use_listen_notify": False,
        "run_migrations": True,
    }
    DBOS(config=config)
    DBOS.listen_queues([executor])
    DBOS.launch()
    DBOS.register_queue(executor, polling_interval_sec=LOOK_SECONDS)


def shut_down(executor: str) -> None:
    """Stop DBOS; what was under way stays in the database as unfinished."""
    with suppress(Exception):  # a database that is away must not keep the process
        DBOS.delete_queue(executor)
    DBOS.destroy(workflow_completion_timeout_sec=0)


def start(executor: str, workflow_id: str, function: Any, *arguments: Any) -> None:
    """Have this executor carry out a durable function; an id that is known already is not started again."""
    with SetWorkflowID(workflow_id):
        DBOS.enqueue_workflow(executor, function, *arguments)


def take_up(executor: str, workflow_id: str) -> None:
    """Have this executor go on with what another process left unfinished.

    Only for who has the right to work on the run: DBOS gives the function to us, whoever had it before, and
    takes no result from them any more.
    """
    DBOS.resume_workflow(workflow_id, queue_name=executor)


def unfinished(run_id: str) -> list[str]:
    """The ids of the durable functions of a run that have begun, or are to begin, and have no outcome."""
    known = DBOS.list_workflows(
        workflow_id_prefix=run_id, status=list(UNFINISHED), load_input=False, load_output=False
    )
    return [one.workflow_id for one in known]


def undelivered_runs() -> list[str]:
    """The ids of all runs whose posts are not over yet."""
    known = DBOS.list_workflows(name=DELIVER, status=list(UNFINISHED), load_input=False, load_output=False)
    return sorted({one.workflow_id.partition(":")[0] for one in known})


def dead(workflow_ids: Sequence[str]) -> list[str]:
    """Those of these that ended without having done their work."""
    known = DBOS.list_workflows(
        workflow_ids=list(workflow_ids), status=list(DEAD), load_input=False, load_output=False
    )
    return [one.workflow_id for one in known]


def begun(workflow_ids: Sequence[str]) -> list[str]:
    """Those of these that have begun and have no outcome."""
    known = DBOS.list_workflows(
        workflow_ids=list(workflow_ids), status=["PENDING"], load_input=False, load_output=False
    )
    return [one.workflow_id for one in known]


def is_ending(run_id: str) -> bool:
    """Whether a run is being undone, or was when its process died."""
    return any(one != run_id and not is_delivery(one) for one in unfinished(run_id))


def died_of(run_id: str) -> str | None:
    """The durable function whose death, by a fault of ours, has ended a run; None if it did not end so."""
    known = DBOS.list_workflows(workflow_id_prefix=run_id, load_input=False, load_output=False)
    # Those that a clean-up has put an end to say nothing.
    work = {
        one.workflow_id: one.status
        for one in known
        if not is_delivery(one.workflow_id) and one.status != "CANCELLED"
    }
    if work.get(unwind_id(run_id)) in BROKEN:
        work.pop(run_id, None)  # it waits for its undo, and may have no end of its own yet
    if not work or any(status in UNFINISHED for status in work.values()):
        return None
    last, status = list(work.items())[-1]
    return last if status in BROKEN else None


def has_failed(workflow_id: str) -> bool:
    """Whether a durable function has died of a fault of ours."""
    return status_of(workflow_id) in BROKEN


def abandon(run_id: str) -> None:
    """Make sure that nothing recorded for this run is ever taken up again."""
    for workflow_id in unfinished(run_id):
        DBOS.cancel_workflow(workflow_id)


def status_of(workflow_id: str) -> str | None:
    """DBOS's word for how a durable function stands, or None when there is none of this id."""
    known = DBOS.get_workflow_status(workflow_id)
    return known.status if known else None


def error_of(workflow_id: str) -> str:
    """What a durable function died of, when it did."""
    known = DBOS.get_workflow_status(workflow_id)
    return str(known.error) if known and known.error else ""


def _ready(plan: Plan, results: Results, tasks: dict[str, Any]) -> list[str]:
    """The steps that can start now, in plan order; none when the run is ending."""
    if any(result["state"] in ("failed", "stopped") for result in results.values()):
        return []
    return [
        row["name"] for row in plan if row["name"] not in tasks and all(n in results for n in row["needs"])
    ]


def _facts_of_needs(plan: Plan, name: str, results: Results) -> dict[str, Any]:
    """What all steps that this one needs, directly or not, handed on."""
    needs = {row["name"]: row["needs"] for row in plan}
    wanted, queue = set[str](), [name]
    while queue:
        for need in needs[queue.pop()]:
            if need not in wanted:
                wanted.add(need)
                queue.append(need)
    merged: dict[str, Any] = {}
    for row in plan:
        if row["name"] in wanted:
            merged |= results[row["name"]].get("facts", {})
    return merged
