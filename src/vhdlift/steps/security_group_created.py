"""The network security group: made for this run, or an existing one borrowed and given back as it was."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Any

from vhdlift.azure import network
from vhdlift.azure.ownership import Resource, arm_id, delete_ours, is_ours, made, settled
from vhdlift.azure.removal_parts import remove_rule, rule_of
from vhdlift.azure.values import same_location
from vhdlift.azure.waiting import finished, found
from vhdlift.errors import AzureRefused, Leftover

if TYPE_CHECKING:
    from collections.abc import Sequence

    from vhdlift.steps.base import Context, Made

_ATTEMPTS = 3


class SecurityGroupCreated:
    """Opens the ports of the settings to the addresses of the settings, and nothing else."""

    name = "security_group_created"
    title = "Open the ports in a network security group"
    needs = ("resource_group_ready",)

    async def do(self, c: Context) -> Made:
        """Make the group, or add our rules to one that exists.

        Raises:
            AzureRefused: the existing group is in another location, or has no room for the rules.
        """
        group = _group(c)
        there = await settled(c.azure, group)
        if there is not None and not is_ours(there.tags, c.run.id):
            await _borrow(c, there)
            return {"security_group_id": str(there.id), "security_group_borrowed": True}
        ours = await made(c.azure, group, c.run.id, c.ledger, partial(_create, c))
        return {"security_group_id": str(ours.id), "security_group_borrowed": False}

    async def undo(self, c: Context) -> Sequence[Leftover]:
        """Delete the group, or exactly our rules from one that is not ours."""
        group = _group(c)
        there = await found(group.get, what=f"reading {group.what}", scale=c.azure.scale)
        if there is None:
            return []
        if is_ours(there.tags, c.run.id):
            return await delete_ours(c.azure, group, c.run.id)
        prefix = network.rule_prefix(c.names.short)
        left: list[Leftover] = []
        for name in [r.name for r in there.security_rules or [] if r.name.startswith(prefix)]:
            left += await remove_rule(c.azure, c.names.group, c.names.nsg, name)
        return left


async def _create(c: Context) -> Any:
    spec = c.run.spec
    rules = network.security_rules(c.run)
    return await finished(
        c.azure.network.network_security_groups.begin_create_or_update,
        c.names.group,
        c.names.nsg,
        network.security_group(spec.location, c.run.tags, rules),
        what=f"creating {_group(c).what}",
        kind="network",
        scale=c.azure.scale,
    )


async def _borrow(c: Context, there: Any) -> None:
    """Add our rules; again from a fresh look if somebody took one of the priorities meanwhile."""
    wanted = c.run.spec.location
    if not same_location(there.location, wanted):
        hint = "A group protects interfaces of its own location only; remove it, or choose another --vm-name."
        sentence = f"{_group(c).what} exists already, in {there.location} and not in {wanted}"
        raise AzureRefused(sentence, "WrongLocation", 409, hint)
    for attempt in range(_ATTEMPTS):
        try:
            for rule in _missing(c, there):
                await _add(c, rule)
        except AzureRefused as refusal:
            if refusal.code != "SecurityRuleConflict" or attempt == _ATTEMPTS - 1:
                raise
            there = await settled(c.azure, _group(c))
        else:
            return


def _missing(c: Context, there: Any) -> list[Any]:
    try:
        return network.security_rules(c.run, there.security_rules or [])
    except ValueError as error:
        raise AzureRefused(f"{_group(c).what} has no room: {error}", "NoFreePriority") from None


async def _add(c: Context, rule: Any) -> None:
    resource = rule_of(c.azure, c.names.group, c.names.nsg, rule.name)
    await c.ledger(resource.id)
    await finished(
        c.azure.network.security_rules.begin_create_or_update,
        c.names.group,
        c.names.nsg,
        rule.name,
        rule,
        what=f"adding {resource.what}",
        kind="network",
        scale=c.azure.scale,
    )


def _group(c: Context) -> Resource:
    groups = c.azure.network.network_security_groups
    group, name = c.names.group, c.names.nsg
    return Resource(
        id=arm_id(c.azure, group, f"Microsoft.Network/networkSecurityGroups/{name}"),
        what=f"the network security group {name}",
        get=partial(groups.get, group, name),
        begin_delete=partial(groups.begin_delete, group, name),
    )
