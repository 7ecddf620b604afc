"""`vhdlift cleanup`: undo a whole run, whatever became of it."""

from __future__ import annotations

import re
import sys
from typing import TYPE_CHECKING, Annotated, Any

import typer

from vhdlift.cli import output
from vhdlift.cli.asking import confirmed
from vhdlift.cli.bytag import DryRun, InGroup, Wish, Yes, carry_out
from vhdlift.cli.ending import tell_undone
from vhdlift.cli.following import follow
from vhdlift.cli.stored import opened, showing, warn_of_posts
from vhdlift.cli.taking import NOT_KEPT, AsJson, takes_settings
from vhdlift.errors import ExitCode, UsageError
from vhdlift.settings import load_settings

if TYPE_CHECKING:
    from vhdlift.cli.view import Showing
    from vhdlift.engine.store import RunRow
    from vhdlift.settings import Settings


_RUN_ID = re.compile(r"[0-9A-HJKMNP-TV-Z]{26}")
_Stored = Annotated[
    str,
    typer.Argument(metavar="RUN", help="The run's id, or how it begins, if it is remembered here."),
]
_ByTag = Annotated[
    str,
    typer.Option("--run-id", metavar="ID", help="The whole id of a run, found in Azure by its tag alone."),
]


@takes_settings(*NOT_KEPT)
def cleanup(
    given: dict[str, Any],
    run: _Stored = "",
    run_id: _ByTag = "",
    resource_group: InGroup = "",
    dry_run: DryRun = False,
    yes: Yes = False,
    as_json: AsJson = False,
) -> int:
    """Undo a run: remove everything it made, its VHD included, and give back what it changed.

    Asks first when a person is there to answer. Only what carries the run's own tag is removed, and
    doing it again does no harm. With --run-id no database is needed: all is found by its tag, in the whole
    subscription or in one --resource-group; that way nothing is removed unasked without --yes. Exit code 0
    when nothing is left, 3 when something could not be removed.
    """
    if problems := _problems(run, run_id, by_tag_only=bool(resource_group or dry_run)):
        raise UsageError(problems, "`vhdlift cleanup --help` shows what it takes.")
    settings = load_settings(given)
    if run_id:
        wish = Wish(run_id.upper(), resource_group, dry_run=dry_run, yes=yes, as_json=as_json)
        return carry_out(settings, wish)
    return _stored(settings, run, yes=yes, as_json=as_json)


def _problems(run: str, run_id: str, *, by_tag_only: bool) -> list[str]:
    """What is wrong with how the run is named."""
    problems = []
    if bool(run) == bool(run_id):
        problems.append("Name one run: RUN, or --run-id ID.")
    if run_id and not _RUN_ID.fullmatch(run_id.upper()):
        problems.append("--run-id: the id of a run is 26 letters and digits, without I, L, O and U.")
    if by_tag_only and not run_id:
        problems.append("--resource-group and --dry-run go with --run-id only.")
    return problems


def _stored(settings: Settings, run: str, *, yes: bool, as_json: bool) -> int:
    with opened(settings) as store:
        row = store.find(run)
        shown = showing(store, row, as_json, news_only=True)
        warn_of_posts(settings, store, row)
    if not yes and sys.stdin.isatty() and not confirmed(question(row)):
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
