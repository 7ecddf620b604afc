"""The findings of preflight as a table, for whoever shows them."""

from __future__ import annotations

import textwrap
from typing import TYPE_CHECKING

from vhdlift.azure.findings import ORDER
from vhdlift.cli.output import COLUMNS, GAP

if TYPE_CHECKING:
    from collections.abc import Sequence

Row = dict[str, str]
HEAD = ("severity", "finding", "what it means, what was asked, what mends it")


def of(findings: Sequence[Row], severity: str) -> list[Row]:
    """Those of one severity; one that says none is an error."""
    return [finding for finding in findings if finding.get("severity", "error") == severity]


def table(findings: Sequence[Row]) -> list[str]:
    """Lines: severity, code and meaning; below them what was asked, and the command, never broken."""
    ordered = [finding for severity in ORDER for finding in of(findings, severity)]
    if not ordered:
        return []
    heads = [HEAD[:2], *((one.get("severity", "error"), one.get("code", "")) for one in ordered)]
    widths = [max(len(row[i]) for row in heads) + GAP for i in range(len(HEAD) - 1)]
    left = " " * sum(widths)

    def cells(*row: str) -> str:
        return "".join(cell.ljust(width) for cell, width in zip(row, widths, strict=False))

    lines = [cells(*HEAD[:2]) + HEAD[2]]
    for head, one in zip(heads[1:], ordered, strict=True):
        first, *more = _wrapped(one["message"], len(left))
        asked = _wrapped(f"asked: {one['asked']}", len(left)) if one.get("asked") else []
        mends = [f"mends: {one['command']}"] if one.get("command") else []
        lines += [cells(*head) + first, *(left + line for line in (*more, *asked, *mends))]
    return lines


def _wrapped(text: str, left: int) -> list[str]:
    return textwrap.wrap(text, max(COLUMNS - left, 40), break_on_hyphens=False) or [""]
