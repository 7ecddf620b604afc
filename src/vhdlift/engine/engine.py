"""One process's work: as many runs at once as are started, each of them by right of its own lock.

async with Engine.open(settings) as engine:
    await engine.start(run)
    outcome = await engine.follow(run.id, print)
"""

from __future__ import annotations

import asyncio
import secrets
import time
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, Self

from vhdlift.engine import dead_runs, given_back, runtime
from vhdlift.engine import locks as right_to_work
from vhdlift.engine.assembly import assembled
from vhdlift.engine.database import database_url
from vhdlift.engine.keeping import Keeper
from vhdlift.engine.store import Outcome, RunRow, Store
from vhdlift.engine.threads import to_the_end, within
from vhdlift.errors import AzureRefused, VhdliftError
from vhdlift.logs import logging_to
from vhdlift.memory import give_back_now
from vhdlift.redaction import let_go, owned_by, register

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Sequence

    from vhdlift.engine.assembly import Inventory, OpenClients
    from vhdlift.engine.locks import Locks
    from vhdlift.engine.runtime import Runtime
    from vhdlift.model import Event, Run
    from vhdlift.settings import Settings
    from vhdlift.steps.base import Step

    OnEvent = Callable[[Event], None]

LOOK_SECONDS = 1.0
DRAIN_SECONDS = 60.0
SHORTEST_DRAIN_SECONDS = 10.0
"""Posting takes as long on a clock that runs fast."""
CLOSE_SECONDS = 15.0
HANDOVER_SECONDS = 20.0


@dataclass
class Job:
    """A run that this process has the right to work on.

    Attributes:
        run: the run.
        watched: the durable functions without which the run goes no further.
        problem: why this process has stopped working on it, if it has.
    """

    run: Run
    watched: tuple[str, ...] = ()
    problem: VhdliftError | None = None


