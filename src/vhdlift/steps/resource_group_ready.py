"""The resource group of the target: used if it is there, made if not."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Any

from vhdlift.azure.ownership import Resource, arm_id, delete_now, is_ours, settled
from vhdlift.azure.waiting import asked, found, listed, until
from vhdlift.errors import Leftover, TookTooLong, VhdliftError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from vhdlift.steps.base import Context, Made


class ResourceGroupReady:
    """Everything the run makes lies in this group; a group that was there before stays."""

    name = "resource_group_ready"
    title = "Find or create the target's resource group"
    needs: tuple[str, ...] = ()

    async def do(self, c: Context) -> Made:
        """Use the group, or make it; one that is being deleted is waited for and made anew."""
        group = _group(c)
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
        group = _group(c)
        try:
            there = await found(group.get, what=f"reading {group.what}", scale=c.azure.scale)
            if there is None or not is_ours(there.tags, c.run.id):
                return []
            remaining = await _remaining(c)
            if remaining:
                return [group.leftover(f"it still holds {', '.join(remaining)}")]
            await delete_now(c.azure, group)
        except VhdliftError as error:
            return [group.leftover(str(error))]
        return []


def _group(c: Context) -> Resource:
    groups, name = c.azure.resources.resource_groups, c.names.group
    return Resource(
        id=arm_id(c.azure, name),
        what=f"the resource group {name}",
        get=partial(groups.get, name),
        begin_delete=partial(groups.begin_delete, name),
        kind="group_delete",
        command=f"az group delete --name {name} --yes",
    )


async def _remaining(c: Context) -> list[str]:
    """The ids of what is in the group, once those that are already deleted have left ARM's list.

    ARM's list lags behind deletions, so what is ours is given a minute to disappear.
    """
    seen: list[Any] = []

    async def look() -> list[str] | None:
        seen[:] = await listed(
            c.azure.resources.resources.list_by_resource_group,
            c.names.group,
            what=f"listing the resource group {c.names.group}",
            scale=c.azure.scale,
        )
        lagging = seen and all(is_ours(item.tags, c.run.id) for item in seen)
        return None if lagging else [str(item.id) for item in seen]

    try:
        return await until(look, what="the group's emptiness", scale=c.azure.scale, kind="list")
    except TookTooLong:
        return [str(item.id) for item in seen]
