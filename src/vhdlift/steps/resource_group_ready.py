"""The resource group of the target: used if it is there, made if not."""

from __future__ import annotations

from typing import TYPE_CHECKING

from vhdlift.azure.ownership import settled
from vhdlift.azure.removal_parts import group_of, remove_group
from vhdlift.azure.waiting import asked

if TYPE_CHECKING:
    from collections.abc import Sequence

    from vhdlift.errors import Leftover
    from vhdlift.steps.base import Context, Made


class ResourceGroupReady:
    """Everything the run makes lies in this group; a group that was there before stays."""

    name = "resource_group_ready"
    title = "Find or create the target's resource group"
    needs: tuple[str, ...] = ()

    async def do(self, c: Context) -> Made:
        """Use the group, or make it; one that is being deleted is waited for and made anew."""
        group = group_of(c.azure, c.names.group)
        if await settled(c.azure, group) is None:
            await c.ledger(group.id)
            await asked(
                c.azure.resources.resource_groups.create_or_update,
                c.names.group,
                {"location": c.run.spec.location, "tags": c.run.tags},
                what=f"creating {group.what}",
                scale=c.azure.scale,
            )
        return {"resource_group_id": group.id}

    async def undo(self, c: Context) -> Sequence[Leftover]:
        """Delete the group if this run made it and nothing is left in it."""
        return await remove_group(c.azure, c.names.group, c.run.id)
