"""Commands that come at a bad moment: too early, twice, after a crash."""

from __future__ import annotations

import asyncio
import fcntl
import threading
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

from tests.engine.conftest import settings_in
from tests.engine.doubles import Cloud, Fake, play, run_of
from tests.engine.test_ending import forever, resume, until
from tests.receiver import receiving
from vhdlift.engine import api
from vhdlift.engine.assembly import frozen
from vhdlift.engine.database import connect
from vhdlift.engine.store import Outcome, Store
from vhdlift.errors import Leftover, VhdliftError
from vhdlift.model import Run
from vhdlift.settings import Settings
from vhdlift.steps.base import Context


def entered(settings: Settings, *steps: Fake) -> Run:
    """A run that is in the database and was never started."""
    run, store = run_of(), Store.open(settings)
    store.add_run(run, frozen(steps))
    store.close()
    return run


async def clean_up(settings: Settings, cloud: Cloud, run_id: str, *steps: Fake) -> Outcome:
    doubles = {"steps": steps, "open_clients": cloud.clients, "inventory": cloud.inventory}
    return await asyncio.wait_for(api.cleanup(settings, run_id, lambda _event: None, **doubles), 90)


async def test_a_run_that_was_cleaned_up_before_it_began_never_begins(tmp_path: Path, cloud: Cloud) -> None:
    """Its worker comes too late, and must not make things after everybody was told that all is gone."""
    # With posts to wait for, the worker stays long enough to begin.
    settings = settings_in(tmp_path, VHDLIFT_WEBHOOK_URL="http://127.0.0.1:1/hook")
    step = Fake(cloud, "a")
    run = entered(settings, step)
    await clean_up(settings, cloud, run.id, step)
    outcome = await resume(settings, cloud, run.id, step)
    assert (outcome.status, cloud.log) == ("cancelled", ["undo a"])


async def test_a_clean_up_that_was_broken_off_at_once_can_be_repeated(
    settings: Settings, cloud: Cloud
) -> None:
    async def never(_c: Context) -> Sequence[Leftover]:
        await asyncio.Event().wait()
        return []

    run = entered(settings, Fake(cloud, "a"))
    cleaning = asyncio.create_task(clean_up(settings, cloud, run.id, Fake(cloud, "a", undo=never)))
    await until(lambda: cloud.log)
    cleaning.cancel()
    with pytest.raises(asyncio.CancelledError):
        await cleaning
    outcome = await clean_up(settings, cloud, run.id, Fake(cloud, "a"))
    assert outcome.status == "cancelled"


async def test_a_run_that_its_user_cancels_is_undone_even_if_a_failed_one_is_kept(
    settings: Settings, cloud: Cloud
) -> None:
    run = run_of(on_failure="keep")
    playing = asyncio.create_task(play(settings, cloud, Fake(cloud, "slow", do=forever), run=run))
    await until(lambda: cloud.things)
    api.request_cancel(settings, run.id)
    outcome = await playing
    assert (outcome.status, outcome.kept, cloud.things) == ("cancelled", (), set())


async def test_a_receiver_that_wants_nothing_is_not_waited_for(tmp_path: Path, cloud: Cloud) -> None:
    """A minute at the end is for posts on their way, not for those that were given up."""
    with receiving() as receiver:
        receiver.statuses = [410] * 2
        settings = settings_in(tmp_path, VHDLIFT_WEBHOOK_URL=receiver.url, VHDLIFT_TIME_SCALE="1")
        outcome = await asyncio.wait_for(play(settings, cloud, Fake(cloud, "a")), 45)
    assert (outcome.status, outcome.undelivered) == ("completed", 2)


@pytest.mark.parametrize("problem", [VhdliftError("No room."), KeyError("subject")])
async def test_a_step_that_may_fail_never_fails_the_run(
    settings: Settings, cloud: Cloud, problem: Exception
) -> None:
    """A fault in telling about a finished artefact must not remove the artefact."""

    async def fail(_c: Context) -> dict[str, Any]:
        raise problem

    mail = Fake(cloud, "mail", "a", do=fail)
    mail.may_fail = True
    outcome = await play(settings, cloud, Fake(cloud, "a"), mail)
    assert (outcome.status, [line for line in cloud.log if "undo" in line]) == ("completed", [])


async def test_a_look_at_who_works_on_a_run_keeps_nobody_from_it(settings: Settings, cloud: Cloud) -> None:
    """Whoever looks holds the lock for a moment, in which a worker may just begin."""
    run = run_of()
    locks = settings.state_dir / "locks"
    locks.mkdir(parents=True)
    with (locks / f"{run.id}.lock").open("a+") as looking:
        fcntl.flock(looking, fcntl.LOCK_EX)
        threading.Timer(0.15, fcntl.flock, (looking.fileno(), fcntl.LOCK_UN)).start()
        outcome = await play(settings, cloud, Fake(cloud, "a"), run=run)
    assert outcome.status == "completed"


@pytest.mark.parametrize("scheme", ["postgres", "postgresql", "postgresql+psycopg"])
def test_every_spelling_of_postgres_that_settings_take_is_understood(scheme: str) -> None:
    assert connect(f"{scheme}://me:secret@db.example.org/runs").url.drivername == "postgresql+psycopg"
