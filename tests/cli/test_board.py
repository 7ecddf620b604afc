"""The picture of a run, and its three forms: live, lines, objects."""

from __future__ import annotations

import io
from datetime import timedelta
from typing import Any

import pytest
from rich.console import Console

from vhdlift.cli.board import Board, duration, moment, size
from vhdlift.cli.lines import is_news, line
from vhdlift.cli.live import fold, picture
from vhdlift.model import Event

PLAN = {"source_inspected": (), "vm_created": ("source_inspected",), "vhd_exported": ("vm_created",)}
NOON = "2026-01-01T12:00:00Z"


def event(
    step: str, state: Any, message: str = "", at: str = NOON, status: Any = "provisioning", **more: Any
) -> Event:
    return Event("R", 1, status, step, state, message, at, more)


def board(*events: Event) -> Board:
    made = Board.of(PLAN)
    for one in events:
        made = made.after(one)
    return made


def drawn(of: Board, *, width: int = 80, height: int | None = None, unicode: bool = True) -> list[str]:
    console = Console(file=io.StringIO(), width=width, force_terminal=False)
    with console.capture() as capture:
        console.print(picture("lab1 in rg", of, moment(NOON) + timedelta(seconds=75), unicode, height))
    return [text.rstrip() for text in capture.get().splitlines()]


def test_a_step_that_waits_says_for_what() -> None:
    """A step that has not started names what must be done first, and nothing that is done."""
    before = board()
    after = board(event("source_inspected", "started"), event("source_inspected", "done"))
    assert before.waits_for(before.rows["vm_created"]) == ("source_inspected",)
    assert after.waits_for(after.rows["vm_created"]) == ()


def test_a_warning_lets_the_next_step_start() -> None:
    """A step that ended with a warning is over for those that wait for it."""
    of = board(event("source_inspected", "warning", "odd"))
    assert of.waits_for(of.rows["vm_created"]) == ()


def test_the_time_of_a_step_is_from_its_start_to_its_end() -> None:
    """The clock of a step runs while it runs, and stops when it ends."""
    started = event("vm_created", "started", at="2026-01-01T12:00:00Z")
    running = board(started).rows["vm_created"]
    ended = board(started, event("vm_created", "done", at="2026-01-01T12:00:30Z")).rows["vm_created"]
    later = moment("2026-01-01T12:01:00Z")
    assert (running.seconds(later), ended.seconds(later)) == (60.0, 30.0)


def test_the_clock_of_a_step_stops_when_the_run_breaks_off() -> None:
    """A step that was under way when another failed did not work until its undo."""
    of = board(
        event("source_inspected", "started"),
        event("vm_created", "failed", at="2026-01-01T12:00:10Z", status="failed"),
        event("source_inspected", "undone", at="2026-01-01T13:00:00Z", status="failed"),
    )
    assert of.rows["source_inspected"].seconds(moment("2026-01-01T13:00:00Z")) == 10.0


def test_a_failed_step_stays_failed_when_it_is_undone() -> None:
    """The step that failed is what the reader looks for, so its undo does not hide it."""
    of = board(event("vm_created", "failed", "no quota"), event("vm_created", "undone", status="failed"))
    assert (of.rows["vm_created"].state, of.rows["vm_created"].message) == ("failed", "no quota")


def test_the_last_event_of_a_run_is_about_the_run() -> None:
    """What is told last in the name of the failed step does not replace why it failed."""
    of = board(
        event("vm_created", "failed", "no quota"),
        event("vm_created", "failed", "All is gone.", status="failed", final=True),
    )
    assert (of.status, of.rows["vm_created"].message) == ("failed", "no quota")


def test_a_warning_about_a_step_under_way_does_not_end_it() -> None:
    """The step works on, and what needs it still waits."""
    of = board(event("source_inspected", "warning", "said nothing for 5 minutes", under_way=True))
    row = of.rows["source_inspected"]
    assert (row.state, row.until, row.message) == ("running", None, "said nothing for 5 minutes")


