"""The source VM as it was found, as soon as the snapshot exists."""

from __future__ import annotations

from typing import TYPE_CHECKING

from vhdlift.azure.power import restart_vm
from vhdlift.azure.snapshot import note_given_back

if TYPE_CHECKING:
    from collections.abc import Sequence

    from vhdlift.errors import Leftover
    from vhdlift.steps.base import Context, Made


class SourceRestarted:
    """Gives the source VM its recorded power state back and looks that it has it."""

    name = "source_restarted"
    title = "Give the source VM its power state back"
    needs = ("snapshot_created",)

    async def do(self, c: Context) -> Made:
        """Start the VM if it ran before; the way back of a failure is that of `source_stopped`."""
        spec = c.run.spec
        if spec.source_stop == "none":
            return {}
        wanted = c.facts["source_power_state"]
        at_rest = bool(c.facts.get("source_was_stopped"))
        now = await restart_vm(c.azure, spec.source_resource_group, spec.source_vm, wanted, at_rest=at_rest)
        await note_given_back(c.azure, c.run)
        return {"source_power_state_now": now}

    async def undo(self, c: Context) -> Sequence[Leftover]:
        """Nothing: the VM is as it was found."""
        del c
        return []
