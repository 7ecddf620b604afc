"""The snapshot of the source VM's OS disk."""

from __future__ import annotations

from typing import TYPE_CHECKING

from vhdlift.azure.snapshot import create_vm_snapshot_and_generate_sas, delete_snapshot
from vhdlift.model import GIVEN_BACK

if TYPE_CHECKING:
    from collections.abc import Sequence

    from vhdlift.errors import Leftover
    from vhdlift.steps.base import Context, Made


class SnapshotCreated:
    """A full snapshot, in the region of the source and the resource group of the target.

    Its tags say which VM to give which power state back, for when the run's database is lost.
    """

    name = "snapshot_created"
    title = "Snapshot the source VM's OS disk"
    needs = ("source_stopped", "resource_group_ready")

    async def do(self, c: Context) -> Made:
        """Make the snapshot, or take over the one that this run made."""
        disk_id, location = c.facts["source_disk_id"], c.facts["source_location"]
        power = GIVEN_BACK if c.run.spec.source_stop == "none" else c.facts.get("source_power_state", "")
        snapshot_id, _ = await create_vm_snapshot_and_generate_sas(
            c.azure, c.run, disk_id, location=location, power=power, ledger=c.ledger
        )
        return {"snapshot_id": snapshot_id}

    async def undo(self, c: Context) -> Sequence[Leftover]:
        """Take back the access to it and delete it."""
        return await delete_snapshot(c.azure, c.run)
