"""Whether all that the guest's PowerShell names exists: commands, parameters, variables, members of its C#.

Strict mode ends the script at such a mistake, hours into the work; here it ends a test.
"""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import TYPE_CHECKING

from tests.guest.grammar import command_name, declared, functions, line, parameters, parse, text_of, walk

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tree_sitter import Node

_LIST = json.loads((Path(__file__).parent / "cmdlets_5_1.json").read_text())
_CMDLETS = {c.lower(): {p.lower() for p in ps} for m in _LIST["modules"].values() for c, ps in m.items()}
_COMMON = {p.lower() for p in _LIST["common"]}
_AUTOMATIC = {"_", "true", "false", "null", "args", "pscommandpath", "lastexitcode"}
_PREFERENCES = {"erroractionpreference", "progresspreference"}


def unknown(text: str, csharp: str) -> list[str]:
    """Every name that nothing declares, as `line: name`."""
    root = parse(text)
    own = functions(root)
    return [
        *_unknown_commands(root, own),
        *_unknown_variables(root, own),
        *_unknown_members(root, csharp),
        *_unknown_slow(root),
        *(f"{line(f)}: {name} hides a cmdlet" for name, f in own.items() if name.lower() in _CMDLETS),
    ]


def _unknown_commands(root: Node, own: dict[str, Node]) -> Iterator[str]:
    known = {name.lower(): ({p.lower() for p in declared(f)}) for name, f in own.items()}
    for command in walk(root, "command"):
        name = command_name(command).lower()
        if name == "&":
            continue
        allowed = known.get(name, _CMDLETS.get(name))
        if allowed is None:
            yield f"{line(command)}: {name}"
            continue
        extra = set() if name in known else _COMMON
        for parameter in parameters(command):
            if parameter.lower() not in allowed | extra:
                yield f"{line(command)}: {name} -{parameter}"
        if name in known and _positional(command):
            yield f"{line(command)}: {name} is given a value without a parameter's name"


def _unknown_slow(root: Node) -> Iterator[str]:
    """What `Invoke-Slowly` is told to run, by name, with a table of parameters."""
    for command in walk(root, "command"):
        if command_name(command).lower() != "invoke-slowly":
            continue
        given = re.search(r"-Command '([\w-]+)'", text_of(command))
        allowed = _CMDLETS.get(given[1].lower()) if given else None
        if given is None or allowed is None:
            yield f"{line(command)}: {text_of(command)[:60]}"
            continue
        table = next(walk(command, "hash_literal_expression"), None)
        for entry in walk(table, "key_expression") if table is not None else []:
            if text_of(entry).lower() not in allowed | _COMMON:
                yield f"{line(command)}: {given[1]} -{text_of(entry)}"


def _positional(command: Node) -> bool:
    """A value that follows no parameter; a switch takes none, so `-Switch value` is one as well."""
    elements = next((c for c in command.children if c.type == "command_elements"), None)
    before = None
    for element in elements.children if elements else []:
        if element.type == "command_argument_sep":
            continue
        if element.type != "command_parameter" and (before is None or before.type != "command_parameter"):
            return True
        before = element
    return False


def _unknown_variables(root: Node, own: dict[str, Node]) -> Iterator[str]:
    shared = {_name(v)[7:] for v in _assigned(root) if _name(v).startswith("script:")}
    for node in walk(root, "variable"):
        name = _name(node)
        if name.startswith("env:") or name in _AUTOMATIC | _PREFERENCES:
            continue
        if name.startswith("script:"):
            if name[7:] not in shared:
                yield f"{line(node)}: ${name}"
            continue
        function = _around(node, own)
        place = function if function is not None else root
        local = {_name(v) for v in _assigned(place)}
        local |= {p.lower() for p in (declared(function) if function is not None else [])}
        if name not in local:
            yield f"{line(node)}: ${name}"


def _name(variable: Node) -> str:
    return text_of(variable).lstrip("$").strip("{}").lower()


def _around(node: Node, own: dict[str, Node]) -> Node | None:
    found: Node | None = node
    while found is not None and found not in own.values():
        found = found.parent
    return found


def _assigned(place: Node) -> Iterator[Node]:
    """Variables that are given a value: by `=`, by `foreach`."""
    for left in walk(place, "left_assignment_expression"):
        yield from walk(left, "variable")
    for loop in walk(place, "foreach_statement"):
        yield next(c for c in loop.children if c.type == "variable")


def _unknown_members(root: Node, csharp: str) -> Iterator[str]:
    for match in re.finditer(r"\[Vhdlift\.(\w+)\]::(\w+)", text_of(root)):
        kind, member = match.groups()
        body = re.search(rf"\b(?:class|struct) {kind}\b.*?(?=\n    (?:public|\}}))", csharp, re.DOTALL)
        declaration = rf"\b(?:static|const)\b[^;{{=]*\b{member}\b"
        if body is None or (member != "new" and not re.search(declaration, body[0])):
            yield match[0]
