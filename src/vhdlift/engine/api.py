"""What the command line and other programs call: start a run, follow it, take it up again, undo it.

One executor works on a run at a time: a lock in the state directory says which process it is.
"""

from __future__ import annotations

import asyncio
import fcntl
import os
import secrets
import subprocess
import sys
import time
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import AbstractAsyncContextManager, asynccontextmanager, contextmanager
from dataclasses import replace
from typing import IO, TYPE_CHECKING, Any

from vhdlift import __version__
from vhdlift.engine import runtime
from vhdlift.engine.sharing import shared
from vhdlift.engine.store import Outcome, RunRow, Store, database_url, now
from vhdlift.errors import VhdliftError
from vhdlift.logs import logging_to
from vhdlift.model import Event, Run, Spec
from vhdlift.redaction import redact, register

if TYPE_CHECKING:
    from collections.abc import Iterator

    from vhdlift.settings import Settings
    from vhdlift.steps.base import Step

OnEvent = Callable[[Event], None]
LOOK_SECONDS = 0.1
DRAIN_SECONDS = 60.0
LOCK_TRIES = 6
CROCKFORD = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"


def new_run(spec: Spec) -> Run:
    """A run with a fresh id: a ULID (48 bits of milliseconds, 80 of chance), so that ids sort by time."""
    number = (time.time_ns() // 1_000_000 << 80) | secrets.randbits(80)
    run_id = "".join(CROCKFORD[number >> shift & 31] for shift in range(125, -1, -5))
    return Run(run_id, spec, now(), __version__)


async def provision(settings: Settings, run: Run, on_event: OnEvent, **doubles: Any) -> Outcome:
    """Start a run and follow it to its end.

    Raises:
        VhdliftError: the database cannot be used. What fails in the run itself is in the outcome.
    """
    async with Engine.open(settings, run.id, **doubles) as engine:
        await engine.start(run)
        return await engine.follow(run.id, on_event)


async def resume(settings: Settings, run_id: str, on_event: OnEvent, **doubles: Any) -> Outcome:
    """Take up a run that an interrupted process left, and follow it to its end.

    Raises:
        VhdliftError: there is no such run, or another process is working on it.
    """
    row = _find(settings, run_id)
    async with Engine.open(settings, row.executor, **doubles) as engine:
        await engine.start(row.run)
        return await engine.follow(row.id, on_event)


async def cleanup(settings: Settings, run_id: str, on_event: OnEvent, **doubles: Any) -> Outcome:
    """Undo the whole plan of a run, whatever state it is in, and ask the cloud what is left.

    Raises:
        VhdliftError: there is no such run, or another process is working on it.
    """
    row = _find(settings, run_id)
    async with Engine.open(settings, f"{row.executor}:cleanup", lock=row.executor, **doubles) as engine:
        await engine.start_cleanup(row)
        return await engine.follow(row.id, on_event)


def request_cancel(settings: Settings, run_id: str) -> RunRow:
    """Ask the process that works on the run to stop and undo it; returns the run."""
    row = _find(settings, run_id)
    store = Store.open(settings)
    store.request_cancel(row.id)
    store.close()
    return row


def is_worked_on(settings: Settings, row: RunRow) -> bool:
    """Whether a process of this machine works on the run now."""
    try:
        with _lock(settings, row.executor):
            return False
    except VhdliftError:
        return True


def start_worker(settings: Settings, run: Run) -> None:
    """Enter the run and leave it to a process that outlives this one; secrets go by its environment."""
    from vhdlift.settings import child_environment  # noqa: PLC0415
    from vhdlift.steps import PROVISION  # noqa: PLC0415

    store = Store.open(settings)
    store.add_run(run, frozen(PROVISION), run.id)
    store.close()
    folder = settings.state_dir / "logs"
    folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    with (folder / f"{run.id}.log").open("ab") as log:
        subprocess.Popen(  # noqa: S603 - our own module
            [sys.executable, "-m", "vhdlift.engine.worker", run.id],
            env={**os.environ, **child_environment(settings)},
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
            start_new_session=True,
        )


def frozen(steps: tuple[Step, ...]) -> list[dict[str, Any]]:
    """The plan as data: it goes into the run, so that a later version finds it as it was."""
    return [{"name": step.name, "needs": list(step.needs)} for step in steps]


class Engine:
    """A process's hold on the run database and on DBOS."""

    def __init__(self, settings: Settings, store: Store, plan: list[dict[str, Any]], executor: str) -> None:
        self._settings = settings
        self._store = store
        self._plan = plan
        self._executor = executor
        self._working: tuple[str, ...] = ()

    @classmethod
    @asynccontextmanager
    async def open(
        cls,
        settings: Settings,
        executor: str,
        *,
        lock: str | None = None,
        steps: tuple[Step, ...] | None = None,
        open_clients: Callable[[Settings], AbstractAsyncContextManager[Any]] | None = None,
        inventory: Callable[[Any, str, Sequence[str]], Any] | None = None,
    ) -> AsyncIterator[Engine]:
        """Open the database and start DBOS; `steps`, `open_clients` and `inventory` may be doubles."""
        for secret in settings.secrets():
            register(secret)
        with _lock(settings, lock or executor, LOCK_TRIES), logging_to(settings.state_dir / "logs"):
            store = Store.open(settings)
            rt, plan = _runtime(settings, store, steps, open_clients, inventory)
            runtime.install(rt)
            from vhdlift.engine import workflow  # noqa: PLC0415 - DBOS is slow to import

            try:
                await _to_the_end(workflow.launch, database_url(settings), executor, store.sqlite)
                yield cls(settings, store, plan, executor)
            finally:
                await _to_the_end(workflow.shut_down)
                runtime.remove()
                store.close()

    async def start(self, run: Run) -> None:
        """Enter the run and set it going; one that is known goes on where it was, one that ended does not."""
        from vhdlift.engine import workflow  # noqa: PLC0415

        await asyncio.to_thread(self._store.add_run, run, self._plan, self._executor)
        row = await asyncio.to_thread(self._store.find, run.id)
        if row.ended_at is None:
            plan = await asyncio.to_thread(self._store.plan, run.id)
            await asyncio.to_thread(workflow.start, run.id, workflow.provision, run.to_json(), plan)
            self._working = run.id, workflow.unwind_id(run.id)
        await self._deliver(run, run.id)

    async def start_cleanup(self, row: RunRow) -> None:
        """Set an undo of the whole plan going, beside whatever the run has recorded."""
        from vhdlift.engine import workflow  # noqa: PLC0415

        await asyncio.to_thread(self._store.reopen, row.id)
        # What an interrupted process left half done must not come to life again beside the undo.
        await asyncio.to_thread(workflow.abandon, row.id)
        failed = row.outcome and row.outcome.failed_step
        reason = (row.outcome and row.outcome.reason) or "Cleaned up by the user."
        status = row.status if row.status == "failed" else "cancelled"
        cause = {"status": status, "step": failed or "", "reason": reason, "hint": "", "keep": False}
        plan = await asyncio.to_thread(self._store.plan, row.id)
        # Each time another: an earlier one, broken off, was abandoned just now, and stays so.
        wid = f"{row.id}:cleanup:{time.time_ns()}"
        await asyncio.to_thread(
            workflow.start, wid, workflow.cleanup_resources_on_failure, row.run.to_json(), plan, cause
        )
        self._working = (wid,)
        await self._deliver(row.run, wid)

    async def follow(self, run_id: str, on_event: OnEvent) -> Outcome:
        """Hand on each event as it comes, until the run has ended and its posts are out, or long overdue."""
        seen = 0
        while True:
            row = await asyncio.to_thread(self._store.find, run_id)
            for event in await asyncio.to_thread(self._store.events, run_id, seen):
                seen = event.sequence
                on_event(event)
            if row.ended_at is not None and row.outcome is not None:
                return await self._drained(row.id, row.outcome)
            if await asyncio.to_thread(self._store.cancel_requested, run_id):
                runtime.current().stop(run_id, "cancelled")
            for workflow_id in self._working:
                await asyncio.to_thread(_raise_if_dead, workflow_id)
            await asyncio.sleep(LOOK_SECONDS)

    async def _deliver(self, run: Run, beside: str) -> None:
        if self._settings.webhook_url is None:
            return
        from vhdlift.engine import workflow  # noqa: PLC0415

        name = f"{beside}:deliver"
        await asyncio.to_thread(workflow.start, name, workflow.deliver_events, run.to_json(), 0)

    async def _drained(self, run_id: str, outcome: Outcome) -> Outcome:
        """Give the last posts a moment; a receiver that is down must not keep a pipeline waiting."""
        if self._settings.webhook_url is None:
            return outcome
        deadline = time.monotonic() + max(2.0, DRAIN_SECONDS * self._settings.time_scale)
        while await asyncio.to_thread(self._store.unposted, run_id):
            if time.monotonic() > deadline:
                break
            await asyncio.sleep(LOOK_SECONDS)
        return replace(outcome, undelivered=len(await asyncio.to_thread(self._store.undelivered, run_id)))


async def _to_the_end(work: Callable[..., None], *arguments: Any) -> None:
    """Work in a thread, which goes on when we are cancelled: so its end is waited for all the same."""
    working = asyncio.ensure_future(asyncio.to_thread(work, *arguments))
    try:
        await asyncio.shield(working)
    except asyncio.CancelledError:
        await asyncio.wait({working})
        raise


def _raise_if_dead(workflow_id: str) -> None:
    from vhdlift.engine import workflow  # noqa: PLC0415

    if workflow.status_of(workflow_id) in ("ERROR", "CANCELLED", "MAX_RECOVERY_ATTEMPTS_EXCEEDED"):
        run_id = workflow_id.partition(":")[0]
        raise VhdliftError(
            f"The engine stopped working on run {run_id}: {redact(workflow.error_of(workflow_id))}",
            f"Nothing was undone. `vhdlift cleanup {run_id}` does that, and starts the source VM.",
        )


def _runtime(
    settings: Settings,
    store: Store,
    steps: tuple[Step, ...] | None,
    open_clients: Callable[[Settings], AbstractAsyncContextManager[Any]] | None,
    inventory: Callable[[Any, str, Sequence[str]], Any] | None,
) -> tuple[runtime.Runtime, list[dict[str, Any]]]:
    """The real steps and clients, where no doubles were given."""
    known: Mapping[str, Step]
    if steps is None:
        from vhdlift.steps import PROVISION, STEPS  # noqa: PLC0415

        plan, known = PROVISION, STEPS
    else:
        plan, known = steps, {step.name: step for step in steps}
    if open_clients is None or inventory is None:
        from vhdlift.azure import clients, ownership  # noqa: PLC0415

        open_clients = open_clients or clients.open_clients
        inventory = inventory or ownership.inventory
    return runtime.Runtime(settings, store, known, shared(open_clients), inventory), frozen(plan)


def _find(settings: Settings, run_id: str) -> RunRow:
    store = Store.open(settings)
    try:
        return store.find(run_id)
    finally:
        store.close()


@contextmanager
def _lock(settings: Settings, executor: str, tries: int = 1) -> Iterator[IO[str]]:
    """Hold the right to work as this executor; the kernel gives it back when the process dies.

    Who wants to work tries more than once: who only looks (`is_worked_on`) holds it for a moment, too.
    """
    settings.state_dir.mkdir(parents=True, exist_ok=True, mode=0o700)
    folder = settings.state_dir / "locks"
    folder.mkdir(exist_ok=True, mode=0o700)
    with (folder / f"{executor}.lock").open("a+") as file:
        for left in reversed(range(tries)):
            try:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except OSError:
                if not left:
                    sentence = f"Another process is working on run {executor}."
                    raise VhdliftError(sentence, f"`vhdlift watch {executor}` follows it.") from None
                time.sleep(LOOK_SECONDS)
            else:
                break
        yield file
