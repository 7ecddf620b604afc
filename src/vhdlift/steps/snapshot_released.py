"""The snapshot is not needed any more once the artefact is verified."""

from __future__ import annotations

from typing import TYPE_CHECKING

from vhdlift.azure.snapshot import delete_snapshot
from vhdlift.errors import Leftover, StepWarning

if TYPE_CHECKING:
    from collections.abc import Sequence

    from vhdlift.steps.base import Context, Made


class SnapshotReleased:
    """Takes back the access to the snapshot and deletes it."""

    name = "snapshot_released"
    title = "Close and delete the snapshot"
    needs = ("vhd_verified",)
    may_fail = True

    async def do(self, c: Context) -> Made:
        """Delete the snapshot; one that stays is no reason to throw a verified artefact away.

        Raises:
            StepWarning: it could not be deleted; carries it as a leftover.
        """
        left = await delete_snapshot(c.azure, c.run)
        if left:
            raise StepWarning(f"the snapshot is still there: {left[0].reason}", left[0].command, left)
        return {}

    async def undo(self, c: Context) -> Sequence[Leftover]:
        """Nothing: `snapshot_created` undoes it."""
        del c
        return []
