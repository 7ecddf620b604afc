"""What an engine looks at while it works: whether its rights last, what others ask for, what is over."""

from __future__ import annotations

import asyncio
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING

import structlog

from vhdlift.engine.dead_runs import look_after
from vhdlift.errors import EngineStopped, VhdliftError
from vhdlift.redaction import redact

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterable

    from vhdlift.engine.engine import Engine, Job
    from vhdlift.engine.locks import Locks
    from vhdlift.engine.runtime import Runtime

log = structlog.get_logger("vhdlift.engine")

ASK_SECONDS = 0.1
LOOK_SECONDS = 1.0
BEAT_SECONDS = 1.0
SHORTEST_SECONDS = 0.2
STALL_SECONDS, SHORTEST_STALL_SECONDS = 60.0, 15.0
"""For how long a run that has begun may have nothing done for it: DBOS needs a moment to begin."""
REVIVED_SECONDS = 600.0
QUIET_SECONDS = 120.0
RETAKE_SECONDS = 300.0
_LOST_HINT = (
    "Look at the database: its disk may be full. `vhdlift resume` goes on, `vhdlift cleanup` undoes the run."
)


class Keeper:
    """Two endless looks beside an engine's runs; each is one question for all runs together."""

    def __init__(self, engine: Engine, rt: Runtime, locks: Locks) -> None:
        self._engine = engine
        self._rt = rt
        self._locks = locks
        self._looked = 0.0
        self._still_since: dict[str, float] = {}
        self._revived: dict[str, float] = {}
        self._dead: dict[str, asyncio.Task[None]] = {}
        # A thread that waits for the server would keep the process from ending.
        self._leaving = threading.Event()

    @asynccontextmanager
    async def at_work(self) -> AsyncIterator[None]:
        """Look as long as the context lasts."""
        looks = [asyncio.ensure_future(one) for one in (self._watch(), self._keep())]
        try:
            yield
        finally:
            self._leaving.set()
            looks += self._dead.values()
            for look in looks:
                look.cancel()
            await asyncio.wait(looks)

    async def _watch(self) -> None:
        """Pass on what others ask for; whatever goes wrong here, the followers are told."""
        while True:
            await asyncio.sleep(ASK_SECONDS)
            try:
                await self._look()
            except Exception as problem:  # followers would wait for ever
                log.exception("look_failed")
                said = problem if isinstance(problem, VhdliftError) else VhdliftError(redact(repr(problem)))
                for job in self._engine.jobs.values():
                    self._give_up(job, said)

    async def _look(self) -> None:
        jobs = dict(self._engine.jobs)
        if not jobs:
            return
        standing = await asyncio.to_thread(self._rt.store.standing, jobs)
        ended = [run_id for run_id, how in standing.items() if how.ended]
        for run_id, how in standing.items():
            if how.cancel_requested and not how.ended:
                self._rt.stop(run_id, "cancelled")
        if time.monotonic() - self._looked > LOOK_SECONDS:
            await self._look_closer({k: v for k, v in jobs.items() if k not in ended}, ended)
            self._looked = time.monotonic()

    async def _look_closer(self, going: dict[str, Job], ended: list[str]) -> None:
        """Which runs are dead, and which are over and delivered."""
        from vhdlift.engine import workflow  # noqa: PLC0415 - DBOS is slow to import

        watched = {one: job for job in going.values() if job.problem is None for one in job.watched}
        for one in await asyncio.to_thread(workflow.dead, list(watched)) if watched else []:
            if await asyncio.to_thread(workflow.has_failed, one):
                self._look_after(watched[one], one)
            else:  # by a clean-up
                self._give_up(watched[one], _taken_over(watched[one].run.id))
        stalled = self._stalled([*going, *ended])
        for run_id in stalled:
            if run_id in going:
                await self._revive(going[run_id])
        for run_id in [one for one in ended if not self._rt.is_at_work(one)]:
            posts = await asyncio.to_thread(self._posts, run_id)
            if not posts:
                await asyncio.to_thread(self._engine.release, run_id)
            elif run_id in stalled:
                log.warning("posts_revived", run=run_id)
                await asyncio.to_thread(self._engine.post_again, run_id, posts)

    def _look_after(self, job: Job, workflow_id: str) -> None:
        """See to a run that has died here, while the looks go on; an undo that dies takes its run along."""
        if job.run.id not in self._dead:
            self._dead[job.run.id] = asyncio.ensure_future(self._to_its_end(job, workflow_id))

    async def _to_its_end(self, job: Job, workflow_id: str) -> None:
        hint = f"`vhdlift cleanup {job.run.id}` starts the source VM, and undoes the rest."
        problem = EngineStopped(
            f"The engine stopped working on run {job.run.id}; the log has the reason.", hint
        )
        try:
            problem = await look_after(self._rt, job.run, workflow_id)
            await self._engine.drain(job.run.id)
        except Exception:  # whatever it is, the followers of the run must learn that it is dead
            log.exception("dead_run_not_looked_after", run=job.run.id)
        finally:
            # First: whoever is told may have it taken up again at once.
            self._dead.pop(job.run.id, None)
            self._give_up(job, problem)

    def _stalled(self, run_ids: Iterable[str]) -> list[str]:
        """The runs for which nothing has been done here for a while; the while begins anew for them.

        A durable function that dies because the database refuses to be written to, as on a full disk,
        cannot write that down either, and would stay as it is for ever.
        """
        now = time.monotonic()
        still = [one for one in run_ids if not self._rt.is_at_work(one)]
        self._still_since = {one: self._still_since.get(one, now) for one in still}
        limit = max(SHORTEST_STALL_SECONDS, STALL_SECONDS * self._rt.settings.time_scale)
        stalled = [one for one, since in self._still_since.items() if now - since > limit]
        for run_id in stalled:
            del self._still_since[run_id]
        return stalled

    async def _revive(self, job: Job) -> None:
        """Go on with a run that has begun and that nothing is done for; not a second time soon after."""
        from vhdlift.engine import workflow  # noqa: PLC0415 - DBOS is slow to import

        run_id, now = job.run.id, time.monotonic()
        if job.problem is not None or not await asyncio.to_thread(workflow.begun, job.watched):
            return
        if now - self._revived.get(run_id, -REVIVED_SECONDS) < REVIVED_SECONDS:
            self._give_up(job, VhdliftError(f"The engine lost hold of run {run_id}.", _LOST_HINT))
            return
        self._revived[run_id] = now
        log.warning("revived", run=run_id)
        try:
            await asyncio.to_thread(self._engine.go_on, job)
        except Exception as problem:  # noqa: BLE001 - its follower is told, and others are not touched
            self._give_up(job, VhdliftError(redact(f"Run {run_id} cannot go on: {problem}"), _LOST_HINT))

    def _posts(self, run_id: str) -> list[str]:
        """The durable functions that post, or are to begin to, for a run that is over."""
        from vhdlift.engine import workflow  # noqa: PLC0415

        if self._rt.settings_of(run_id).webhook_url is None:
            return []
        return [one for one in workflow.unfinished(run_id) if workflow.is_delivery(one)]

    def _give_up(self, job: Job, problem: VhdliftError) -> None:
        """This process works on the run no more; its followers are told, and others may."""
        if job.problem is None:
            job.problem = problem
            self._rt.break_off(job.run.id)
            self._locks.give_back(job.run.id)
            self._rt.wakes.ring(job.run.id)

    async def _keep(self) -> None:
        """Ask again and again whether our rights last, in a thread that nothing else can keep busy."""
        pause = max(SHORTEST_SECONDS, BEAT_SECONDS * self._rt.settings.time_scale)
        loop, thread = asyncio.get_running_loop(), ThreadPoolExecutor(1, "vhdlift-rights")
        try:
            while True:
                await asyncio.sleep(pause)
                if not await loop.run_in_executor(thread, self._locks.held):
                    log.warning("rights_lost", runs=list(self._engine.jobs))
                    await self._win_back()
        finally:
            thread.shutdown(wait=False, cancel_futures=True)

    async def _win_back(self) -> None:
        """Stop at once; go on with each run whose lock is still to be had, and leave the others."""
        jobs = [job for job in self._engine.jobs.values() if job.problem is None]
        for job in jobs:
            self._rt.break_off(job.run.id)
        deadline = time.monotonic() + QUIET_SECONDS
        for job in jobs:
            try:
                await self._quiet(job, deadline)
                await asyncio.to_thread(self._take_again, job)
            except VhdliftError as problem:
                hint = f"`vhdlift watch {job.run.id}` follows the run, `vhdlift resume` goes on with it."
                self._give_up(job, VhdliftError(problem.sentence, hint))

    async def _quiet(self, job: Job, deadline: float) -> None:
        """Return when nothing of the run is under way here.

        Raises:
            VhdliftError: something is, after so long.
        """
        while self._rt.is_at_work(job.run.id):
            if time.monotonic() > deadline:
                raise VhdliftError("A step did not end when the connection to the run database was lost.")
            await asyncio.sleep(SHORTEST_SECONDS)

    def _take_again(self, job: Job) -> None:
        """Take the lock and go on, as soon as the server is there.

        Raises:
            VhdliftError: another process has it, or the server has been away for too long.
        """
        # A new session may have it already, and would not be given it twice.
        self._locks.give_back(job.run.id)
        if not self._lock_or_wait(job.run.id):
            raise _taken_over(job.run.id)
        self._engine.go_on(job)

    def _lock_or_wait(self, run_id: str) -> bool:
        deadline = time.monotonic() + RETAKE_SECONDS
        while True:
            try:
                return self._locks.take(run_id)
            except VhdliftError:
                if time.monotonic() > deadline or self._leaving.wait(SHORTEST_SECONDS):
                    raise


def _taken_over(run_id: str) -> VhdliftError:
    return VhdliftError(f"Another process has taken over run {run_id}.")
