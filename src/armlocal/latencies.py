"""How long the real service takes: medians of recorded operations, in seconds at scale 1.

`operations` are long ones, from their start to their end; `requests` are single answers. The numbers are
medians over recordings of 2021-2026 (Windows where there were any); the file beside this one holds them.
"""

from __future__ import annotations

import json
from functools import cache
from importlib.resources import files

USUAL_REQUEST = 0.25
"""Seconds for a request that has no number of its own: about the median of all recorded ones."""


@cache
def _table() -> dict[str, dict[str, float]]:
    table: dict[str, dict[str, float]] = json.loads(
        files("armlocal").joinpath("latencies.json").read_text(encoding="utf-8")
    )
    return table


def operation_seconds(name: str) -> float:
    """Seconds at scale 1 that the long operation `name` takes.

    Raises:
        KeyError: no such name; all are in `latencies.json`.
    """
    return _table()["operations"][name]


def request_seconds(operation: str) -> float:
    """Seconds at scale 1 until a single request is answered, such as `PUT Microsoft.Compute/disks`."""
    return _table()["requests"].get(operation, USUAL_REQUEST)
