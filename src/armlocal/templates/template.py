"""A template read: its parameters' values, its resources with their bodies, and who waits for whom."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from armlocal.templates.expressions import evaluate, invalid
from armlocal.templates.functions import functions, resource_path

if TYPE_CHECKING:
    from armlocal.templates.expressions import Functions

Json = dict[str, Any]
TYPES = {
    "string": "String",
    "securestring": "SecureString",
    "int": "Int",
    "bool": "Bool",
    "object": "Object",
    "secureobject": "SecureObject",
    "array": "Array",
}
_NOT_SENT = ("name", "type", "apiVersion", "dependsOn", "condition", "comments", "metadata", "scope")
_UNKNOWN = ("copy", "resources")


@dataclass(frozen=True)
class Planned:
    """One resource of a template.

    Attributes:
        id: the full id.
        type: as the template spells it.
        name: its whole name, `vnet/subnet` of a child.
        api_version: to make it with.
        location: "" when it has none.
        body: what is PUT.
        needs: ids of those resources of the same template that come first.
    """

    id: str
    type: str
    name: str
    api_version: str
    location: str
    body: Json
    needs: tuple[str, ...]


@dataclass(frozen=True)
class Template:
    """A template with all its expressions worked out.

    Attributes:
        parameters: as the deployment shows them: no secret has a value.
        resources: in the order of the template.
        outputs: name to type and value.
    """

    parameters: Json
    resources: list[Planned]
    outputs: Json


def read_template(properties: Json, subscription: Json, group: Json) -> Template:
    """Reads the properties of a deployment.

    Raises:
        ArmError: 400 InvalidTemplate.
    """
    template = properties.get("template")
    if not isinstance(template, dict) or "resources" not in template:
        raise invalid("The template has no resources")
    declared = template.get("parameters") or {}
    values = _values(declared, properties.get("parameters") or {})
    known = functions(subscription, group, values, template.get("variables") or {})
    rows = [row for row in template["resources"] if evaluate(row.get("condition", True), known)]
    planned = [_planned(row, known, subscription["subscriptionId"], group["name"]) for row in rows]
    resources = [_with_needs(p, row, planned, known) for p, row in zip(planned, rows, strict=True)]
    _refuse_circles(resources)
    return Template(_shown(declared, values), resources, evaluate(template.get("outputs") or {}, known))


def _values(declared: Json, given: Json) -> Json:
    for name in given:
        if name not in declared:
            raise invalid(f"The template parameters '{name}' in the parameters file are not valid")
    values = {}
    for name, parameter in declared.items():
        if name in given:
            values[name] = given[name].get("value")
        elif "defaultValue" in parameter:
            values[name] = parameter["defaultValue"]
        else:
            raise invalid(f"The value for the template parameter '{name}' is not provided")
    return values


def _shown(declared: Json, values: Json) -> Json:
    shown = {}
    for name, parameter in declared.items():
        type_ = TYPES.get(str(parameter.get("type")).lower(), "String")
        shown[name] = (
            {"type": type_} if type_.startswith("Secure") else {"type": type_, "value": values[name]}
        )
    return shown


def _planned(row: Json, known: Functions, subscription: str, group: str) -> Planned:
    for key in _UNKNOWN:
        if row.get(key):
            raise invalid(f"'{key}' of a resource is not carried here")
    type_, name = str(evaluate(row["type"], known)), str(evaluate(row["name"], known))
    body = {key: evaluate(value, known) for key, value in row.items() if key not in _NOT_SENT}
    return Planned(
        id=resource_path(subscription, group, type_, tuple(name.split("/"))),
        type=type_,
        name=name,
        api_version=str(row["apiVersion"]),
        location=str(body.get("location") or ""),
        body=body,
        needs=(),
    )


def _with_needs(resource: Planned, row: Json, planned: list[Planned], known: Functions) -> Planned:
    needs = [_find(str(evaluate(text, known)), resource, planned) for text in row.get("dependsOn") or ()]
    return Planned(**{**resource.__dict__, "needs": tuple(need.id for need in needs)})


def _find(text: str, resource: Planned, planned: list[Planned]) -> Planned:
    """Whom a `dependsOn` names: by its id, by type and name, or by its name alone."""
    for other in planned:
        namespace, *kinds = other.type.split("/")
        pairs = "/".join(f"{k}/{n}" for k, n in zip(kinds, other.name.split("/"), strict=True))
        if text.lower() in (other.id.lower(), f"{namespace}/{pairs}".lower(), other.name.lower()):
            return other
    raise invalid(f"The resource '{text}' that '{resource.name}' depends on is not defined in the template")


def _refuse_circles(resources: list[Planned]) -> None:
    left = {resource.id: set(resource.needs) for resource in resources}
    while left:
        ready = [key for key, needs in left.items() if not needs & left.keys()]
        if not ready:
            raise invalid(f"Circular dependency detected on resource: '{next(iter(left))}'")
        for key in ready:
            del left[key]
