"""The snapshot of the source VM's OS disk."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from functools import partial
from typing import TYPE_CHECKING

from vhdlift.azure.power import stop_vm_to_snapshot
from vhdlift.azure.snapshot import create_vm_snapshot_and_generate_sas, delete_snapshot
from vhdlift.model import GIVEN_BACK

if TYPE_CHECKING:
    from collections.abc import Sequence

    from vhdlift.errors import Leftover
    from vhdlift.steps.base import Context, Made

# A look at the VM would keep it down for longer, and within this time nobody has found it off: a worker that
# gives it back waits for longer, too.
_STOPPED_JUST_NOW = timedelta(seconds=10)


class SnapshotCreated:
    """A full snapshot, in the region of the source and the resource group of the target.

    Its tags say which VM to give which power state back, for when the run's database is lost.
    """

    name = "snapshot_created"
    title = "Snapshot the source VM's OS disk"
    needs = ("source_stopped", "resource_group_ready")
    remembers_first = True
    """It is not undone as long as the source VM could not be given back."""

    async def do(self, c: Context) -> Made:
        """Make the snapshot, or take over the one that this run made."""
        disk_id, location = c.facts["source_disk_id"], c.facts["source_location"]
        power = GIVEN_BACK if c.run.spec.source_stop == "none" else c.facts.get("source_power_state", "")
        snapshot_id, _ = await create_vm_snapshot_and_generate_sas(
            c.azure,
            c.run,
            disk_id,
            location=location,
            power=power,
            ledger=c.ledger,
            at_rest=partial(_still_at_rest, c),
        )
        return {"snapshot_id": snapshot_id}

    async def undo(self, c: Context) -> Sequence[Leftover]:
        """Take back the access to it and delete it."""
        return await delete_snapshot(c.azure, c.run)


async def _still_at_rest(c: Context) -> None:
    """Stop the source VM again, if it was started while the run was parked: its disk would be torn.

    Raises:
        AzureRefused: it did not run at first (code `SourceStarted`).
    """
    spec, stopped_at = c.run.spec, c.facts.get("source_stopped_at")
    if stopped_at is None:
        return
    # Less than no time has passed by the clock of another machine, or one that was set back.
    if timedelta(0) <= datetime.now(UTC) - datetime.fromisoformat(stopped_at) < _STOPPED_JUST_NOW:
        return
    was = c.facts.get("source_power_state")
    await stop_vm_to_snapshot(c.azure, spec.source_resource_group, spec.source_vm, spec.source_stop, was)
