"""A killed process loses nothing: the next one goes on where it was."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from tests.engine.conftest import settings_in
from tests.engine.victim import RUN
from vhdlift.engine.store import Store
from vhdlift.model import Event


def victim(folder: Path, wait_in: str = "", fail_in: str = "") -> subprocess.Popen[bytes]:
    return subprocess.Popen([sys.executable, "-m", "tests.engine.victim", str(folder), wait_in, fail_in])


def lines(folder: Path) -> list[str]:
    log = folder / "log"
    return log.read_text().splitlines() if log.exists() else []


def killed_in(folder: Path, moment: str, fail_in: str = "") -> None:
    """Run the victim until it is inside this moment, then kill it as the kernel would."""
    process = victim(folder, moment, fail_in)
    begin = "begin " + moment.removeprefix("do ")
    deadline = time.monotonic() + 120
    while begin not in lines(folder):
        assert process.poll() is None
        assert time.monotonic() < deadline
        time.sleep(0.02)
    os.kill(process.pid, signal.SIGKILL)
    process.wait()


def finished(folder: Path, fail_in: str = "") -> list[Event]:
    """Let another process take the run up, and return all its events."""
    assert victim(folder, fail_in=fail_in).wait(180) == 0
    store = Store.open(settings_in(folder))
    events = store.events(RUN.id)
    store.close()
    return events


@pytest.mark.parametrize("step", ["a", "b", "c"])
def test_a_run_killed_in_a_step_completes_in_the_next_process(tmp_path: Path, step: str) -> None:
    killed_in(tmp_path, f"do {step}")
    events = finished(tmp_path)
    assert (tmp_path / "outcome").read_text() == "completed"
    assert sorted(event.step for event in events if event.state == "done") == ["a", "b", "c", "x"]
    assert [event.sequence for event in events] == list(range(1, len(events) + 1))


def test_what_was_done_before_the_kill_is_not_done_again(tmp_path: Path) -> None:
    killed_in(tmp_path, "do c")
    finished(tmp_path)
    assert [lines(tmp_path).count(f"do {name}") for name in "abxc"] == [1, 1, 1, 1]


def test_an_undo_killed_in_the_middle_is_finished_by_the_next_process(tmp_path: Path) -> None:
    killed_in(tmp_path, "undo b", fail_in="c")
    events = finished(tmp_path, fail_in="c")
    assert (tmp_path / "outcome").read_text() == "failed"
    undone = [event.step for event in events if event.state == "undone"]
    assert undone == ["c", "x", "b", "a"]
