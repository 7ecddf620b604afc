"""Takes up what nobody works on: runs whose process died, and posts that still wait for their receiver.

Each engine that serves looks at all runs of the database. On PostgreSQL that is how the runs of a machine
that went away are carried on by another one, without help.
"""

from __future__ import annotations

import asyncio
import time
from math import inf
from typing import TYPE_CHECKING, Any

import structlog

from vhdlift.engine import given_back
from vhdlift.engine.engine import Engine, speaks_to
from vhdlift.errors import VhdliftError

if TYPE_CHECKING:
    from collections.abc import Callable

    from vhdlift.engine.store import Outcome, RunRow
    from vhdlift.model import Run
    from vhdlift.settings import Settings

log = structlog.get_logger("vhdlift.engine")

GRACE_SECONDS = 15.0
"""How long a run must be without a process: one needs less to begin, or to notice that it lost its lock."""
SHORTEST_GRACE_SECONDS = 5.0
LOOK_SECONDS = 1.0
AGAIN_SECONDS = 120.0
"""Between two tries to do what a run that waits for its user needs."""


async def serve(
    settings: Settings,
    run_id: str | None = None,
    on_taken: Callable[[Run], None] = lambda _run: None,
    **doubles: Any,
) -> Outcome | None:
    """Carry the run of this id to its end, and with it all that nobody works on; without one, for ever.

    What other runs need from the environment (credentials, the addresses of webhook and mail) is this
    process's own. One that is given a run ends when there is nothing left to do. Each run of others that is
    taken up is handed to `on_taken`.

    Returns:
        How the run of `run_id` ended.

    Raises:
        VhdliftError: the database cannot be used, there is no such run, or another process works on it.
    """
    async with Engine.open(settings, **doubles) as engine:
        if run_id is None:
            await Service(engine, settings, on_taken, may_make_vms=True).look_for_ever()
            return None
        row = await asyncio.to_thread(engine.store.find, run_id)
        service = Service(engine, settings, on_taken, may_make_vms=not row.run.spec.own_password)
        await engine.start(row.run)
        looking = asyncio.ensure_future(service.look_for_ever())
        try:
            outcome = await engine.follow(row.id, lambda _event: None)
            await engine.idle()
        finally:
            looking.cancel()
            await asyncio.wait({looking})
        return outcome


class Service:
    """One engine's look at the runs of others.

    Args:
        engine: takes up what is found.
        settings: what it was opened with.
        on_taken: told of each run that is taken up.
        may_make_vms: whether its administrator's password is meant for other runs too.
    """

    def __init__(
        self, engine: Engine, settings: Settings, on_taken: Callable[[Run], None], *, may_make_vms: bool
    ) -> None:
        self._engine = engine
        self._on_taken = on_taken
        self._settings = settings
        self._has_password = may_make_vms and settings.admin_password is not None
        self._free_since: dict[str, float] = {}
        self._looking_after: set[str] = set()
        self._skipped: set[str] = set()
        self._tried: dict[str, float] = {}

    async def look_for_ever(self) -> None:
        """Look again and again; a database that is away for a while ends nothing."""
        async with asyncio.TaskGroup() as beside:
            while True:
                try:
                    for run_id in await asyncio.to_thread(self._abandoned):
                        await self._take_up(run_id, beside)
                except Exception:  # whatever it is, the runs of others still need somebody who looks
                    log.exception("not_looked")
                await asyncio.sleep(LOOK_SECONDS)

    def _abandoned(self) -> list[str]:
        """The runs with something to do that nobody has worked on for long enough, the oldest first.

        Of a parked run not even the posts are taken up: to take it up is to go on with all of it.
        """
        from vhdlift.engine import workflow  # noqa: PLC0415 - DBOS is slow to import

        store = self._engine.store
        open_ = store.to_take_up()
        if self._settings.webhook_url is not None:
            posting = store.standing(workflow.undelivered_runs())
            open_ += [one for one, how in posting.items() if how.ended]
        taken = self._engine.locks.taken(open_)
        now = time.monotonic()
        self._free_since = {one: self._free_since.get(one, now) for one in open_ if one not in taken}
        grace = max(SHORTEST_GRACE_SECONDS, GRACE_SECONDS * self._settings.time_scale)
        return sorted(one for one, since in self._free_since.items() if now - since >= grace)

    async def _take_up(self, run_id: str, beside: asyncio.TaskGroup) -> None:
        row = await asyncio.to_thread(self._engine.store.find, run_id)
        if not speaks_to(self._settings, row.run):
            if run_id not in self._skipped:
                self._skipped.add(run_id)
                log.warning("of_another_subscription", run=run_id, subscription=row.run.spec.subscription_id)
            return
        try:
            if await asyncio.to_thread(self._is_seen_to, row):
                return
            if not await asyncio.to_thread(self._can_carry, row):
                given = await asyncio.to_thread(given_back.is_over, self._engine.store, row.id)
                if not given and row.id not in self._looking_after:
                    self._looking_after.add(row.id)
                    beside.create_task(self._leave_alone(row))
                return
            await self._engine.start(row.run)
            log.info("taken_up", run=run_id)
            self._on_taken(row.run)
        except VhdliftError as problem:  # another one was quicker, or there is no credential just now
            self._free_since.pop(run_id, None)
            log.info("not_taken_up", run=run_id, reason=problem.sentence)

    def _is_seen_to(self, row: RunRow) -> bool:
        """Whether a run has died of a fault of ours, and all is done that can be, or was tried just now."""
        from vhdlift.engine import workflow  # noqa: PLC0415 - DBOS is slow to import

        if row.ended_at is not None or workflow.died_of(row.id) is None:
            return False
        store, now = self._engine.store, time.monotonic()
        posts = self._settings.webhook_url is not None and store.unposted(row.id)
        if given_back.is_over(store, row.id) and not posts:
            return True
        if now - self._tried.get(row.id, -inf) < AGAIN_SECONDS * self._settings.time_scale:
            return True
        self._tried[row.id] = now
        return False

    def _can_carry(self, row: RunRow) -> bool:
        """Not one on its way to a VM whose password only its own user has."""
        from vhdlift.engine import workflow  # noqa: PLC0415 - DBOS is slow to import

        if row.ended_at is not None or workflow.died_of(row.id) is not None:
            return True
        store = self._engine.store
        return (
            (self._has_password and not row.run.spec.own_password)
            or bool(store.facts_of(row.id, "vm_created"))
            or store.standing([row.id])[row.id].cancel_requested
            or workflow.is_ending(row.id)
        )

    async def _leave_alone(self, row: RunRow) -> None:
        """The run waits for its user; its source VM does not, nor do other runs while Azure starts it."""
        log.warning("left_alone", run=row.id, reason="its VM's password is its user's own")
        while left := await self._source_not_given_back(row):
            log.warning("source_not_given_back", run=row.id, left=left)
            await asyncio.sleep(AGAIN_SECONDS * self._settings.time_scale)
        log.info("source_looked_after", run=row.id)
        self._looking_after.discard(row.id)

    async def _source_not_given_back(self, row: RunRow) -> list[str]:
        """Why the source VM could not be given back, tried once more; nothing also when the run is over."""
        try:
            if (await asyncio.to_thread(self._engine.store.find, row.id)).ended_at is not None:
                return []
            return [one["reason"] for one in await self._engine.give_source_back(row)]
        except VhdliftError as problem:
            return [problem.sentence]
        except Exception:  # it must not end the looking for other runs
            log.exception("source_not_looked_after", run=row.id)
            return ["the log has the reason"]
