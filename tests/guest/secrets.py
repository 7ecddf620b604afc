"""Whether a secret is told, kept or given to a program as an argument: followed from variable to variable.

A value is secret by its name at the script's head. It stays one through concatenation, lists and encodings,
and ends in what sends it to where it belongs: a request of `[Vhdlift.Web]`, or a program's standard input.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from tests.guest.grammar import command_name, functions, line, text_of, walk

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tree_sitter import Node

# AzCopy takes its SAS by argument only; docs/guest.md says so.
_BY_ARGUMENT_ONLY = {"Send-Artefact"}
_SECRET = re.compile(
    r"SNAPSHOT_URL|AZURE_SAS_TOKEN|WEBHOOK_URL|WEBHOOK_SECRET|DROP_PASSWORD|PIN_PASSWORD|Get-BlobUrl|Get-Password\b",
    re.IGNORECASE,
)
_SAFE = re.compile(
    r"\[Vhdlift\.(Web|Scrubber|Pages|Listing|Download)\]|-Text\s+\(.*?\)|\s-(eq|ne)\s+''", re.IGNORECASE
)
_TELLING = {
    *("write-log", "send-progress", "set-fact", "set-change", "write-output", "write-host", "stop-final"),
    *(
        "new-skipped",
        "set-blob",
        "set-blobsurely",
        "write-jsonfile",
        "invoke-native",
        "new-scheduledtaskaction",
    ),
    *("register-ownservice", "stop-forrestart"),
}
_VARIABLE = re.compile(r"\$(?:script:)?(\w+)", re.IGNORECASE)
_KEEPING = re.compile(r"\[IO\.File\]::(Write|Append)|\[Vhdlift\.(Files|Native)\]|\[Console\]", re.IGNORECASE)


def untold(_text: str, root: Node) -> Iterator[str]:
    """Where a secret reaches what logs, tells, keeps or runs."""
    for function in functions(root).values():
        if text_of(function.children[1]) not in _BY_ARGUMENT_ONLY:
            yield from _leaks(function, _tainted(function))
    inside = {n.id for f in functions(root).values() for n in walk(f)}
    yield from _leaks(root, set(), without=inside)


def _tainted(function: Node) -> set[str]:
    """The variables that hold a secret at some time, in lower case."""
    found: set[str] = set()
    for _ in range(4):
        for assignment in walk(function, "assignment_expression"):
            left, _, right = text_of(assignment).partition("=")
            if _holds(right, found):
                found |= {name.lower() for name in _VARIABLE.findall(left)}
    return found


def _holds(text: str, tainted: set[str]) -> bool:
    if _SAFE.search(text):
        return False
    names = {name.lower() for name in _VARIABLE.findall(text)}
    return bool(_SECRET.search(text)) or bool(names & tainted)


def _leaks(place: Node, tainted: set[str], without: set[int] | None = None) -> Iterator[str]:
    skip = without or set()
    for command in walk(place, "command"):
        telling = command_name(command).lower() in _TELLING
        if command.id not in skip and telling and _holds(text_of(command), tainted):
            yield f"{line(command)}: {text_of(command)[:60]}"
    for call in walk(place, "invokation_expression"):
        if call.id not in skip and _KEEPING.match(text_of(call)) and _holds(text_of(call), tainted):
            yield f"{line(call)}: {text_of(call)[:60]}"
