"""The daily shutdown of the target VM against the time that a run takes."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

from tests.engine.doubles import SPEC
from vhdlift.forecast.preflight import shutdown_in_the_way
from vhdlift.model import Spec

NOON = datetime(2026, 1, 1, 12, tzinfo=UTC)


def severities(hours: float, **more: Any) -> list[str]:
    spec = Spec.from_json({**SPEC.to_json(), **more})
    return [found.severity for found in shutdown_in_the_way(spec, hours * 3600, NOON)]


def test_a_run_that_may_still_be_under_way_at_the_shutdown_is_warned_of() -> None:
    """Half as long again as expected counts as possible."""
    assert severities(2, auto_shutdown="15:00") == ["warning"]
    assert severities(2, auto_shutdown="15:01") == []


def test_a_time_that_is_over_today_is_tomorrow() -> None:
    assert severities(15, auto_shutdown="11:00") == []
    assert severities(16, auto_shutdown="11:00") == ["warning"]


def test_a_time_in_a_zone_that_windows_names_is_told() -> None:
    """When that is in UTC only Azure knows."""
    zone = {"auto_shutdown_timezone": "W. Europe Standard Time"}
    assert severities(1, auto_shutdown="23:00", **zone) == ["notice"]


def test_without_a_shutdown_nothing_is_said() -> None:
    assert severities(100) == []
