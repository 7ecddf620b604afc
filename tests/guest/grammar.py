"""The syntax tree of PowerShell, by tree-sitter: the nearest to a PowerShell that every machine has."""

from __future__ import annotations

from typing import TYPE_CHECKING

import tree_sitter_powershell
from tree_sitter import Language, Node, Parser

if TYPE_CHECKING:
    from collections.abc import Iterator

_PARSER = Parser(Language(tree_sitter_powershell.language()))


def parse(text: str) -> Node:
    """The root of the tree."""
    return _PARSER.parse(text.encode()).root_node


def text_of(node: Node) -> str:
    """The characters of a node."""
    assert node.text is not None
    return node.text.decode()


def walk(node: Node, kind: str | None = None) -> Iterator[Node]:
    """The node and all below it, or those of one kind."""
    if kind is None or node.type == kind:
        yield node
    for child in node.children:
        yield from walk(child, kind)


def broken(root: Node) -> list[str]:
    """What the grammar could not read, as `line: text`."""
    return [f"{n.start_point[0] + 1}: {text_of(n)[:60]}" for n in walk(root) if n.is_error or n.is_missing]


def line(node: Node) -> int:
    """The line a node starts at, from 1."""
    return node.start_point[0] + 1


def command_name(command: Node) -> str:
    """What a command calls: a name, or `&` and an expression."""
    named = next((c for c in command.children if c.type == "command_name"), None)
    return text_of(named) if named else text_of(command.children[0])


def parameters(command: Node) -> list[str]:
    """The names of the parameters given to a command, without the dash."""
    elements = next((c for c in command.children if c.type == "command_elements"), None)
    if elements is None:
        return []
    return [text_of(e).lstrip("-").rstrip(":") for e in elements.children if e.type == "command_parameter"]


def functions(root: Node) -> dict[str, Node]:
    """All functions by name."""
    return {text_of(f.children[1]): f for f in walk(root, "function_statement")}


def declared(function: Node) -> list[str]:
    """The names of a function's parameters."""
    found = []
    for parameter in walk(function, "script_parameter"):
        variable = next(c for c in parameter.children if c.type == "variable")
        found.append(text_of(variable).lstrip("$"))
    return found
