"""The commands that read the run database: runs, show, watch; and what cancel and cleanup refuse."""

from __future__ import annotations

import fcntl
import json
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from pydantic import SecretStr

from tests.cli.conftest import PLAN, Command, tell
from vhdlift.cli.stored import warn_of_posts
from vhdlift.engine.store import Outcome, Store
from vhdlift.errors import Leftover
from vhdlift.model import Run
from vhdlift.settings import Settings

LEFT = Leftover(
    "/subscriptions/s/snap", "It is locked (ScopeLocked)", "az snapshot delete --ids /subscriptions/s/snap"
)
DONE = Outcome("completed", facts={"address": "192.0.2.1"})
FAILED = Outcome("failed", "second", "No quota.", leftovers=(LEFT,))


@contextmanager
def worked_on(state_dir: Path, run: Run) -> Iterator[None]:
    """As if a process worked on the run."""
    (state_dir / "locks").mkdir(exist_ok=True)
    with (state_dir / "locks" / f"{run.id}.lock").open("a+") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield


def until_asked_to_cancel(store: Store, run: Run) -> None:
    """Wait until somebody has asked to cancel the run."""
    while not store.standing([run.id])[run.id].cancel_requested:
        pass


def test_no_runs_yet(vhdlift: Command) -> None:
    """An empty database is no error, and says what to do first."""
    told = vhdlift("runs")
    assert (told.code, told.out) == (0, "")
    assert "vhdlift rehearse" in told.err


def test_runs_lists_them(vhdlift: Command, stored: Run, store: Store) -> None:
    """A line for each run, with its id, its status and its VM."""
    store.end_run(stored.id, DONE)
    head, line = vhdlift("runs").out.splitlines()
    assert head.split() == ["run", "status", "vm", "started", "took"]
    assert line.split()[:3] == [stored.id, "completed", "lab1"]


def test_a_run_that_nobody_works_on_is_interrupted(vhdlift: Command, stored: Run, state_dir: Path) -> None:
    """Whether a process holds the run decides between provisioning and interrupted."""
    assert vhdlift("runs").out.splitlines()[1].split()[1] == "interrupted"
    with worked_on(state_dir, stored):
        assert vhdlift("runs").out.splitlines()[1].split()[1] == "provisioning"


def test_a_place_for_locks_that_cannot_be_used_is_a_sentence(
    vhdlift: Command, stored: Run, state_dir: Path
) -> None:
    """Whether somebody works on a run cannot be known then, and that is no crash."""
    (state_dir / "locks").write_text("")
    told = vhdlift("runs")
    assert (told.code, told.out) == (1, "")
    assert f"The run database at {state_dir} cannot be opened: File exists." in told.err


def test_runs_as_json(vhdlift: Command, stored: Run) -> None:
    """One object a run."""
    only = json.loads(vhdlift("runs", "--json").out)
    assert (only["type"], only["run_id"], only["source_vm"]) == ("run", stored.id, "old-pc")


def test_show_takes_the_beginning_of_an_id(vhdlift: Command, stored: Run, store: Store) -> None:
    """All about a run: steps with their times, facts, leftovers with commands, posts that nobody took."""
    store.end_run(stored.id, FAILED)
    store.mark_delivery(stored.id, 1, "gave up", "answered 410")
    told = vhdlift("show", stored.id[:12].lower())
    assert told.code == 0
    for text in (
        stored.id,
        "failed in",
        "No quota.",
        "running   second",
        "192.0.2.1",
        *vars(LEFT).values(),
        "first started: answered 410",
        "second started: waits for those before it",
    ):
        assert text in told.out


def test_show_as_json(vhdlift: Command, stored: Run) -> None:
    """The same as data."""
    result = json.loads(vhdlift("show", stored.id, "--json").out)
    assert [(step["step"], step["state"]) for step in result["steps"]] == [
        ("first", "done"),
        ("second", "running"),
    ]
    assert result["facts"] == {"address": "192.0.2.1"}


def test_an_unknown_run_is_refused(vhdlift: Command, stored: Run) -> None:
    """A run that does not exist is said so, with the command that lists them."""
    told = vhdlift("show", "ZZZ")
    assert (told.code, told.out) == (1, "")
    assert "`vhdlift runs`" in told.err


@pytest.mark.parametrize(("outcome", "code"), [(DONE, 0), (FAILED, 3)])
def test_watch_ends_with_the_exit_code_of_the_run(
    vhdlift: Command, stored: Run, store: Store, outcome: Outcome, code: int
) -> None:
    """`watch` shows what has happened so far, and ends as the run does."""
    store.end_run(stored.id, outcome)
    told = vhdlift("watch", stored.id)
    assert told.code == code
    states = [line.split()[1:3] for line in told.out.splitlines()[:3]]
    assert states == [["started", "first"], ["done", "first"], ["started", "second"]]


