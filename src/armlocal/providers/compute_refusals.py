"""Compute's refusals: status, code and text of each, from the file beside this one.

Recorded: `nic_missing`, `disk_missing`, `disk_attached`, `property_fixed`, `extension_failed`,
`extension_gone`. The others are the texts of Microsoft's documentation, or those that operators quote from
the live service in public issue trackers.
"""

from __future__ import annotations

import json
from functools import cache
from importlib.resources import files
from typing import Any

from armlocal.errors import ArmError


@cache
def _all() -> dict[str, dict[str, Any]]:
    text = files(__package__).joinpath("compute_refusals.json").read_text(encoding="utf-8")
    known: dict[str, dict[str, Any]] = json.loads(text)
    return known


def refusal(name: str, /, **values: object) -> ArmError:
    """The error answer of that name, with the values put into its text.

    Raises:
        KeyError: no such name, or a value is missing.
    """
    row = _all()[name]
    target = row.get("target")
    return ArmError(
        row["status"],
        row["code"],
        row["message"].format_map(values),
        details=row.get("details"),
        target=None if target is None else target.format_map(values),
    )
