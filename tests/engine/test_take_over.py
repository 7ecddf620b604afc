"""Several processes share a PostgreSQL database: none works beside another, and none is needed for long."""

from __future__ import annotations

import asyncio
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa

from tests.engine.conftest import settings_in
from tests.engine.doubles import Cloud, Fake, play, run_of
from tests.engine.test_ending import until
from tests.engine.test_resume import lines
from tests.engine.victim import RUN
from tests.postgres import Postgres
from vhdlift.engine import locks
from vhdlift.engine.advisory import key_of
from vhdlift.engine.store import Store
from vhdlift.errors import VhdliftError
from vhdlift.settings import Settings
from vhdlift.steps.base import Context

LOCK = sa.text("select pg_advisory_lock(:key)")


@pytest.fixture
def shared(server: Postgres, tmp_path: Path) -> Settings:
    """Settings with an empty database of the server."""
    return settings_in(tmp_path, VHDLIFT_DATABASE_URL=server.fresh())


@contextmanager
def process(settings: Settings, folder: Path, wait_in: str) -> Iterator[subprocess.Popen[bytes]]:
    """A process of the victim module with this database."""
    assert settings.database_url is not None
    env = {**os.environ, "VHDLIFT_DATABASE_URL": settings.database_url.get_secret_value()}
    with subprocess.Popen(
        [sys.executable, "-m", "tests.engine.victim", str(folder), wait_in, ""], env=env
    ) as started:
        try:
            yield started
        finally:
            with suppress(ProcessLookupError):
                started.kill()


def wait_until(condition: Callable[[], Any], seconds: float) -> float:
    """Wait for the condition; returns how long that took."""
    began = time.monotonic()
    while not condition():
        assert time.monotonic() - began < seconds
        time.sleep(0.05)
    return time.monotonic() - began


@pytest.mark.slow
def test_a_worker_takes_over_the_runs_of_one_that_died_within_a_minute(
    shared: Settings, tmp_path: Path
) -> None:
    """Nobody helps; and nothing that was done is done again."""
    store = Store.open(shared)
    with process(shared, tmp_path, "do c") as dying, process(shared, tmp_path, "serve"):
        wait_until(lambda: "begin c" in lines(tmp_path), 60)
        dying.send_signal(signal.SIGKILL)
        dying.wait()
        took = wait_until(lambda: store.find(RUN.id).ended_at, 60)
    assert took < 60
    assert store.find(RUN.id).status == "completed"
    assert [lines(tmp_path).count(f"do {name}") for name in "abxc"] == [1, 1, 1, 1]
    store.close()


async def test_a_run_outlives_the_loss_of_all_its_connections(
    shared: Settings, server: Postgres, cloud: Cloud
) -> None:
    """The step under way is broken off and done again; nothing is undone, nothing is told twice."""
    begun = 0

    async def slow(_c: Context) -> dict[str, Any]:
        nonlocal begun
        begun += 1
        if begun == 1:
            await asyncio.Event().wait()
        return {}

    run, steps = run_of(), (Fake(cloud, "a"), Fake(cloud, "slow", "a", do=slow))
    playing = asyncio.create_task(play(shared, cloud, *steps, run=run))
    await until(lambda: begun)
    await asyncio.to_thread(server.end_sessions, shared)
    outcome = await playing
    assert (outcome.status, cloud.log, begun) == ("completed", ["do a", "do slow"], 2)
    store = Store.open(shared)
    told = [(event.step, event.state) for event in store.events(run.id)]
    store.close()
    assert told == [("a", "started"), ("a", "done"), ("slow", "started"), ("slow", "done")]


async def test_who_lost_its_lock_to_another_process_stops_working(
    shared: Settings, server: Postgres, cloud: Cloud
) -> None:
    """Two processes in one run would make two of everything."""
    under_way = False

    async def slow(_c: Context) -> dict[str, Any]:
        nonlocal under_way
        under_way = True
        try:
            await asyncio.Event().wait()
        finally:
            under_way = False
        return {}

    run = run_of()
    playing = asyncio.create_task(play(shared, cloud, Fake(cloud, "slow", do=slow), run=run))
    await until(lambda: under_way)
    with server.session(shared) as other:
        waiting = asyncio.create_task(asyncio.to_thread(other.execute, LOCK, {"key": key_of(run.id)}))
        await until(lambda: server.waits_for_a_lock(shared))
        server.end_holders_of_locks(shared)
        await waiting
        with pytest.raises(VhdliftError, match="Another process has taken over"):
            await playing
    assert not under_way
    assert cloud.log == []


def test_who_asks_for_a_lock_after_the_end_gets_none_and_opens_no_session(shared: Settings) -> None:
    """A look that is late by a moment would leave a session, and with it a lock, to a process that ends."""
    with locks.opened(shared) as ours:
        assert ours.take(RUN.id)
    with pytest.raises(VhdliftError, match="does not answer"):
        ours.take(RUN.id)
    with locks.opened(shared) as others:
        assert others.taken([RUN.id]) == set()
