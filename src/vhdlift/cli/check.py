"""`vhdlift check`: preflight alone."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

from vhdlift.cli import output
from vhdlift.cli.machinery import Machinery, real
from vhdlift.cli.taking import AsJson, takes_settings
from vhdlift.errors import ExitCode
from vhdlift.settings import load_settings

if TYPE_CHECKING:
    from vhdlift.settings import Settings


@takes_settings()
def check(given: dict[str, Any], as_json: AsJson = False) -> int:
    """Look up, without changing anything, whatever would make a run with these settings fail.

    Every problem is told at once. Exit code 0 when there is none (warnings are none), 5 otherwise.
    """
    return carry_out(load_settings(given, for_run=True), as_json, real())


def carry_out(settings: Settings, as_json: bool, machinery: Machinery) -> int:
    """Look, and tell what was found; the exit code."""
    findings = asyncio.run(_findings(settings, machinery))
    bad = [finding for finding in findings if finding["severity"] == "error"]
    code = ExitCode.PREFLIGHT if bad else ExitCode.COMPLETED
    if as_json:
        output.emit("result", {"findings": findings, "exit_code": int(code)})
        return int(code)
    for line in lines(findings):
        output.write(line)
    if bad:
        output.print_error(f"A run would fail: {len(bad)} to put right.")
    else:
        output.print_success("Nothing speaks against a run.")
    return int(code)


def lines(findings: list[dict[str, str]]) -> list[str]:
    """The findings as a table, errors first, the command that helps below each."""
    told: list[str] = []
    for finding in sorted(findings, key=lambda one: one["severity"] != "error"):
        told.append(f"{finding['severity']:<8} {finding['code']}")
        told.append(f"         {finding['message']}")
        if finding.get("command"):
            told.append(f"         {finding['command']}")
    return told


async def _findings(settings: Settings, machinery: Machinery) -> list[dict[str, str]]:
    spec = await machinery.spec(settings)
    return [finding.to_json() for finding in await machinery.check(settings, spec, None)]
