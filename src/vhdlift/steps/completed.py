"""The end of a run: where everything is."""

from __future__ import annotations

from typing import TYPE_CHECKING

from vhdlift.azure.failures import UNREADABLE_ERRORS
from vhdlift.azure.ownership import exists, inventory
from vhdlift.azure.snapshot import snapshot_of
from vhdlift.azure.storage import account_of
from vhdlift.errors import VhdliftError
from vhdlift.model import SERVICES

if TYPE_CHECKING:
    from collections.abc import Sequence

    from vhdlift.errors import Leftover
    from vhdlift.steps.base import Context, Made

_UNSEEN = "What the run made could not be listed at its end"


class Completed:
    """Says the three addresses of the services and the artefact's, which is without its signature."""

    name = "completed"
    title = "Say where everything is"
    needs = ("source_restarted", "script_storage_deleted", "snapshot_released", "email_sent")

    async def do(self, c: Context) -> Made:
        """Collect what a user needs from here on, and all that carries the run's tag, as Azure lists it."""
        return {
            "resources": await _resources(c),
            "services": {service: f"https://{c.names.host(service)}" for service in SERVICES},
            "artefact_url": c.facts["artefact_url"],
            "artefact_size": c.facts["artefact_size"],
            "sha256": c.facts["sha256"],
        }

    async def undo(self, c: Context) -> Sequence[Leftover]:  # noqa: ARG002
        """Nothing: it only spoke."""
        return []


async def _resources(c: Context) -> list[str] | None:
    """Ids; None, and a warning, when that cannot be said: it must not undo what is complete.

    What was there for the time of the work only counts when it is there now, as lists lag behind deletions.
    """
    names = c.names
    passing = {
        one.id.lower()
        for one in (account_of(c.azure, names.group, names.script_account), snapshot_of(c.azure, c.run))
    }
    try:
        listed = await inventory(c.azure, c.run.id)
        there = [one for one in listed if one.lower() not in passing or await exists(c.azure, one)]
    except (VhdliftError, *UNREADABLE_ERRORS) as problem:
        await c.warn(f"{_UNSEEN}: {problem}", {})
        return None
    return sorted(there, key=str.lower)