def test_watch_shows_events_as_they_come(
    vhdlift: Command, stored: Run, store: Store, state_dir: Path
) -> None:
    """An event that is stored while `watch` runs is shown, and the end is noticed."""

    def go_on() -> None:
        tell(store, stored, "second", "done")
        store.end_run(stored.id, DONE)

    with worked_on(state_dir, stored):
        later = threading.Timer(1.0, go_on)
        later.start()
        told = vhdlift("watch", stored.id, "--json")
        later.join()
    *events, result = [json.loads(line) for line in told.out.splitlines()]
    assert (events[-1]["step"], events[-1]["state"], result["status"]) == ("second", "done", "completed")


def test_watch_does_not_wait_for_nobody(vhdlift: Command, stored: Run) -> None:
    """When no process works on the run, `watch` says so and names both ways on."""
    told = vhdlift("watch", stored.id)
    assert told.code == 130
    assert f"`vhdlift resume {stored.id}`" in told.err


def test_watch_waits_for_the_process_of_a_run_that_has_just_started(
    vhdlift: Command, run: Run, store: Store
) -> None:
    """A process in the background takes seconds until it works on its run: that is no interruption."""
    store.add_run(run, PLAN)
    later = threading.Timer(4.0, store.end_run, (run.id, DONE))
    later.start()
    told = vhdlift("watch", run.id)
    later.join()
    assert told.code == 0


@pytest.mark.parametrize(
    ("command", "number", "becomes"),
    [
        ("watch", signal.SIGINT, "The run goes on."),
        ("watch", signal.SIGTERM, "The run goes on."),
        ("cancel", signal.SIGINT, "The run is being undone. `vhdlift watch"),
    ],
)
def test_a_signal_ends_the_watching_only(
    environment: dict[str, str],
    stored: Run,
    store: Store,
    state_dir: Path,
    command: str,
    number: signal.Signals,
    becomes: str,
) -> None:
    """Ctrl-C, or a pipeline's SIGTERM, ends it with 130, and what becomes of the run is said."""
    with worked_on(state_dir, stored):
        process = subprocess.Popen(
            [sys.executable, "-m", "vhdlift", command, stored.id],
            env=environment,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        assert process.stdout is not None
        if command == "cancel":  # which tells only news
            until_asked_to_cancel(store, stored)
            tell(store, stored, "first", "undone")
        assert "first" in process.stdout.readline()
        process.send_signal(number)
        _, err = process.communicate(timeout=30)
    assert process.returncode == 130
    assert "Traceback" not in err
    assert becomes in err


def test_who_goes_on_without_the_webhook_of_a_run_is_warned(
    settings: Settings, stored: Run, store: Store, capsys: pytest.CaptureFixture[str]
) -> None:
    """Posts that wait for an address are not forgotten in silence; a run that never posted needs none."""
    told = SecretStr("https://example.org/hooks")
    warn_of_posts(settings, store, store.find(stored.id))
    store.mark_delivery(stored.id, 1, "sent")
    warn_of_posts(settings.model_copy(update={"webhook_url": told}), store, store.find(stored.id))
    assert capsys.readouterr().err == ""
    warn_of_posts(settings, store, store.find(stored.id))
    assert "its posts wait until --webhook-url or VHDLIFT_WEBHOOK_URL is given" in capsys.readouterr().err


def test_a_run_that_has_ended_cannot_be_cancelled(vhdlift: Command, stored: Run, store: Store) -> None:
    """`cancel` of a run that is over is a usage error that names `cleanup`."""
    store.end_run(stored.id, DONE)
    told = vhdlift("cancel", stored.id)
    assert (told.code, told.out) == (2, "")
    assert "vhdlift cleanup" in told.err


def test_cancel_asks_the_process_that_works_on_the_run(
    vhdlift: Command, stored: Run, store: Store, state_dir: Path
) -> None:
    """`cancel` leaves the undoing to whoever works on the run, and succeeds when nothing is left."""

    def undo_when_asked() -> None:
        until_asked_to_cancel(store, stored)
        store.end_run(stored.id, Outcome("cancelled", reason="The run was cancelled."))

    with worked_on(state_dir, stored):
        undoing = threading.Thread(target=undo_when_asked)
        undoing.start()
        told = vhdlift("cancel", stored.id)
        undoing.join()
    assert told.code == 0
    assert "is gone" in told.err
