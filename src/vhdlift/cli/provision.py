"""`vhdlift provision`: the whole job."""

from __future__ import annotations

import asyncio
import sys
from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated, Any

import typer

from vhdlift.cli import findings, output
from vhdlift.cli.estimate import Assumed, estimate
from vhdlift.cli.following import follow
from vhdlift.cli.machinery import Machinery, real
from vhdlift.cli.password import with_password
from vhdlift.cli.plan import as_data as plan_data
from vhdlift.cli.plan import lines as plan_lines
from vhdlift.cli.stored import try_out
from vhdlift.cli.taking import AsJson, takes_settings
from vhdlift.cli.view import Showing
from vhdlift.errors import ExitCode, PreflightFailed
from vhdlift.settings import load_settings

if TYPE_CHECKING:
    from vhdlift.model import Run
    from vhdlift.settings import Settings


@dataclass(frozen=True)
class Wishes:
    """How the command itself should behave."""

    dry_run: bool = False
    no_wait: bool = False
    as_json: bool = False
    force: bool = False


@takes_settings()
def provision(
    given: dict[str, Any],
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Look for problems and show the plan; touch nothing.")
    ] = False,
    no_wait: Annotated[
        bool, typer.Option("--no-wait", help="Start the run in the background and return at once.")
    ] = False,
    force: Annotated[
        bool, typer.Option("--force", help="Start in spite of warnings; never in spite of errors.")
    ] = False,
    as_json: AsJson = False,
) -> int:
    r"""Make a fresh Windows VM, and a bootable VHD of the source VM's disk.

    First everything is looked at that `vhdlift check` looks at: an error ends it, and so does a warning
    without --force. The source VM is stopped for as long as its snapshot takes, and gets its power state
    back. When a step fails, everything that the run made is removed again (or kept, with --on-failure keep).

    \b
    Exit codes: 0 completed (with --no-wait: started), 1 failed and all is gone,
    2 usage or settings wrong, 3 failed with leftovers, 4 not signed in or not
    allowed, 5 preflight found problems, 130 interrupted.
    """
    return carry_out(load_settings(given, for_run=True), Wishes(dry_run, no_wait, as_json, force), real())


def carry_out(settings: Settings, wishes: Wishes, machinery: Machinery) -> int:
    """Look for problems, then do what is wished; the exit code.

    Raises:
        PreflightFailed: the run would fail, or might and nobody said --force; nothing was touched.
        Interrupted: Ctrl-C while the run was under way.
        VhdliftError: the run database cannot be opened; nothing was touched.
    """
    if not wishes.dry_run:
        try_out(settings)
    run, warnings = asyncio.run(_look(settings, machinery, wishes))
    if wishes.dry_run:
        return _tell_plan(run, machinery, warnings, wishes.as_json)
    settings = with_password(settings, run.spec.vm_name)
    if wishes.no_wait:
        machinery.start_worker(settings, run)
        return _tell_started(run, wishes.as_json)
    shown = Showing(run, machinery.plan, wishes.as_json)
    return follow(shown, lambda show: machinery.provision(settings, run, show))


async def _look(settings: Settings, machinery: Machinery, wishes: Wishes) -> tuple[Run, list[dict[str, str]]]:
    """The run that could start now, and what preflight told."""
    if not wishes.as_json and output.is_terminal(sys.stderr):
        output.print_info("Looking for problems before anything is touched...")
    run = machinery.new_run(await machinery.spec(settings))
    report = await machinery.check(settings, run.spec, run)
    found = [finding.to_json() for finding in report.findings]
    if findings.of(found, "error"):
        raise PreflightFailed(found)
    if findings.of(found, "warning") and not wishes.force:
        raise PreflightFailed(found, "If that is as it should be: `vhdlift provision --force` goes past it.")
    for finding in found:
        tell = output.print_warn if finding["severity"] == "warning" else output.print_info
        tell(finding["message"])
    return run, found


def _tell_plan(run: Run, machinery: Machinery, warnings: list[dict[str, str]], as_json: bool) -> int:
    made = estimate(run.spec, machinery.plan, Assumed())
    if as_json:
        output.emit("result", {**plan_data(run, machinery.plan, made), "findings": warnings, "exit_code": 0})
        return int(ExitCode.COMPLETED)
    for line in plan_lines(run, machinery.plan, made):
        output.write(line)
    output.print_success("Nothing speaks against this run. Nothing was touched.")
    return int(ExitCode.COMPLETED)


def _tell_started(run: Run, as_json: bool) -> int:
    if as_json:
        output.emit("result", {"run_id": run.id, "status": "started", "exit_code": 0})
        return int(ExitCode.COMPLETED)
    output.write(run.id)
    output.print_success(f"Started. `vhdlift watch {run.id}` follows it, `vhdlift cancel {run.id}` ends it.")
    return int(ExitCode.COMPLETED)
