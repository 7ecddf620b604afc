"""What a worker takes up, and what it leaves alone."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, suppress
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa

from tests.engine.conftest import settings_in
from tests.engine.doubles import Cloud, Fake, play, run_of
from tests.engine.test_bad_moments import entered
from tests.engine.test_dead_runs import Nameless
from tests.engine.test_ending import forever, until
from tests.receiver import receiving
from vhdlift.engine import api, given_back
from vhdlift.engine.database import DatabaseLost
from vhdlift.engine.engine import Engine
from vhdlift.engine.store import Store
from vhdlift.errors import Leftover, VhdliftError
from vhdlift.model import Run
from vhdlift.settings import Settings
from vhdlift.steps.base import Context

ELSEWHERE = "00000000-0000-0000-0000-000000000002"


@pytest.fixture
def own(tmp_path: Path) -> Settings:
    """Settings of a worker that could take up anything: a password, and a webhook that nobody answers."""
    more = {"VHDLIFT_ADMIN_PASSWORD": "Correct-Horse-9-Battery"}
    return settings_in(tmp_path, VHDLIFT_WEBHOOK_URL="http://127.0.0.1:1/hook", **more)


@asynccontextmanager
async def at_work(
    settings: Settings, cloud: Cloud, *steps: Fake, on_taken: Callable[[Run], None] = lambda _run: None
) -> AsyncIterator[None]:
    """A worker that knows these steps."""
    serving = asyncio.create_task(
        api.serve(
            settings,
            on_taken=on_taken,
            steps=steps,
            open_clients=cloud.clients,
            inventory=cloud.inventory,
        )
    )
    try:
        yield
    finally:
        serving.cancel()
        with suppress(asyncio.CancelledError):
            await serving


async def taken_with(settings: Settings, cloud: Cloud, *left: Run) -> list[str]:
    """The runs that a worker takes up: these, if it wants them, and one that it has to."""
    steps = Fake(cloud, "a", do=forever, first=True), Fake(cloud, "wanted", do=forever)
    wanted, store = entered(settings, steps[1]), Store.open(settings)
    taken: list[str] = []
    async with at_work(settings, cloud, *steps, on_taken=lambda run: taken.append(run.id)):
        # Its step and its posts have begun, so that nothing is cut off that DBOS is just about to start.
        await until(lambda: "/wanted" in cloud.things and store.undelivered(wanted.id))
        store.close()
    # The wanted one is the youngest, so those before it have had their turn.
    assert all(run.id < wanted.id for run in left)
    return [run_id for run_id in taken if run_id != wanted.id]


async def test_a_parked_run_waits_for_its_user_also_when_its_posts_wait(own: Settings, cloud: Cloud) -> None:
    parked = run_of()
    playing = asyncio.create_task(play(own, cloud, Fake(cloud, "a", do=forever), run=parked))
    await until(lambda: cloud.things)
    playing.cancel()
    with suppress(asyncio.CancelledError):
        await playing
    assert await taken_with(own, cloud, parked) == []


async def test_a_run_of_another_subscription_is_left_alone(own: Settings, cloud: Cloud) -> None:
    """The same names may be there too, and be somebody else's."""
    other = run_of(subscription_id=ELSEWHERE)
    enter(own, other)
    assert await taken_with(own, cloud, other) == []
    assert "undo a" not in cloud.log


async def test_a_run_whose_password_only_its_user_knows_is_left_alone_before_its_vm(
    own: Settings, cloud: Cloud
) -> None:
    """But what comes first, the source VM, is given back."""
    before, after = run_of(own_password=True), run_of(own_password=True)
    for run in (before, after):
        enter(own, run)
    store = Store.open(own)
    store.add_facts(after.id, "vm_created", {"vm_id": "/vm"})
    store.close()
    assert await taken_with(own, cloud, before, after) == [after.id]
    assert cloud.log.count("undo a") == 1


async def test_a_source_vm_that_could_not_be_given_back_is_tried_again(own: Settings, cloud: Cloud) -> None:
    left, answers = run_of(own_password=True), [[Leftover("/old", "Azure has no room", "az vm start")], []]

    async def undo(_c: Context) -> list[Leftover]:
        return answers.pop(0)

    enter(own, left)
    async with at_work(own, cloud, Fake(cloud, "a", first=True, undo=undo)):
        await until(lambda: cloud.log.count("undo a") == 2)


async def test_a_source_vm_is_given_back_again_when_its_run_went_on_and_was_left_once_more(
    own: Settings, cloud: Cloud
) -> None:
    left, store = run_of(own_password=True), Store.open(own)
    enter(own, left)
    for _ in range(2):
        async with at_work(own, cloud, Fake(cloud, "a", first=True)):
            await until(lambda: given_back.is_noted(store, left.id, "a"))
        steps = (Fake(cloud, "a", first=True, do=forever),)
        opened = Engine.open(own, steps=steps, open_clients=cloud.clients, inventory=cloud.inventory)
        async with opened as engine:
            cloud.things.clear()
            await engine.start(left)
            await until(lambda: cloud.things)
    assert cloud.log.count("undo a") == 2
    store.close()


