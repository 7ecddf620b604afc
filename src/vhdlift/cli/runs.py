"""`vhdlift runs`: all runs that the database knows."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from vhdlift.cli import output
from vhdlift.cli.board import duration, moment
from vhdlift.cli.stored import opened, standing
from vhdlift.cli.taking import PLACES, AsJson, takes_settings
from vhdlift.errors import ExitCode
from vhdlift.settings import load_settings

if TYPE_CHECKING:
    from vhdlift.engine.store import RunRow

HEAD = ("run", "status", "vm", "started", "took")


@takes_settings(*PLACES)
def runs(given: dict[str, Any], as_json: AsJson = False) -> int:
    """List all runs, the newest first.

    A run that no process works on and that has not ended is called interrupted: `vhdlift resume RUN`
    goes on with it, `vhdlift cancel RUN` ends it.
    """
    settings = load_settings(given)
    with opened(settings) as store:
        found = [(row, standing(settings, row)) for row in store.runs()]
    if as_json:
        for row, status in found:
            output.emit("run", as_data(row, status))
        return int(ExitCode.COMPLETED)
    if not found:
        output.print_info("No runs yet. `vhdlift rehearse` makes one that costs nothing.")
        return int(ExitCode.COMPLETED)
    now = datetime.now(UTC)
    for line in output.table(HEAD, [cells(row, status, now) for row, status in found]):
        output.write(line)
    return int(ExitCode.COMPLETED)


def as_data(row: RunRow, status: str) -> dict[str, Any]:
    """A run in short, as plain data."""
    return {
        "run_id": row.id,
        "status": status,
        "vm_name": row.run.spec.vm_name,
        "resource_group": row.run.spec.resource_group,
        "source_vm": row.run.spec.source_vm,
        "created_at": row.created_at,
        "ended_at": row.ended_at,
        "failed_step": row.failed_step,
        "reason": row.reason,
    }


def cells(row: RunRow, status: str, now: datetime) -> tuple[str, ...]:
    """A run as a line of the table."""
    began = moment(row.created_at)
    ended = moment(row.ended_at) if row.ended_at else now
    return (row.id, status, row.run.spec.vm_name, ago(began, now), duration((ended - began).total_seconds()))


def ago(then: datetime, now: datetime) -> str:
    """How long ago, in the one unit that says most: `now`, `5m ago`, `3h ago`, `12d ago`."""
    seconds = int((now - then).total_seconds())
    for length, unit in ((86400, "d"), (3600, "h"), (60, "m")):
        if seconds >= length:
            return f"{seconds // length}{unit} ago"
    return "now"
