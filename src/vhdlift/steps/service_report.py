"""Which services the target VM serves, as its guest says after the artefact is there."""

from __future__ import annotations

import asyncio
import time
from typing import TYPE_CHECKING

from vhdlift.azure.artefact import open_container, read_report
from vhdlift.errors import VhdliftError
from vhdlift.model import SERVICES
from vhdlift.steps.guest_report import LIMIT_BYTES, Progress, clean, read_progress

if TYPE_CHECKING:
    from vhdlift.azure.artefact import Container
    from vhdlift.steps.base import Context

ON = "on"
NOT_ASKED = "it was not asked for"
NOT_TOLD = "the VM has not said that it is served"
_PHASE = "services"
_LOOK_SECONDS, _PATIENCE_SECONDS, _LEAST_SECONDS = 10.0, 15 * 60.0, 5.0


async def services_told(c: Context) -> dict[str, str]:
    """Of each service `on`, or why it is not served.

    They are set up while the artefact is verified, so that is mostly over by now; it is waited for, but never
    long. Whatever cannot be read is not told: a service is no reason to fail.
    """
    if not c.run.spec.services:
        return dict.fromkeys(SERVICES, NOT_ASKED)
    report = await _report(c)
    told = report.services if report else {}
    return {
        name: clean(told.get(name, NOT_TOLD), 500) if name in c.run.spec.services else NOT_ASKED
        for name in SERVICES
    }


async def _report(c: Context) -> Progress | None:
    account, endpoint = c.facts["export_account"], c.facts["export_endpoint"]
    deadline = time.monotonic() + max(_PATIENCE_SECONDS * c.azure.scale, _LEAST_SECONDS)
    report: Progress | None = None
    try:
        async with open_container(c.azure, c.names.group, account, endpoint) as container:
            while time.monotonic() < deadline:
                report = await _look(c, container)
                if report is None or _is_over(report):
                    return report
                await asyncio.sleep(_LOOK_SECONDS * c.azure.scale)
    except VhdliftError:
        return report
    return report


async def _look(c: Context, container: Container) -> Progress | None:
    raw = await read_report(c.azure, container, f"{c.names.artefact}.progress.json", LIMIT_BYTES)
    return None if raw is None else read_progress(raw, c.run.id)


def _is_over(report: Progress) -> bool:
    return report.state == "failed" or any(end.phase == _PHASE for end in report.history)
