"""Which keys a JSON body has, as one short line of text.

`id,properties{provisioningState=Succeeded,subnets[]{id,name}}` is a body with `id` and `properties`; the
values of a few keys that are words of the protocol are kept, all others are left out. `[]` is a list, and
what is in its entries is told once for all of them. What is below `tags` is the client's own.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterable

TOLD = ("code", "status", "provisioningState", "diskState")
"""Keys whose values are kept."""
OPAQUE = ("tags",)
Tree = dict[str, Any]


def paths_of(body: Any, at: str = "") -> set[str]:
    """The paths of all keys of a body: `properties.subnets[].id`."""
    if isinstance(body, list):
        return {f"{at}[]"}.union(*(paths_of(item, f"{at}[]") for item in body))
    if isinstance(body, dict):
        return set().union(*(_paths_of_key(key, value, f"{at}.{key}") for key, value in body.items()))
    return {at} if at else set()


def _paths_of_key(key: str, value: Any, path: str) -> set[str]:
    path = path.removeprefix(".")
    if isinstance(value, str) and key in TOLD:
        return {f"{path}={value}"}
    if key in OPAQUE or not isinstance(value, (dict, list)):
        return {path}
    return paths_of(value, path) | ({path} if isinstance(value, dict) else set())


def fold(paths: Iterable[str]) -> str:
    """The line of these paths."""
    tree: Tree = {}
    for path in paths:
        node = tree
        for part in path.split("."):
            node = node.setdefault(part, {})
    return _fold(tree)


def _fold(tree: Tree) -> str:
    return ",".join(name + (f"{{{_fold(below)}}}" if below else "") for name, below in sorted(tree.items()))


def unfold(line: str) -> set[str]:
    """The paths that a line tells of."""
    found, above, path = set(), [""], ""
    for token in re.findall(r"[{},]|[^{},]+", line):
        if token == "{":
            above.append(f"{path}.")
        elif token == "}":
            above.pop()
        elif token != ",":
            path = above[-1] + token
            found.add(path)
    return found
