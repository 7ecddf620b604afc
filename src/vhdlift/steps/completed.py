"""The end of a run: where everything is."""

from __future__ import annotations

from typing import TYPE_CHECKING

from vhdlift.model import SERVICES

if TYPE_CHECKING:
    from collections.abc import Sequence

    from vhdlift.errors import Leftover
    from vhdlift.steps.base import Context, Made


class Completed:
    """Says the three addresses of the services and the artefact's, which is without its signature."""

    name = "completed"
    title = "Say where everything is"
    needs = ("source_restarted", "script_storage_deleted", "snapshot_released", "email_sent")

    async def do(self, c: Context) -> Made:
        """Collect what a user needs from here on."""
        return {
            "services": {service: f"https://{c.names.host(service)}" for service in SERVICES},
            "artefact_url": c.facts["artefact_url"],
            "artefact_size": c.facts["artefact_size"],
            "sha256": c.facts["sha256"],
        }

    async def undo(self, c: Context) -> Sequence[Leftover]:  # noqa: ARG002
        """Nothing: it only spoke."""
        return []
