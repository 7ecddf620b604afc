"""Network security groups: their rules, inline and one by one, and the six that every group has."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from armlocal.errors import ArmError
from armlocal.providers.base import Call, Reply, required
from armlocal.providers.network_common import (
    NIC,
    Write,
    begin_delete,
    begin_write,
    check_match,
    child_lister,
    getter,
    lister,
    place,
    tagger,
)
from armlocal.providers.network_rules import check_conflicts, check_rule, default_rules
from armlocal.providers.regions import check_region
from armlocal.state import make_resource

if TYPE_CHECKING:
    from armlocal.providers.base import Routes
    from armlocal.state import Resource, World

Json = dict[str, Any]
TYPE = "Microsoft.Network/networkSecurityGroups"
RULE = TYPE + "/securityRules"
SUBNET = "Microsoft.Network/virtualNetworks/subnets"
LISTS: Json = {
    "sourcePortRanges": [],
    "destinationPortRanges": [],
    "sourceAddressPrefixes": [],
    "destinationAddressPrefixes": [],
}


async def put_group(call: Call) -> Reply:
    """Makes or changes a group; its rules become those of the body, none when the body has none."""
    world = call.world
    old = world.find(call.id.text)
    check_match(call, old)
    check_region(call)
    if old is not None:
        call.refuse_if_busy(old)
    listed = (call.body.get("properties") or {}).get("securityRules") or []
    rules = {
        str(required(row, "name")): _rule_properties(row["name"], row.get("properties") or {})
        for row in listed
    }
    check_conflicts(rules)
    changed = old is None or rules != {r.name: _asked(r) for r in world.children(old.id, RULE)}
    group = old or world.add(make_resource(call.id.text, TYPE, {"etag": ""}))
    place(group, call.body)
    group.properties.setdefault("resourceGuid", world.new_guid())
    _replace_rules(world, group, rules)
    write = Write("PutNetworkSecurityGroupOperation", "nsg_put", (1, 1), changed)
    headers = await begin_write(call, write, group, *world.children(group.id, RULE))
    return Reply(201 if old is None else 200, render_group(world, group), headers)


def _asked(rule: Resource) -> Json:
    return {k: v for k, v in rule.properties.items() if k != "provisioningState"}


def _replace_rules(world: World, group: Resource, rules: dict[str, Json]) -> None:
    kept = {name.lower() for name in rules}
    for rule in world.children(group.id, RULE):
        if rule.name.lower() not in kept:
            world.remove(rule.id)
    for name, properties in rules.items():
        _put_rule(world, f"{group.id}/securityRules/{name}", properties)


def _put_rule(world: World, rule_id: str, properties: Json) -> Resource:
    rule = world.find(rule_id)
    if rule is None:
        rule = world.add(make_resource(rule_id, RULE, {"etag": ""}))
    rule.body["properties"] = {"provisioningState": "Updating", **properties}
    return rule


def _rule_properties(name: str, given: Json) -> Json:
    asked = {k: v for k, v in given.items() if k != "provisioningState" and v is not None}
    check_rule(name, asked)
    return {**LISTS, **asked}


async def put_rule(call: Call) -> Reply:
    """Makes or changes one rule. Rules of one group may be put at the same time, as recorded."""
    world = call.world
    group = world.resources[call.id.parent.key]
    old = world.find(call.id.text)
    check_match(call, old)
    if old is not None:
        call.refuse_if_busy(old)
    properties = _rule_properties(call.id.name, call.body.get("properties") or {})
    others = {r.name: r.properties for r in world.children(group.id, RULE) if r.key != call.id.key}
    check_conflicts({**others, call.id.name: properties})
    rule = _put_rule(world, call.id.text, properties)
    headers = await begin_write(call, Write("PutSecurityRuleOperation", "nsg_rule_put", (1, 2)), rule)
    return Reply(201 if old is None else 200, rule.body, headers)


async def delete_rule(call: Call) -> Reply:
    """Takes one rule away."""
    rule = call.world.find(call.id.text)
    if rule is None:
        return Reply(204)
    check_match(call, rule)
    call.refuse_if_busy(rule)
    return await begin_delete(call, rule, "nsg_rule_delete", "DeleteSecurityRuleOperation", 10)


async def delete_group(call: Call) -> Reply:
    """Takes a group away, unless something uses it. Source: `test_delete_dependent_resources` [18]."""
    group = call.world.find(call.id.text)
    if group is None:
        return Reply(204)
    check_match(call, group)
    users = _users(call.world, group, NIC) + _users(call.world, group, SUBNET)
    if users:
        message = (
            f"Network security group {group.id} cannot be deleted because it is in use by the "
            "following resources: "
            f"{', '.join(users)}. In order to delete the Network security group, remove the "
            "association with the "
            "resource(s). To learn how to do this, see aka.ms/deletensg."
        )
        raise ArmError(400, "InUseNetworkSecurityGroupCannotBeDeleted", message, details=[])
    call.refuse_if_busy(group)
    return await begin_delete(call, group, "nsg_delete", "DeleteNetworkSecurityGroupOperation", 1)


def _users(world: World, group: Resource, type_: str) -> list[str]:
    found = world.of_type(type_)
    return [
        r.id
        for r in found
        if (r.properties.get("networkSecurityGroup") or {}).get("id", "").lower() == group.key
    ]


def render_group(world: World, group: Resource) -> Json:
    """The group as GET shows it: its rules, the six default ones, and who uses it."""
    properties: Json = {
        **group.properties,
        "securityRules": [rule.body for rule in world.children(group.id, RULE)],
        "defaultSecurityRules": default_rules(group.id, group.body["etag"], group.state),
    }
    for key, type_ in (("networkInterfaces", NIC), ("subnets", SUBNET)):
        users = _users(world, group, type_)
        if users:
            properties[key] = [{"id": user} for user in users]
    return {**group.body, "properties": properties}


def render_rule(_: World, rule: Resource) -> Json:
    """The rule as GET shows it."""
    return rule.body


ROUTES: Routes = {
    f"PUT {TYPE}": put_group,
    f"GET {TYPE}": getter(render_group),
    f"LIST {TYPE}": lister(render_group),
    f"PATCH {TYPE}": tagger(render_group),
    f"DELETE {TYPE}": delete_group,
    f"PUT {RULE}": put_rule,
    f"GET {RULE}": getter(render_rule),
    f"LIST {RULE}": child_lister(render_rule),
    f"DELETE {RULE}": delete_rule,
}