class Engine:
    """A process's hold on the run database and on DBOS; it carries any number of runs at once.

    A process has one at a time. Other processes may use the same database: none works on a run that another
    one has the right to. What an engine leaves unfinished when it closes, the next one goes on with.
    """

    def __init__(self, rt: Runtime, locks: Locks, plan: list[dict[str, Any]], executor: str) -> None:
        self._rt = rt
        self._locks = locks
        self._plan = plan
        self._executor = executor
        self.jobs: dict[str, Job] = {}

    @classmethod
    @asynccontextmanager
    async def open(
        cls,
        settings: Settings,
        *,
        steps: tuple[Step, ...] | None = None,
        open_clients: OpenClients | None = None,
        inventory: Inventory | None = None,
    ) -> AsyncIterator[Self]:
        """Open the database and start DBOS; `steps`, `open_clients` and `inventory` may be doubles.

        Raises:
            VhdliftError: the database cannot be used, or this process has an engine open already.
        """
        if runtime.installed():
            raise VhdliftError("This process has an engine open already.", "One engine carries many runs.")
        for secret in settings.secrets():
            register(secret)
        with right_to_work.opened(settings) as locks, logging_to(settings.state_dir / "logs"):
            store = await asyncio.to_thread(Store.open, settings)
            rt, plan = assembled(settings, store, steps, open_clients, inventory)
            runtime.install(rt)
            engine = cls(rt, locks, plan, f"vhdlift-{secrets.token_hex(8)}")
            try:
                async with engine._working():
                    yield engine
            finally:
                runtime.remove()
                store.close()

    @property
    def store(self) -> Store:
        """The run database."""
        return self._rt.store

    @property
    def locks(self) -> Locks:
        """Who works on which run."""
        return self._locks

    async def start(self, run: Run, settings: Settings | None = None) -> None:
        """Enter the run and set it going; one that is known goes on where it was, one that ended does not.

        Args:
            run: a new run, or one that is in the database.
            settings: what this run works with, if it is not what the engine was opened with: another
                password, other posts. The credentials for Azure are the engine's.

        Raises:
            SignInNeeded: there is something to go on with, and no credential.
            VhdliftError: another process works on the run, or it is of another subscription.
        """
        known = await asyncio.to_thread(self._rt.store.standing, [run.id])
        if any(not how.ended for how in known.values()):
            await self._sign_in()

        def go() -> tuple[str, ...]:
            if settings is not None:
                with owned_by(run.id):
                    for secret in settings.secrets():
                        register(secret)
                self._rt.give_settings(run.id, settings)
            return self._go_on(run)

        await self._take(run, go)

    async def start_cleanup(self, row: RunRow) -> None:
        """Set an undo of the whole plan going, beside whatever the run has recorded.

        Raises:
            SignInNeeded: there is no credential.
            VhdliftError: another process works on the run.
        """
        from vhdlift.engine import workflow  # noqa: PLC0415 - DBOS is slow to import

        await self._sign_in()
        # Who brought it to its end, or saw it die, still has its last posts in hand for a moment.
        patience = HANDOVER_SECONDS if row.ended_at is not None else 0.0
        if await asyncio.to_thread(workflow.died_of, row.id) is not None:
            patience = DRAIN_SECONDS + HANDOVER_SECONDS
        await self._take(row.run, lambda: self._clean_up(row), patience)

    async def follow(self, run_id: str, on_event: OnEvent) -> Outcome:
        """Hand on each event as it comes, until the run has ended and its posts are out, or long overdue.

        Any number of runs may be followed at the same time.

        Raises:
            VhdliftError: the run goes no further in this process; the sentence says why.
        """
        store, seen = self._rt.store, 0
        while True:
            count = self._rt.wakes.count(run_id)
            # Before the look: a run that ends after it is let go of, and the next look finds its end.
            job = self.jobs.get(run_id)
            row = await asyncio.to_thread(store.find, run_id)
            for event in await asyncio.to_thread(store.events, run_id, seen):
                seen = event.sequence
                on_event(event)
            if row.ended_at is not None and row.outcome is not None:
                return await self._drained(row.id, row.outcome)
            if job is None:
                raise VhdliftError(f"This process does not work on run {run_id}.")
            if job.problem is not None:
                raise job.problem
            await self._rt.wakes.wait(run_id, count, LOOK_SECONDS)

    async def idle(self) -> None:
        """Return when no run is worked on any more, and no post is on its way."""
        while any(job.problem is None for job in self.jobs.values()):  # noqa: ASYNC110 - others end them
            await asyncio.sleep(LOOK_SECONDS)

    async def park(self, run_id: str) -> None:
        """Stop working on the run at the wish of its user: no worker takes it up, `start` goes on with it."""
        self._rt.break_off(run_id)
        await asyncio.to_thread(self._rt.store.park, run_id)

    async def give_source_back(self, row: RunRow) -> list[dict[str, str]]:
        """Undo what is undone before all else, and nothing more: the run can be gone on with.

        Returns:
            What could not be undone.

        Raises:
            VhdliftError: another process works on the run.
        """
        await asyncio.to_thread(right_to_work.take, self._locks, row.id)
        try:
            return await dead_runs.give_source_back(self._rt, row.run)
        finally:
            self._locks.give_back(row.id)
            let_go(row.id)

    async def drain(self, run_id: str) -> None:
        """Give the last posts a moment; a receiver that is down must not keep a pipeline waiting."""
        settings = self._rt.settings_of(run_id)
        if settings.webhook_url is None:
            return
        with suppress(TimeoutError):
            async with asyncio.timeout(max(SHORTEST_DRAIN_SECONDS, DRAIN_SECONDS * settings.time_scale)):
                while True:
                    count = self._rt.wakes.count(run_id)
                    if not await asyncio.to_thread(self._rt.store.unposted, run_id):
                        break
                    await self._rt.wakes.wait(run_id, count, LOOK_SECONDS)

    def release(self, run_id: str) -> None:
        """Let others work on the run; what is under way here is left where it stands."""
        self.jobs.pop(run_id, None)
        self._rt.break_off(run_id)
        self._locks.give_back(run_id)
        self._rt.forget(run_id)
        give_back_now()

    def go_on(self, job: Job) -> None:
        """Carry out what is known of the run and not finished; the right to work on it is ours."""
        self._rt.allow(job.run.id)
        job.watched = self._go_on(job.run)

    def post_again(self, run_id: str, left: Sequence[str]) -> None:
        """Take up these posts of the run where they were left."""
        self._deliver(self._rt.store.find(run_id), left)

    @asynccontextmanager
    async def _working(self) -> AsyncIterator[None]:
        """DBOS runs, and so do the looks at our rights and at what others ask for."""
        from vhdlift.engine import workflow  # noqa: PLC0415 - DBOS is slow to import

        url, store = database_url(self._rt.settings), self._rt.store
        store.on_news = self._rt.wakes.ring
        keeper = Keeper(self, self._rt, self._locks)
        try:
            await to_the_end(workflow.launch, url, self._executor, store.engine)
            async with keeper.at_work():
                yield
        finally:
            for run_id in list(self.jobs):
                self._rt.break_off(run_id)
            await within(CLOSE_SECONDS, workflow.shut_down, self._executor)

    async def _sign_in(self) -> None:
        """Look that Azure takes our credential: without one, all that is done is to fail, and to leave all.

        Raises:
            SignInNeeded: there is none.
        """
        async with self._rt.open_clients(self._rt.settings) as azure:
            with suppress(AzureRefused):  # out of reach is waited for, step by step
                await azure.sign_in()

    async def _take(self, run: Run, go: Callable[[], tuple[str, ...]], patience: float = 0.0) -> None:
        if not speaks_to(self._rt.settings, run):
            # The same names may be there too, and be somebody else's.
            sentence = f"Run {run.id} is of another subscription than this process works in."
            raise VhdliftError(sentence, f"Set AZURE_SUBSCRIPTION_ID={run.spec.subscription_id}.")
        await self._lock(run.id, patience)
        self._rt.allow(run.id)
        try:
            # Not before: until a run that had ended is open again, the keeper would let go of it.
            self.jobs[run.id] = Job(run, await to_the_end(self._begin, run, go))
        except BaseException:
            self.release(run.id)
            raise

    def _begin(self, run: Run, go: Callable[[], tuple[str, ...]]) -> tuple[str, ...]:
        self._rt.store.add_run(run, self._plan)
        self._rt.store.unpark(run.id)
        return go()

    async def _lock(self, run_id: str, patience: float) -> None:
        """Take the right to work on the run, waiting for it for so many seconds."""
        deadline = time.monotonic() + patience
        while True:
            try:
                await asyncio.to_thread(right_to_work.take, self._locks, run_id)
            except VhdliftError:
                if time.monotonic() >= deadline:
                    raise
                await asyncio.sleep(LOOK_SECONDS)
            else:
                return

    def _go_on(self, run: Run) -> tuple[str, ...]:
        """Carry out what is known of the run and not finished, or begin it; returns what is to be watched."""
        from vhdlift.engine import workflow  # noqa: PLC0415

        left = workflow.unfinished(run.id)
        row = self._rt.store.find(run.id)
        posts, work = (
            [one for one in left if workflow.is_delivery(one) is wanted] for wanted in (True, False)
        )
        if row.ended_at is not None:
            work = []
        elif (dead := workflow.died_of(run.id)) is not None:
            # It goes no further; the keeper sees to what is still to be done, and says so.
            self._deliver(row, posts)
            return (dead,)
        elif not work and workflow.status_of(run.id) in ("SUCCESS", "CANCELLED"):
            # Whoever wanted to clean up was killed before that began.
            return self._clean_up(row)
        elif not work:
            given_back.goes_on(self._rt.store, run.id)
            plan = self._rt.store.plan(run.id)
            workflow.start(self._executor, run.id, workflow.provision, run.to_json(), plan)
            work = [run.id]
        else:
            if work == [run.id] and workflow.status_of(workflow.unwind_id(run.id)) is None:
                given_back.goes_on(self._rt.store, run.id)
            for one in work:
                workflow.take_up(self._executor, one)
        self._deliver(row, posts)
        return tuple(work) if run.id not in work else (*work, workflow.unwind_id(run.id))

    def _clean_up(self, row: RunRow) -> tuple[str, ...]:
        from vhdlift.engine import workflow  # noqa: PLC0415

        self._rt.store.reopen(row.id)
        # What an interrupted process left half done must not come to life again beside the undo.
        workflow.abandon(row.id)
        failed = row.outcome and row.outcome.failed_step
        reason = (row.outcome and row.outcome.reason) or "Cleaned up by the user."
        status = row.status if row.status == "failed" else "cancelled"
        cause = {"status": status, "step": failed or "", "reason": reason, "hint": "", "keep": False}
        # Each time another: an earlier one, broken off, was abandoned just now, and stays so.
        name = f"{row.id}:cleanup:{time.time_ns()}"
        undo, plan = workflow.cleanup_resources_on_failure, self._rt.store.plan(row.id)
        workflow.start(self._executor, name, undo, row.run.to_json(), plan, cause)
        self._deliver(row, [])
        return (name,)

    def _deliver(self, row: RunRow, left: Sequence[str]) -> None:
        """Take up the run's posts where they were left, or begin with those that are waiting."""
        from vhdlift.engine import workflow  # noqa: PLC0415

        if self._rt.settings_of(row.id).webhook_url is None:
            return
        for one in left:
            workflow.take_up(self._executor, one)
        if not left:
            name = workflow.delivery_id(row.id)
            if workflow.status_of(name) is not None:
                name = f"{name}:{time.time_ns()}"
            workflow.start(self._executor, name, workflow.deliver_events, row.run.to_json(), 0)

    async def _drained(self, run_id: str, outcome: Outcome) -> Outcome:
        if self._rt.settings_of(run_id).webhook_url is None:
            return outcome
        await self.drain(run_id)
        return replace(outcome, undelivered=len(await asyncio.to_thread(self._rt.store.undelivered, run_id)))


def speaks_to(settings: Settings, run: Run) -> bool:
    """Whether the settings name the subscription that the run is of."""
    return (settings.subscription_id or "").lower() == run.spec.subscription_id.lower()
