"""Preflight of the clock: whether the daily shutdown of the target VM comes before its export has ended."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

from vhdlift.azure.findings import Finding

if TYPE_CHECKING:
    from vhdlift.azure.findings import Severity
    from vhdlift.model import Spec

_SLOW = 1.5
"""How much longer than expected a run may take before it is a surprise."""
_UTC = "UTC"


def shutdown_in_the_way(spec: Spec, seconds: float, now: datetime | None = None) -> list[Finding]:
    """What is to be said of `--auto-shutdown` before a run; nothing when it was not asked for.

    Azure deallocates the VM at that time whatever it does, and the run then fails. In another time zone than
    UTC, which Windows names and only Azure computes, it is only told.

    Args:
        spec: what the user asked for.
        seconds: how long the run is expected to take.
        now: the time of the run's start, with a time zone; by default now.
    """
    if spec.auto_shutdown is None:
        return []
    start = now or datetime.now(UTC)
    hour, minute = map(int, spec.auto_shutdown.split(":"))
    at = start.astimezone(UTC).replace(hour=hour, minute=minute, second=0, microsecond=0)
    if at <= start:
        at += timedelta(days=1)
    known = spec.auto_shutdown_timezone.upper() == _UTC
    if known and at > start + timedelta(seconds=seconds * _SLOW):
        return []
    message = (
        f"Azure shuts the new VM down at {spec.auto_shutdown} {spec.auto_shutdown_timezone}, also while it "
        f"still exports; a run of about {seconds / 3600:.1f} h that is under way then fails."
    )
    severity: Severity = "warning" if known else "notice"
    return [
        Finding("auto-shutdown", severity, message, "the time of --auto-shutdown", "--auto-shutdown HH:MM")
    ]