async def test_a_database_that_is_away_during_a_give_back_ends_no_worker(own: Settings, cloud: Cloud) -> None:
    left, answers = run_of(own_password=True), [DatabaseLost("The run database is away.")]

    async def undo(_c: Context) -> list[Leftover]:
        while answers:
            raise answers.pop()
        return []

    enter(own, left)
    async with at_work(own, cloud, Fake(cloud, "a", first=True, undo=undo)):
        await until(lambda: cloud.log.count("undo a") == 2)


async def test_what_was_given_back_is_its_owners_for_every_later_worker(own: Settings, cloud: Cloud) -> None:
    """They may have turned it off since."""
    left = run_of(own_password=True)
    enter(own, left)
    async with at_work(own, cloud, Fake(cloud, "a", first=True)):
        store = Store.open(own)
        await until(lambda: given_back.is_noted(store, left.id, "a"))
        store.close()
    assert left.id not in await taken_with(own, cloud, left)
    assert cloud.log.count("undo a") == 1


async def test_an_undo_needs_no_password_and_is_taken_up(own: Settings, cloud: Cloud) -> None:
    """The command that began it was killed before the VM was there."""
    left, hanging = run_of(own_password=True), asyncio.Event()

    async def hang(_c: Context) -> list[Leftover]:
        hanging.set()
        await asyncio.Event().wait()
        return []

    async def fail(_c: Context) -> dict[str, Any]:
        raise VhdliftError("There is no such size.")

    first = Fake(cloud, "a", undo=hang), Fake(cloud, "b", "a", do=fail)
    opened = Engine.open(own, steps=first, open_clients=cloud.clients, inventory=cloud.inventory)
    async with opened as engine:
        await engine.start(left)
        await hanging.wait()
    async with at_work(own, cloud, Fake(cloud, "a"), Fake(cloud, "b", "a")):
        await until(lambda: cloud.things == set())


@pytest.mark.parametrize("is_command", [False, True])
async def test_who_ends_while_it_takes_up_a_run_parks_it_only_as_its_users_command(
    is_command: bool, own: Settings, cloud: Cloud
) -> None:
    """A worker that is restarted leaves it to the next one."""
    left, began, goes_on = run_of(), threading.Event(), threading.Event()
    enter(own, left)

    def hold(_db: Any, _cursor: Any, statement: str, *_: Any) -> None:
        if statement.upper().startswith("INSERT INTO VHDLIFT_NOTES"):
            began.set()
            goes_on.wait(30)
            # DBOS does not bear to be ended in the moment in which it begins with what it was just given.
            raise RuntimeError("not begun")

    doubles: dict[str, Any] = {"steps": (Fake(cloud, "a", do=forever),), "open_clients": cloud.clients}
    sa.event.listen(sa.Engine, "before_cursor_execute", hold)
    try:
        command = api.resume(own, left.id, lambda _event: None, inventory=cloud.inventory, **doubles)
        worker = api.serve(own, inventory=cloud.inventory, **doubles)
        (unused, work) = (worker, command) if is_command else (command, worker)
        unused.close()
        working = asyncio.create_task(work)
        await until(began.is_set)
        working.cancel()
        goes_on.set()
        with suppress(asyncio.CancelledError):
            await working
    finally:
        sa.event.remove(sa.Engine, "before_cursor_execute", hold)
    store = Store.open(own)
    assert store.to_take_up() == ([] if is_command else [left.id])
    store.close()


async def test_a_run_that_died_of_a_fault_of_ours_is_taken_up_for_its_posts_alone(
    own: Settings, cloud: Cloud
) -> None:
    """Nobody may be there to resume it when its receiver is back; its source VM has been given back."""
    broken = run_of()
    with pytest.raises(VhdliftError, match="stopped working on run"):
        await play(own, cloud, Nameless(cloud, "a", first=True), run=broken)
    taken: list[str] = []
    with receiving() as receiver:
        later = settings_in(own.state_dir.parent, VHDLIFT_WEBHOOK_URL=receiver.url)
        steps = (Nameless(cloud, "a", first=True),)
        async with at_work(later, cloud, *steps, on_taken=lambda run: taken.append(run.id)):
            await until(lambda: [body["status"] for body in receiver.bodies()] == ["failed"])
    assert (taken, cloud.log) == ([broken.id], ["undo a"])


async def test_a_run_whose_own_process_cannot_be_started_does_not_begin(own: Settings) -> None:
    """It needs a place for what it says."""
    own.state_dir.mkdir()
    (own.state_dir / "logs").write_text("in the way")
    with pytest.raises(VhdliftError, match="No process could be started in the background: File exists"):
        api.start_worker(own, run_of())
    store = Store.open(own)
    assert store.to_take_up() == []
    store.close()


async def test_no_command_works_on_a_run_of_another_subscription(own: Settings, cloud: Cloud) -> None:
    with pytest.raises(VhdliftError, match="another subscription") as caught:
        await play(own, cloud, Fake(cloud, "a"), run=run_of(subscription_id=ELSEWHERE))
    assert caught.value.hint == f"Set AZURE_SUBSCRIPTION_ID={ELSEWHERE}."
    assert cloud.log == []


def enter(settings: Settings, run: Run) -> None:
    """Put a run into the database as a command that was killed at once leaves it."""
    store = Store.open(settings)
    store.add_run(run, [{"name": "a", "needs": []}])
    store.close()
