"""The temporary storage account for the setup script."""

from __future__ import annotations

from typing import TYPE_CHECKING

from vhdlift.azure.storage import cleanup_temp_storage, create_storage_account

if TYPE_CHECKING:
    from collections.abc import Sequence

    from vhdlift.errors import Leftover
    from vhdlift.steps.base import Context, Made


class ScriptStorageCreated:
    """An account apart from the artefact's, so that it can go as soon as the VM has read the script."""

    name = "script_storage_created"
    title = "Create a temporary storage account for the setup script"
    needs = ("resource_group_ready",)

    async def do(self, c: Context) -> Made:
        """Make the account."""
        account = c.names.script_account
        endpoint = await create_storage_account(
            c.azure,
            c.names.group,
            account,
            location=c.run.spec.location,
            tags=c.run.tags,
            run_id=c.run.id,
            ledger=c.ledger,
        )
        return {"script_account": account, "script_endpoint": endpoint}

    async def undo(self, c: Context) -> Sequence[Leftover]:
        """Delete the account with all that is in it."""
        names = c.names
        return await cleanup_temp_storage(
            c.azure, names.group, names.script_account, c.run.id, blob=names.script_blob
        )
