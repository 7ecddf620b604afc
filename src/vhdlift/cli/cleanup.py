"""`vhdlift cleanup`: undo a whole run, whatever became of it."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Annotated, Any

import typer

from vhdlift.cli import output
from vhdlift.cli.ending import tell_undone
from vhdlift.cli.following import follow
from vhdlift.cli.stored import opened, showing
from vhdlift.cli.taking import PLACES, AsJson, RunId, takes_settings
from vhdlift.errors import ExitCode
from vhdlift.settings import load_settings

if TYPE_CHECKING:
    from vhdlift.cli.view import Showing
    from vhdlift.engine.store import RunRow
    from vhdlift.settings import Settings


@takes_settings(*PLACES)
def cleanup(
    given: dict[str, Any],
    run: RunId,
    yes: Annotated[bool, typer.Option("--yes", "-y", help="Do not ask first.")] = False,
    as_json: AsJson = False,
) -> int:
    """Undo a run: remove everything it made, its VHD included, and give back what it changed.

    Asks first when a person is there to answer. Only what carries the run's own tag is removed, and
    doing it again does no harm. Exit code 0 when nothing is left, 3 when something could not be removed.
    """
    settings = load_settings(given)
    with opened(settings) as store:
        row = store.find(run)
        shown = showing(store, row, as_json, news_only=True)
    if not yes and sys.stdin.isatty() and not typer.confirm(question(row), err=True):
        output.print_info("Nothing was touched.")
        return int(ExitCode.FAILED)
    return undo(settings, shown)


def undo(settings: Settings, shown: Showing) -> int:
    """Undo the run in this process; the exit code says whether something is left."""
    from vhdlift.engine import api  # noqa: PLC0415  # slow to import

    return follow(shown, lambda show: api.cleanup(settings, shown.run.id, show), tell_undone)


def question(row: RunRow) -> str:
    """What is asked before anything is removed; a run that completed has more to lose."""
    spec = row.run.spec
    what = f"everything that run {row.id} made"
    if row.status == "completed":
        what += f": the VM {spec.vm_name}, its names, and the VHD of {spec.source_vm}"
    return f"Remove {what}?"
