"""The page of the stand-in says of every operation what is kept of it, and of none that there is not."""

from __future__ import annotations

import re
from collections import defaultdict
from pathlib import Path

from armlocal.providers.dns_records import FIELDS
from armlocal.providers.registrations import NAMESPACES
from armlocal.providers.table import ALL_ROUTES

PAGE = Path(__file__).parents[2] / "docs/armlocal.md"
CELLS = 4


def _rows() -> list[list[str]]:
    """The rows of the table by type: type, methods, kept, not."""
    lines = PAGE.read_text(encoding="utf-8").splitlines()
    start = lines.index("| type | methods | as on the real service | not |") + 2
    rows = []
    for line in lines[start:]:
        if not line.startswith("|"):
            break
        rows.append([cell.strip() for cell in line.strip("|").split("|")])
    return rows


def _types(cell: str) -> list[str]:
    """The types that a cell names; words in braces stand for several."""
    found = []
    for type_ in re.findall(r"`([^`]+)`", cell):
        words = {"{namespace}": list(NAMESPACES), "{record}": list(FIELDS)}
        pattern = next((word for word in words if word in type_), None)
        found += [type_.replace(pattern, value) for value in words[pattern]] if pattern else [type_]
    return found


def test_every_operation_of_the_program_is_in_the_table_and_no_other() -> None:
    """Type by type, with the same methods."""
    routes = defaultdict(set)
    for operation in (key for table in ALL_ROUTES for key in table):
        method, type_ = operation.split(" ", 1)
        routes[type_].add(method)
    written = {type_: set(row[1].split()) for row in _rows() for type_ in _types(row[0])}
    assert written == dict(routes)


def test_every_row_says_what_is_kept() -> None:
    """What is not kept may be nothing."""
    assert [row for row in _rows() if len(row) != CELLS or not row[2]] == []
