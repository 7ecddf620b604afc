"""`vhdlift check`: preflight alone."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

from vhdlift.cli import findings, output
from vhdlift.cli.machinery import Machinery, real
from vhdlift.cli.taking import AsJson, takes_settings
from vhdlift.errors import ExitCode
from vhdlift.settings import load_settings

if TYPE_CHECKING:
    from vhdlift.azure.preflight import Report
    from vhdlift.settings import Settings


@takes_settings()
def check(given: dict[str, Any], as_json: AsJson = False) -> int:
    """Look up, without changing anything, whatever would make a run with these settings fail.

    Everything that is found is told at once, with its severity. An error makes a run fail: exit code 5.
    A warning may, and `vhdlift provision` then wants --force; a notice is only told. Both end with 0.
    """
    return carry_out(load_settings(given, for_run=True), as_json, real())


def carry_out(settings: Settings, as_json: bool, machinery: Machinery) -> int:
    """Look, and tell what was found; the exit code."""
    report = asyncio.run(_report(settings, machinery))
    found = [finding.to_json() for finding in report.findings]
    code = ExitCode.PREFLIGHT if findings.of(found, "error") else ExitCode.COMPLETED
    if as_json:
        identity = report.identity.to_json() if report.identity else None
        output.emit("result", {"identity": identity, "findings": found, "exit_code": int(code)})
        return int(code)
    if report.identity:
        output.write(report.identity.sentence)
    for line in findings.table(found):
        output.write(line)
    _conclude(found)
    return int(code)


def _conclude(found: list[findings.Row]) -> None:
    errors, warnings = (len(findings.of(found, severity)) for severity in ("error", "warning"))
    if errors:
        output.print_error(f"A run would fail: {errors} to put right.")
    elif warnings:
        output.print_warn(f"{warnings} to look at: `vhdlift provision` goes past them with --force.")
    else:
        output.print_success("Nothing speaks against a run.")


async def _report(settings: Settings, machinery: Machinery) -> Report:
    spec = await machinery.spec(settings)
    return await machinery.check(settings, spec, None)
