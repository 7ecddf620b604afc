"""The functions of the template language, for one deployment."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from armlocal.templates.expressions import evaluate, invalid

if TYPE_CHECKING:
    from armlocal.templates.expressions import Functions

Json = dict[str, Any]


def functions(subscription: Json, group: Json, parameters: Json, variables: Json) -> Functions:
    """All functions, by name in lower case.

    Args:
        subscription: what `subscription()` is.
        group: what `resourceGroup()` is.
        parameters: values by name.
        variables: of the template, not yet worked out.
    """

    def parameter(name: str) -> Any:
        return _named(parameters, name, "parameter")

    def variable(name: str) -> Any:
        return evaluate(_named(variables, name, "variable"), found)

    def resource_id(*parts: str) -> str:
        return _resource_id(subscription["subscriptionId"], group["name"], parts)

    found: Functions = {
        "parameters": parameter,
        "variables": variable,
        "concat": _concat,
        "format": lambda text, *values: str(text).format(*values),
        "tolower": lambda text: str(text).lower(),
        "toupper": lambda text: str(text).upper(),
        "resourceid": resource_id,
        "resourcegroup": lambda: group,
        "subscription": lambda: subscription,
    }
    return found


def _named(values: Json, name: str, kind: str) -> Any:
    for key, value in values.items():
        if key.lower() == name.lower():
            return value
    raise invalid(f"The template {kind} '{name}' is not found")


def _concat(*parts: Any) -> Any:
    if parts and all(isinstance(part, list) for part in parts):
        return [item for part in parts for item in part]
    return "".join(str(part) for part in parts)


def _resource_id(subscription: str, group: str, parts: tuple[str, ...]) -> str:
    """`resourceId([subscription,] [group,] type, name...)`."""
    at = next((n for n, part in enumerate(parts) if "/" in part), None)
    if at is None:
        raise invalid("The template function 'resourceId' needs a type")
    before, type_, names = parts[:at], parts[at], parts[at + 1 :]
    if before:
        group = before[-1]
    if len(before) > 1:
        subscription = before[0]
    return resource_path(subscription, group, type_, names)


def resource_path(subscription: str, group: str, type_: str, names: tuple[str, ...]) -> str:
    """The id of a resource of this full type with these names, outermost first.

    Raises:
        ArmError: 400, there are more or fewer names than the type has parts.
    """
    namespace, *kinds = type_.split("/")
    if len(kinds) != len(names):
        raise invalid(
            f"The type '{type_}' and the name '{'/'.join(names)}' have different numbers of segments"
        )
    path = "".join(f"/{kind}/{name}" for kind, name in zip(kinds, names, strict=True))
    return f"/subscriptions/{subscription}/resourceGroups/{group}/providers/{namespace}{path}"
