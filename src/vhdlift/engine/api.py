"""What the command line and other programs call: start a run, follow it, take it up again, undo it."""

from __future__ import annotations

import asyncio
import os
import secrets
import subprocess
import sys
import time
from typing import TYPE_CHECKING, Any

from vhdlift import __version__
from vhdlift.engine import locks as right_to_work
from vhdlift.engine.assembly import frozen
from vhdlift.engine.engine import Engine
from vhdlift.engine.service import serve
from vhdlift.engine.store import RunRow, Store, now
from vhdlift.errors import VhdliftError
from vhdlift.model import Run, Spec

if TYPE_CHECKING:
    from collections.abc import Awaitable

    from vhdlift.engine.engine import OnEvent
    from vhdlift.engine.store import Outcome
    from vhdlift.settings import Settings

__all__ = [
    "Engine",
    "cleanup",
    "is_worked_on",
    "new_run",
    "provision",
    "request_cancel",
    "resume",
    "serve",
    "start_worker",
]

CROCKFORD = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"


def new_run(spec: Spec) -> Run:
    """A run with a fresh id: a ULID (48 bits of milliseconds, 80 of chance), so that ids sort by time."""
    number = (time.time_ns() // 1_000_000 << 80) | secrets.randbits(80)
    run_id = "".join(CROCKFORD[number >> shift & 31] for shift in range(125, -1, -5))
    return Run(run_id, spec, now(), __version__)


async def provision(settings: Settings, run: Run, on_event: OnEvent, **doubles: Any) -> Outcome:
    """Start a run and follow it to its end; cancelled, it parks the run.

    Raises:
        VhdliftError: the database cannot be used. What fails in the run itself is in the outcome.
    """
    async with Engine.open(settings, **doubles) as engine:
        return await _to_its_end(engine, run.id, engine.start(run), on_event)


async def resume(settings: Settings, run_id: str, on_event: OnEvent, **doubles: Any) -> Outcome:
    """Take up a run that an interrupted process left, and follow it to its end; cancelled, it parks the run.

    Raises:
        VhdliftError: there is no such run, or another process is working on it.
    """
    row = _find(settings, run_id)
    async with Engine.open(_of_its_subscription(settings, row), **doubles) as engine:
        return await _to_its_end(engine, row.id, engine.start(row.run), on_event)


async def cleanup(settings: Settings, run_id: str, on_event: OnEvent, **doubles: Any) -> Outcome:
    """Undo the whole plan of a run, whatever state it is in, and ask the cloud what is left.

    Cancelled, it parks the run: no worker goes on with what its user has stopped.

    Raises:
        VhdliftError: there is no such run, or another process is working on it.
    """
    row = _find(settings, run_id)
    async with Engine.open(_of_its_subscription(settings, row), **doubles) as engine:
        return await _to_its_end(engine, row.id, engine.start_cleanup(row), on_event)


def request_cancel(settings: Settings, run_id: str) -> RunRow:
    """Ask the process that works on the run to stop and undo it; returns the run."""
    row = _find(settings, run_id)
    store = Store.open(settings)
    try:
        store.request_cancel(row.id)
    finally:
        store.close()
    return row


def is_worked_on(settings: Settings, row: RunRow) -> bool:
    """Whether a process works on the run now.

    Raises:
        VhdliftError: the database server cannot be reached.
    """
    with right_to_work.opened(settings) as locks:
        return row.id in locks.taken([row.id])


def start_worker(settings: Settings, run: Run) -> None:
    """Enter the run and leave it to a process that outlives this one; secrets go by its environment.

    Raises:
        VhdliftError: the process cannot be started; no other takes the run up.
    """
    from vhdlift.settings import child_environment  # noqa: PLC0415
    from vhdlift.steps import PROVISION  # noqa: PLC0415

    folder, store = settings.state_dir / "logs", Store.open(settings)
    try:
        folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        with (folder / f"{run.id}.log").open("ab") as log:
            store.add_run(run, frozen(PROVISION))
            subprocess.Popen(  # noqa: S603 - our own module
                [sys.executable, "-m", "vhdlift.engine.worker", run.id],
                env={**os.environ, **child_environment(settings)},
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                start_new_session=True,
            )
    except OSError as problem:
        # Else a worker would begin what the user is told has not begun.
        store.park(run.id)
        sentence = f"No process could be started in the background: {problem.strerror}."
        raise VhdliftError(sentence, f"Nothing was made. Look at {folder}, and start again.") from None
    finally:
        store.close()


async def _to_its_end(engine: Engine, run_id: str, begin: Awaitable[None], on_event: OnEvent) -> Outcome:
    try:
        await begin
        return await engine.follow(run_id, on_event)
    except asyncio.CancelledError:
        # One that another process works on is that one's to park.
        if run_id in engine.jobs or not await asyncio.to_thread(engine.locks.taken, [run_id]):
            await engine.park(run_id)
        raise


def _of_its_subscription(settings: Settings, row: RunRow) -> Settings:
    """The settings; a subscription that they do not name is the run's, as when it was read from an id."""
    if settings.subscription_id is not None:
        return settings
    return settings.model_copy(update={"subscription_id": row.run.spec.subscription_id})


def _find(settings: Settings, run_id: str) -> RunRow:
    store = Store.open(settings)
    try:
        return store.find(run_id)
    finally:
        store.close()
