"""Whether a policy's rule holds for a resource: the part of the language that deny policies mostly use.

Source: Microsoft's "Azure Policy definition structure": `allOf`, `anyOf`, `not`; the conditions below; fields
by name, by tag and by alias; `parameters()` and `concat()`. A rule with anything else is refused when it is
assigned, so that nothing is judged wrongly.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

Json = dict[str, Any]
CONDITIONS = ("equals", "notEquals", "in", "notIn", "like", "notLike", "exists", "contains", "notContains")
ALIASES = {
    "microsoft.compute/virtualmachines/sku.name": "properties.hardwareProfile.vmSize",
    "microsoft.network/networkinterfaces/ipconfigurations[*].publicipaddress.id": (
        "properties.ipConfigurations[*].properties.publicIPAddress.id"
    ),
}
_PARAMETER = re.compile(r"^\[parameters\('([^']+)'\)\]$")
_CONCAT = re.compile(r"^\[concat\('tags\[', parameters\('([^']+)'\), '\]'\)\]$")
_TAG = re.compile(r"^tags\['?([^'\]]+)'?\]$", re.IGNORECASE)
_TAG_AFTER_DOT = re.compile(r"^tags\.(.+)$", re.IGNORECASE)


class UnknownRuleError(ValueError):
    """A rule with something that is not understood here."""


@dataclass
class Judgement:
    """A resource against the parameters of an assignment; `seen` are the expressions that were looked at."""

    resource: Json
    parameters: Mapping[str, Any]
    seen: list[Json] = field(default_factory=list)

    def holds(self, rule: Json) -> bool:
        """Whether the condition is true of the resource.

        Raises:
            UnknownRuleError: it has something else than the part above.
        """
        if "allOf" in rule:
            return all(self.holds(part) for part in rule["allOf"])
        if "anyOf" in rule:
            return any(self.holds(part) for part in rule["anyOf"])
        if "not" in rule:
            return not self.holds(rule["not"])
        return self._compared(rule)

    def value(self, given: Any) -> Any:
        """A literal, or what it stands for."""
        if isinstance(given, str) and (match := _PARAMETER.match(given)):
            return self.parameters.get(match[1])
        if isinstance(given, str) and (match := _CONCAT.match(given)):
            return f"tags[{self.parameters.get(match[1])}]"
        if isinstance(given, str) and given.startswith("[") and not given.startswith("[["):
            raise UnknownRuleError(f"the expression {given} is not understood")
        return given

    def _compared(self, rule: Json) -> bool:
        operator = next((name for name in CONDITIONS if name in rule), None)
        if operator is None or "field" not in rule:
            raise UnknownRuleError(f"the condition {sorted(rule)} is not understood")
        name, target = str(self.value(rule["field"])), self.value(rule[operator])
        found = list(_read(self.resource, name))
        result = _fulfils(operator, found, target)
        shown = found[0] if len(found) == 1 else found or None
        self.seen.append(
            {
                "result": str(result),
                "expressionKind": "Field",
                "expression": name,
                "path": name,
                "expressionValue": shown,
                "targetValue": target,
                "operator": operator[0].upper() + operator[1:],
            }
        )
        return result


def _fulfils(operator: str, found: list[Any], target: Any) -> bool:
    """A condition on several values, as `[*]` gives, must hold for each of them."""
    if operator == "exists":
        return bool(found) == (str(target).lower() == "true")
    negative = operator.startswith("not")
    kind = operator[3].lower() + operator[4:] if negative else operator
    if not found:
        return negative
    return all(_matches(kind, value, target) != negative for value in found)


def _matches(kind: str, value: Any, target: Any) -> bool:
    own = _text(value)
    if kind == "equals":
        return own == _text(target)
    if kind == "in":
        return own in [_text(one) for one in target or []]
    if kind == "contains":
        return _text(target) in own
    before, star, after = _text(target).partition("*")
    return own.startswith(before) and own.endswith(after) if star else own == before


def _text(value: Any) -> str:
    return str(value).lower()


def _read(resource: Json, name: str) -> Iterable[Any]:
    """The values of a field; none when it is not there."""
    if match := _TAG.match(name) or _TAG_AFTER_DOT.match(name):
        tags = resource.get("tags") or {}
        return [value for key, value in tags.items() if key.lower() == match[1].lower()]
    path = ALIASES.get(name.lower(), name)
    if path == name and "/" in name:
        path = f"properties.{name.rpartition('/')[2]}"
    return _walk(resource, path.split("."))


def _walk(node: Any, parts: list[str]) -> list[Any]:
    if not parts:
        return [] if node is None else [node]
    if not isinstance(node, dict):
        return []
    name, star, _ = parts[0].partition("[*]")
    child = next((value for key, value in node.items() if key.lower() == name.lower()), None)
    if star:
        return [value for one in child or [] for value in _walk(one, parts[1:])]
    return _walk(child, parts[1:]) if child is not None else []