def test_a_step_that_the_plan_no_longer_has_is_still_shown() -> None:
    """Events of a run of another version appear below the rest."""
    assert list(board(event("old_step", "done")).rows) == [*PLAN, "old_step"]


def test_the_picture_fits_80_columns() -> None:
    """No line is longer than the terminal is wide, or redrawing in place would tear the picture."""
    of = board(
        event("source_inspected", "done", "x" * 200), event("vm_created", "failed", "two\nlines " + "y" * 90)
    )
    assert max(len(text) for text in drawn(of)) <= 80
    assert len(drawn(of)) == 1 + len(PLAN)


def test_progress_shows_phase_and_percent() -> None:
    """The long step shows the guest's phase, a bar and the percentage."""
    of = board(
        event("vhd_exported", "started"),
        event("vhd_exported", "progress", phase="upload", percent=43.4, total=3 * 2**29),
    )
    assert drawn(of)[-1] == "▸ vhd_exported                1:15  upload ━━━━──────  43% of 1.5 GiB"


def test_a_terminal_without_unicode_gets_ascii() -> None:
    """Signs and bars have plain forms."""
    of = board(event("vhd_exported", "progress", phase="upload", percent=50.0), event("vm_created", "done"))
    assert all(text.isascii() for text in drawn(of, unicode=False))


def test_a_low_terminal_folds_what_is_over_first() -> None:
    """With too few lines, done steps are folded into one before anything that runs or failed."""
    of = board(
        event("source_inspected", "done"), event("vm_created", "done"), event("vhd_exported", "started")
    )
    shown, folded = fold(list(of.rows.values()), 2)
    assert ([row.step for row in shown], folded) == (["vhd_exported"], (2, 0))


def test_folding_never_hides_a_failure() -> None:
    """However low the terminal, a failed step stays in the picture."""
    of = board(event("source_inspected", "done"), event("vm_created", "failed", "no quota"))
    shown, folded = fold(list(of.rows.values()), 1)
    assert ([row.step for row in shown], folded) == (["vm_created"], (1, 1))


def test_a_line_says_when_what_and_why() -> None:
    """A plain line has the local time, the state, the step and the message."""
    local = moment(NOON).astimezone().strftime("%H:%M:%S")
    assert line(event("snapshot_created", "done", "Snapshot taken")) == (
        f"{local}  done      snapshot_created           Snapshot taken"
    )


@pytest.mark.parametrize(
    ("before", "now", "told"),
    [
        ({"phase": "upload", "percent": 10.0}, {"phase": "upload", "percent": 19.0}, False),
        ({"phase": "upload", "percent": 10.0}, {"phase": "upload", "percent": 20.0}, True),
        ({"phase": "upload", "percent": 95.0}, {"phase": "upload", "percent": 100.0}, True),
        ({"phase": "upload", "percent": 100.0}, {"phase": "finish", "percent": 0.0}, True),
        ({"phase": "upload", "phase_state": "progress"}, {"phase": "upload", "phase_state": "done"}, True),
    ],
)
def test_a_log_gets_a_line_every_ten_percent(before: dict[str, Any], now: dict[str, Any], told: bool) -> None:
    """Progress is told when the phase changes or ten percent are gained, not at every report."""
    first, second = (event("vhd_exported", "progress", "m", **details) for details in (before, now))
    assert is_news(second, first) is told
    assert is_news(first, None)


@pytest.mark.parametrize(
    ("seconds", "text"),
    [(None, ""), (0, "0.0s"), (7.94, "7.9s"), (59.9, "59s"), (754, "12:34"), (3723, "1:02:03")],
)
def test_lengths_of_time_read_like_a_clock(seconds: float | None, text: str) -> None:
    """Short times have a tenth, long ones look like a clock; hours appear only when there are any."""
    assert duration(seconds) == text


@pytest.mark.parametrize(
    ("number", "text"), [(0, "0 B"), (1023, "1023 B"), (1536, "1.5 KiB"), (2**40, "1.0 TiB")]
)
def test_sizes_are_told_in_the_unit_that_fits(number: int, text: str) -> None:
    """Units are powers of 1024, and named so."""
    assert size(number) == text
