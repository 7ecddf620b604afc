"""The setup script and its account go as soon as the VM has run it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from vhdlift.azure.storage import cleanup_temp_storage
from vhdlift.errors import Leftover, StepWarning

if TYPE_CHECKING:
    from collections.abc import Sequence

    from vhdlift.steps.base import Context, Made


class ScriptStorageDeleted:
    """Deletes the script's blob, its container and the temporary account."""

    name = "script_storage_deleted"
    title = "Delete the temporary storage"
    needs = ("setup_extension_installed",)
    may_fail = True

    async def do(self, c: Context) -> Made:
        """Delete all of it and look that it is gone.

        Raises:
            StepWarning: something stayed; the run goes on without it.
        """
        names = c.names
        left = await cleanup_temp_storage(
            c.azure, names.group, names.script_account, c.run.id, blob=names.script_blob
        )
        if left:
            raise StepWarning(f"temporary storage is still there: {left[0].reason}", left[0].command, left)
        return {}

    async def undo(self, c: Context) -> Sequence[Leftover]:
        """Nothing: `script_storage_created` undoes it."""
        del c
        return []
