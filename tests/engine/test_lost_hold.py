"""A run that cannot go on for a reason of ours: it is neither undone nor forgotten."""

from __future__ import annotations

import asyncio
import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa

from tests.engine.conftest import settings_in
from tests.engine.doubles import Cloud, Fake, play, run_of
from tests.engine.test_ending import forever, resume, until
from tests.receiver import receiving
from vhdlift.engine.database import DatabaseLost
from vhdlift.engine.engine import Engine
from vhdlift.errors import SignInNeeded
from vhdlift.model import Run
from vhdlift.settings import Settings
from vhdlift.steps.base import Context


class FullDisk:
    """Refuses writes to a database while it is full."""

    def __init__(
        self, says: str = "disk is full", refused: tuple[str, ...] = ("INSERT", "UPDATE", "DELETE")
    ) -> None:
        self.full = False
        self._says = says
        self._refused = refused

    def make_room(self) -> None:
        self.full = False

    @contextmanager
    def of(self, engine: sa.Engine) -> Iterator[None]:
        """The disk that this database is on."""
        sa.event.listen(engine, "before_cursor_execute", self._refuse)
        yield
        sa.event.remove(engine, "before_cursor_execute", self._refuse)

    def _refuse(self, _connection: Any, _cursor: Any, statement: str, *_: Any) -> None:
        if self.full and statement.strip().upper().startswith(self._refused):
            raise sa.exc.OperationalError(statement, None, sqlite3.OperationalError(self._says))


async def test_a_disk_that_is_full_for_a_while_undoes_nothing(tmp_path: Path, cloud: Cloud) -> None:
    """Whoever writes just then: the step, the run, or what carries both."""
    disk, run = FullDisk(), run_of()

    async def fill(_c: Context) -> dict[str, Any]:
        disk.full = True
        asyncio.get_running_loop().call_later(2, disk.make_room)
        return {}

    steps = Fake(cloud, "a", do=fill), Fake(cloud, "b", "a")
    opened = Engine.open(
        settings_in(tmp_path), steps=steps, open_clients=cloud.clients, inventory=cloud.inventory
    )
    async with opened as engine:
        with disk.of(engine.store.engine):
            await engine.start(run)
            async with asyncio.timeout(90):
                outcome = await engine.follow(run.id, lambda _event: None)
    assert outcome.status == "completed"
    assert [line for line in cloud.log if line.startswith("undo")] == []


async def parked(settings: Settings, cloud: Cloud) -> Run:
    """A run that its user interrupted."""
    run = run_of()
    playing = asyncio.create_task(play(settings, cloud, Fake(cloud, "slow", do=forever), run=run))
    await until(lambda: cloud.things)
    playing.cancel()
    with pytest.raises(asyncio.CancelledError):
        await playing
    return run


@pytest.mark.slow
async def test_a_run_that_lost_its_database_goes_on_when_it_is_back(tmp_path: Path, cloud: Cloud) -> None:
    """It is broken off where it is, and taken up once more: nothing is undone."""
    lost = [True]

    async def lose(_c: Context) -> dict[str, Any]:
        if lost.pop():
            lost.append(False)
            raise DatabaseLost("The run database cannot be used: it is read-only.")
        return {}

    outcome = await play(settings_in(tmp_path), cloud, Fake(cloud, "a"), Fake(cloud, "b", "a", do=lose))
    assert (outcome.status, cloud.log) == ("completed", ["do a", "do b"])


@pytest.mark.slow
async def test_posts_that_lost_their_database_go_on_when_it_is_back(tmp_path: Path, cloud: Cloud) -> None:
    """Of a run that is over too; the process that has it is not kept for ever."""
    disk, run = FullDisk("attempt to write a readonly database", ("UPDATE VHDLIFT_EVENTS",)), run_of()
    with receiving() as receiver:
        settings = settings_in(tmp_path, VHDLIFT_WEBHOOK_URL=receiver.url)
        opened = Engine.open(
            settings, steps=(Fake(cloud, "a"),), open_clients=cloud.clients, inventory=cloud.inventory
        )
        async with opened as engine:
            with disk.of(engine.store.engine):
                disk.full = True
                await engine.start(run)
                await engine.follow(run.id, lambda _event: None)
                disk.full = False
                async with asyncio.timeout(60):
                    while run.id in engine.jobs:  # noqa: ASYNC110 - the keeper lets go of it
                        await asyncio.sleep(0.1)
            assert engine.store.unposted(run.id) == []


async def test_without_a_credential_a_run_is_not_gone_on_with(tmp_path: Path, cloud: Cloud) -> None:
    """It would fail, and be undone as far as that goes without one."""
    settings = settings_in(tmp_path)
    run = await parked(settings, cloud)
    cloud.refused = SignInNeeded("signing in to Azure: the secret has expired")
    with pytest.raises(SignInNeeded):
        await resume(settings, cloud, run.id, Fake(cloud, "slow"))
    cloud.refused = None
    assert (await resume(settings, cloud, run.id, Fake(cloud, "slow"))).status == "completed"


async def test_a_run_of_a_subscription_that_is_not_set_is_gone_on_with(tmp_path: Path, cloud: Cloud) -> None:
    """It was read from the id of the source VM, which only the first command was given."""
    settings = settings_in(tmp_path)
    run = await parked(settings, cloud)
    later = settings.model_copy(update={"subscription_id": None})
    assert (await resume(later, cloud, run.id, Fake(cloud, "slow"))).status == "completed"
