"""The storage account that keeps the artefact, with its container."""

from __future__ import annotations

from typing import TYPE_CHECKING

from vhdlift.azure.ownership import delete_ours
from vhdlift.azure.storage import account_key, account_of, create_storage_account, ensure_container_exists
from vhdlift.model import CONTAINER

if TYPE_CHECKING:
    from collections.abc import Sequence

    from vhdlift.errors import Leftover
    from vhdlift.steps.base import Context, Made


class ExportStorageCreated:
    """An account of its own, because it lives on when the run is over."""

    name = "export_storage_created"
    title = "Create the storage account for the VHD"
    needs = ("resource_group_ready",)

    async def do(self, c: Context) -> Made:
        """Make the account and the private container `vhdusb` in it."""
        account = c.names.export_account
        endpoint = await create_storage_account(
            c.azure,
            c.names.group,
            account,
            location=c.run.spec.location,
            tags=c.run.tags,
            run_id=c.run.id,
            ledger=c.ledger,
        )
        key = await account_key(c.azure, c.names.group, account)
        await ensure_container_exists(c.azure, c.azure.blob_service(endpoint, account, key), CONTAINER)
        return {"export_account": account, "export_endpoint": endpoint}

    async def undo(self, c: Context) -> Sequence[Leftover]:
        """Delete the account with all that is in it."""
        account = account_of(c.azure, c.names.group, c.names.export_account)
        return await delete_ours(c.azure, account, c.run.id)
