"""`vhdlift show`: all that the database knows about one run."""

from __future__ import annotations

from dataclasses import asdict
from typing import TYPE_CHECKING, Any

from vhdlift.cli import output
from vhdlift.cli.board import WAITING, Board, Row, duration, moment
from vhdlift.cli.ending import leftovers
from vhdlift.cli.stored import opened, plan_of, standing
from vhdlift.cli.taking import PLACES, AsJson, RunId, takes_settings
from vhdlift.errors import ExitCode
from vhdlift.settings import load_settings

if TYPE_CHECKING:
    from vhdlift.engine.store import RunRow, Store, Undelivered

WAITING_SHOWN = 10


@takes_settings(*PLACES)
def show(given: dict[str, Any], run: RunId, as_json: AsJson = False) -> int:
    """Show all about a run: its steps and how long they took, what came out, and what is left.

    RUN is its id, or as much of the beginning as no other run has.
    """
    settings = load_settings(given)
    with opened(settings) as store:
        row = store.find(run)
        status = standing(settings, row)
        if as_json:
            output.emit("result", as_data(store, row, status))
            return int(ExitCode.COMPLETED)
        for line in lines(store, row, status):
            output.write(line)
    return int(ExitCode.COMPLETED)


def as_data(store: Store, row: RunRow, status: str) -> dict[str, Any]:
    """All about the run as plain data."""
    board = board_of(store, row)
    at = moment(row.ended_at) if row.ended_at else board.until
    steps = [
        {
            "step": one.step,
            "state": one.state,
            "seconds": one.seconds(at) if at else None,
            "message": one.message,
        }
        for one in board.rows.values()
    ]
    return {
        "run_id": row.id,
        "status": status,
        "created_at": row.created_at,
        "ended_at": row.ended_at,
        "failed_step": row.failed_step,
        "reason": row.reason,
        "spec": row.run.spec.to_json(),
        "steps": steps,
        "facts": store.facts(row.id),
        "leftovers": [left.to_json() for left in store.leftovers(row.id)],
        "kept": list(row.outcome.kept) if row.outcome else [],
        "undelivered": [asdict(post) for post in store.undelivered(row.id)],
    }


def lines(store: Store, row: RunRow, status: str) -> list[str]:
    """All about the run, for people."""
    return [
        *_head(row, status),
        *_section("steps", _steps(board_of(store, row), row)),
        *_section("facts", _facts(store.facts(row.id))),
        *_section("left behind", leftovers(store.leftovers(row.id))),
        *_section("kept", [f"  {one}" for one in (row.outcome.kept if row.outcome else ())]),
        *_posts(store.undelivered(row.id), row.id),
    ]


def board_of(store: Store, row: RunRow) -> Board:
    """The run as the picture that its events make."""
    board = Board.of(plan_of(store, row))
    for event in store.events(row.id):
        board = board.after(event)
    return board


def _head(row: RunRow, status: str) -> list[str]:
    spec = row.run.spec
    told = [
        ("run", row.id),
        ("status", status),
        ("failed in" if row.status == "failed" else "stopped in", row.failed_step or ""),
        ("because", row.reason or ""),
        ("source", f"{spec.source_vm} in {spec.source_resource_group}"),
        ("target", f"{spec.vm_name} in {spec.resource_group}, {spec.location}"),
        ("started", row.created_at),
        ("ended", row.ended_at or ""),
    ]
    return [f"{label:<10} {value}" for label, value in told if value]


def _steps(board: Board, row: RunRow) -> list[str]:
    at = moment(row.ended_at) if row.ended_at else board.until
    clocks = {one.step: duration(one.seconds(at)) if at else "" for one in board.rows.values()}
    return [
        f"  {_state(one, row):<9} {one.step:<25} {clocks[one.step]:>7}  {_message(one)}".rstrip()
        for one in board.rows.values()
    ]


def _state(one: Row, row: RunRow) -> str:
    """A step that waits when the run has ended will never start."""
    return "not run" if one.state == WAITING and row.ended_at else one.state


def _message(one: Row) -> str:
    """The message, in one line; what is left behind has a section of its own."""
    return "" if one.state == "leftover" else next(iter(one.message.splitlines()), "")


def _facts(facts: dict[str, Any]) -> list[str]:
    known = {name: _told(value) for name, value in sorted(facts.items()) if value not in (None, "", [], {})}
    width = max(map(len, known), default=0)
    return [f"  {name:<{width}}  {value}" for name, value in known.items()]


def _told(value: Any) -> str:
    if isinstance(value, dict):
        return ", ".join(f"{key} {one}" for key, one in value.items())
    return ", ".join(map(str, value)) if isinstance(value, list) else str(value)


def _posts(posts: list[Undelivered], run_id: str) -> list[str]:
    """What was given up, all of it; of what waits only the beginning, as the rest waits behind it."""
    lost = [post for post in posts if post.delivery == "gave up"]
    waiting = [post for post in posts if post.delivery == "waiting"]
    told = [_post(post) for post in waiting[:WAITING_SHOWN]]
    more = len(waiting) - WAITING_SHOWN
    return [
        *_section("webhook posts that were not taken, and are given up", [_post(post) for post in lost]),
        *_section(
            f"webhook posts that wait (`vhdlift resume {run_id}` goes on with them)",
            [*told, f"  and {more} more"] if more > 0 else told,
        ),
    ]


def _post(post: Undelivered) -> str:
    return f"  {post.sequence:>4}  {post.step} {post.state}: {post.reason}"


def _section(title: str, body: list[str]) -> list[str]:
    return ["", f"{title}:", *body] if body else []
