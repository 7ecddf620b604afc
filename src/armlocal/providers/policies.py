"""Policies: definitions, their assignments, what they refuse, and the question what they would refuse.

Shapes: Microsoft's references of `Microsoft.Authorization/policyAssignments` and of
`Microsoft.PolicyInsights/checkPolicyRestrictions`. The refusal (`RequestDisallowedByPolicy`, HTTP 403) is as
operators quote it from the live service. Of the built-in definitions a few are here, with their ids and
rules (`policy_builtins.json`); effects other than deny are kept and do nothing.
"""

from __future__ import annotations

import json
from functools import cache
from importlib.resources import files
from typing import TYPE_CHECKING, Any

from armlocal.errors import ArmError
from armlocal.ids import GROUP_TYPE, parse_id, scope_of
from armlocal.providers.base import Call, Reply, list_resources, required
from armlocal.providers.policy_rules import Judgement, UnknownRuleError
from armlocal.state import make_resource

if TYPE_CHECKING:
    from collections.abc import Iterator

    from armlocal.providers.base import Routes
    from armlocal.state import Resource, World

Json = dict[str, Any]
ASSIGNMENT = "Microsoft.Authorization/policyAssignments"
DEFINITION = "Microsoft.Authorization/policyDefinitions"
GROUP_AS_POLICIES_SAY = "Microsoft.Resources/subscriptions/resourceGroups"
_BUILTIN = f"/providers/{DEFINITION}/"


@cache
def builtins() -> dict[str, Json]:
    """Definitions that every subscription has, by their guid."""
    text = files("armlocal.providers").joinpath("policy_builtins.json").read_text(encoding="utf-8")
    known: dict[str, Json] = json.loads(text)
    return known


async def put_definition(call: Call) -> Reply:
    """A definition of the subscription's own."""
    required(call.body, "properties", "policyRule")
    return _put(call, DEFINITION)


async def put_assignment(call: Call) -> Reply:
    """A definition comes into force at a scope."""
    definition_id = str(required(call.body, "properties", "policyDefinitionId"))
    definition = _definition(call.world, definition_id)
    if definition is None:
        message = f"The policy definition '{definition_id}' could not be found."
        raise ArmError(404, "PolicyDefinitionNotFound", message, gateway=True)
    try:
        _judged({}, definition, call.body["properties"])
    except UnknownRuleError as error:
        raise ArmError(400, "InvalidPolicyRule", f"The stand-in cannot judge it: {error}.") from error
    return _put(call, ASSIGNMENT)


def _put(call: Call, type_: str) -> Reply:
    is_new = call.world.find(call.id.text) is None
    made = make_resource(call.id.text, type_, {"properties": dict(call.body["properties"])})
    return Reply(201 if is_new else 200, call.world.add(made).body)


async def delete(call: Call) -> Reply:
    """Takes a definition or an assignment away."""
    if call.world.find(call.id.text) is None:
        return Reply(204)
    body = call.found().body
    call.world.remove(call.id.text)
    return Reply(200, body)


async def get(call: Call) -> Reply:
    """One definition or assignment."""
    return Reply(200, call.found().body)


async def list_assignments(call: Call) -> Reply:
    """The assignments at a scope, and those that it has from above."""
    found = _in_force(call.world, scope_of(call.id))
    return Reply(200, {"value": [one.body for one in found]})


async def check_restrictions(call: Call) -> Reply:
    """Which assignments would refuse a resource that may not exist yet."""
    content = dict(required(call.body, "resourceDetails", "resourceContent"))
    rows = [
        row
        for row in _evaluations(call.world, scope_of(call.id), content)
        if row["effectDetails"]["policyEffect"] == "Deny" and row["evaluationResult"] == "NonCompliant"
    ]
    return Reply(200, {"fieldRestrictions": [], "contentEvaluationResult": {"policyEvaluations": rows}})


def refuse_if_disallowed(call: Call) -> None:
    """Lets nothing be made that a policy denies.

    Raises:
        ArmError: 403 RequestDisallowedByPolicy.
    """
    if call.method not in ("PUT", "PATCH") or call.type.startswith("Microsoft.Authorization/"):
        return
    group = call.type == GROUP_TYPE
    content = {**call.body, "type": GROUP_AS_POLICIES_SAY if group else call.type, "name": call.id.name}
    if call.method == "PATCH":
        old = call.world.find(call.id.text)
        content = {**(old.body if old else {}), **content}
    for row in _evaluations(call.world, call.id.text, content):
        if row["evaluationResult"] == "NonCompliant" and row["effectDetails"]["policyEffect"] == "Deny":
            raise _disallowed(call, row["policyInfo"])


def _disallowed(call: Call, info: Json) -> ArmError:
    told = [{"policyAssignment": {"id": info["policyAssignmentId"]}}]
    message = f"Resource '{call.id.name}' was disallowed by policy. Policy identifiers: '{json.dumps(told)}'."
    return ArmError(403, "RequestDisallowedByPolicy", message, target=call.id.name, gateway=True)


def _evaluations(world: World, scope: str, content: Json) -> Iterator[Json]:
    """Every assignment's word on a resource: type, name, location, tags and properties."""
    for assignment in _in_force(world, scope):
        properties = assignment.properties
        if str(properties.get("enforcementMode", "Default")) != "Default":
            continue
        definition_id = str(properties["policyDefinitionId"])
        definition = _definition(world, definition_id)
        assert definition is not None
        if definition.get("mode") == "Indexed" and content.get("type") == GROUP_AS_POLICIES_SAY:
            continue
        judgement, refused, effect = _judged(content, definition, properties)
        yield {
            "policyInfo": {"policyDefinitionId": definition_id, "policyAssignmentId": assignment.id},
            "evaluationResult": "NonCompliant" if refused else "Compliant",
            "evaluationDetails": {"evaluatedExpressions": judgement.seen},
            "effectDetails": {"policyEffect": effect},
        }


def _judged(content: Json, definition: Json, properties: Json) -> tuple[Judgement, bool, str]:
    declared = definition.get("parameters") or {}
    given = properties.get("parameters") or {}
    values = {name: one.get("defaultValue") for name, one in declared.items()}
    values |= {name: one.get("value") for name, one in given.items()}
    judgement, rule = Judgement(content, values), definition["policyRule"]
    effect = str(judgement.value(rule["then"]["effect"]))
    return judgement, judgement.holds(rule["if"]), effect[:1].upper() + effect[1:]


def _definition(world: World, definition_id: str) -> Json | None:
    if definition_id.lower().startswith(_BUILTIN.lower()):
        return builtins().get(definition_id.rpartition("/")[2].lower())
    found = world.find(definition_id)
    return found.properties if found is not None else None


def _in_force(world: World, scope: str) -> list[Resource]:
    """The assignments at this scope or above it."""
    wanted = scope.lower()
    return [one for one in world.of_type(ASSIGNMENT) if _holds(scope_of(parse_id(one.id)).lower(), wanted)]


def _holds(above: str, scope: str) -> bool:
    return scope == above or scope.startswith(f"{above}/")


ROUTES: Routes = {
    f"PUT {DEFINITION}": put_definition,
    f"GET {DEFINITION}": get,
    f"LIST {DEFINITION}": list_resources,
    f"DELETE {DEFINITION}": delete,
    f"PUT {ASSIGNMENT}": put_assignment,
    f"GET {ASSIGNMENT}": get,
    f"LIST {ASSIGNMENT}": list_assignments,
    f"DELETE {ASSIGNMENT}": delete,
    "POST Microsoft.PolicyInsights/checkPolicyRestrictions": check_restrictions,
}
