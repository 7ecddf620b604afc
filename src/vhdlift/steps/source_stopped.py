"""The source VM at rest, and its recorded power state as the way back."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING

from vhdlift.azure.power import give_back, stop_vm_to_snapshot
from vhdlift.azure.snapshot import note_given_back

if TYPE_CHECKING:
    from collections.abc import Sequence

    from vhdlift.errors import Leftover
    from vhdlift.steps.base import Context, Made


class SourceStopped:
    """Deallocates the source VM, or powers it off, or leaves it running, as asked."""

    name = "source_stopped"
    title = "Stop the source VM"
    needs = ("source_inspected",)
    undo_first = True
    """The source VM is given back before anything else is undone."""

    async def do(self, c: Context) -> Made:
        """Stop the VM if it runs; one that is stopped or deallocated stays as it is.

        Raises:
            AzureRefused: it was started since it was inspected (code `SourceStarted`).
        """
        spec = c.run.spec
        if spec.source_stop == "none":
            return {"source_was_stopped": False}
        was = c.facts.get("source_power_state")
        stopped = await stop_vm_to_snapshot(
            c.azure, spec.source_resource_group, spec.source_vm, spec.source_stop, was
        )
        return {
            # Repeated after a crash, this finds the VM stopped already; the record knows that it ran.
            "source_was_stopped": stopped or was == "running",
            "source_stopped_at": datetime.now(UTC).isoformat(timespec="seconds"),
        }

    async def undo(self, c: Context) -> Sequence[Leftover]:
        """Give the VM its recorded power state back.

        Without a record the VM was never inspected, and so never stopped. Once `source_restarted` has given
        it back, what it is since then is its owner's will.
        """
        spec = c.run.spec
        wanted = c.facts.get("source_power_state")
        if wanted is None or spec.source_stop == "none" or "source_power_state_now" in c.facts:
            return []
        left = await give_back(c.azure, spec.source_resource_group, spec.source_vm, wanted)
        if not left:
            # The snapshot may stay, and must not have a later clean-up start a VM that its owner stopped.
            await note_given_back(c.azure, c.run)
        return left
