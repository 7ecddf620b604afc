"""The durable part: what survives a killed process, and the only file that knows DBOS.

Everything that crosses into DBOS is plain JSON. Its own errors (a replay that does not fit) are never
taken for a failed step: only a step's result starts an undo.
"""

from __future__ import annotations

import asyncio
import json
from functools import wraps
from typing import TYPE_CHECKING, Any, ParamSpec, TypeVar

from dbos import DBOS, DBOSConfig, Serializer, SetWorkflowID

from vhdlift.engine import closing, deliver, perform, runtime
from vhdlift.redaction import redact

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Coroutine

    import sqlalchemy as sa

P = ParamSpec("P")
T = TypeVar("T")

PROVISION, UNWIND, DELIVER = "provision", "unwind", "deliver"

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


class BrokenOff(BaseException):
    """The process winds down in the middle of a durable function, which so has no outcome yet.

    DBOS would keep a bare cancellation as the function's error, and never take it up again; what is no
    `Exception` it keeps nothing of.
    """


def resumable(function: Callable[P, Awaitable[T]]) -> Callable[P, Coroutine[Any, Any, T]]:
    """The durable function, whose cancellation leaves it to the next process."""

    @wraps(function)
    async def until_broken_off(*args: P.args, **kwargs: P.kwargs) -> T:
        try:
            return await function(*args, **kwargs)
        except asyncio.CancelledError:
            raise BrokenOff from None

    return until_broken_off


@DBOS.workflow(name=PROVISION)
@resumable
async def provision(run: dict[str, Any], plan: Plan) -> dict[str, Any]:
    """Do every step as soon as what it needs is done; undo all when one fails or the user cancels."""
    rt = runtime.current()
    results: Results = {}
    tasks: dict[str, asyncio.Task[dict[str, Any]]] = {}
    while True:
        for name in _ready(plan, results, tasks):
            # The number of a step in the history is drawn in plan order, before anything can run.
            slot = DBOS.reserve_step()
            given = _facts_of_needs(plan, name, results)
            tasks[name] = asyncio.create_task(slot.run_async({"name": name}, perform.do, run, name, given))
        under_way = [task for name, task in tasks.items() if name not in results]
        if not under_way:
            break
        ended, _ = await DBOS.asyncio_wait(list(under_way), return_when=asyncio.FIRST_COMPLETED)
        # Only what the history says has ended, or a replay would start steps in another order.
        results |= {name: task.result() for name, task in tasks.items() if task in ended}
        if any(result["state"] == "failed" for result in results.values()):
            rt.stop(run["id"], "failed")
    if len(results) == len(plan) and all(r["state"] in ("done", "warning") for r in results.values()):
        return await DBOS.run_step_async({"name": "close"}, closing.completed, run, results)
    cause = closing.cause_of(results, keep=run["spec"]["on_failure"] == "keep")
    with SetWorkflowID(unwind_id(run["id"])):
        handle = await DBOS.start_workflow_async(cleanup_resources_on_failure, run, plan, cause)
    return await handle.get_result()


@DBOS.workflow(name=UNWIND)
@resumable
async def cleanup_resources_on_failure(
    run: dict[str, Any], plan: Plan, cause: dict[str, Any]
) -> dict[str, Any]:
    """Undo the whole plan in reverse, the source VM first, whatever was recorded as done."""
    leftovers: list[dict[str, str]] = []
    for name in closing.undo_order(plan, cause):
        leftovers += await DBOS.run_step_async(
            {"name": f"undo {name}"}, perform.undo, run, name, cause["status"]
        )
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


def launch(url: str, executor: str, engine: sa.Engine | None) -> None:
    """Start DBOS as this executor, and with it what the executor left unfinished.

    Args:
        url: the database.
        executor: whose unfinished runs are taken up.
        engine: used in place of one of DBOS's own, where given.
    """
    config: DBOSConfig = {
        "name": "vhdlift",
        "system_database_url": url,
        "system_database_engine": engine,
        "executor_id": executor,
        # An executor takes up its own runs only, whatever else lives in the same database.
        "application_version": executor,
        "serializer": JsonSerializer(),
        "log_level": "CRITICAL",
        "console_log_level": "CRITICAL",
        "notification_listener_polling_interval_sec": 0.2,
        "run_migrations": True,
    }
    DBOS(config=config)
    DBOS.launch()


def shut_down() -> None:
    """Stop DBOS; what was under way stays in the database as unfinished."""
    DBOS.destroy(workflow_completion_timeout_sec=0)


def start(workflow_id: str, function: Any, *arguments: Any) -> None:
    """Start a durable function on DBOS's own event loop; call from a thread that has none.

    An id that is known already is not started again.
    """
    with SetWorkflowID(workflow_id):
        DBOS.start_workflow(function, *arguments)


def abandon(run_id: str) -> None:
    """Make sure that nothing recorded for this run is ever taken up again."""
    for known in DBOS.list_workflows(workflow_id_prefix=run_id, status=["PENDING", "ENQUEUED"]):
        DBOS.cancel_workflow(known.workflow_id)


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
