"""The rules that every line of the guest's PowerShell keeps; `violations` says where one is broken."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from tests.guest.grammar import broken, command_name, functions, line, parameters, parse, text_of, walk
from tests.guest.secrets import untold

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from tree_sitter import Node

Rule = tuple[str, "Callable[[str, Node], Iterator[str]]"]

_WEB = {"invoke-webrequest", "invoke-restmethod", "iwr", "irm", "wget", "curl"}
_EVAL = {"invoke-expression", "iex"}
_TEXT_FILES = {"out-file", "set-content", "add-content", "tee-object", "export-clixml"}
_PROMPTS = {
    *(
        "format-volume",
        "initialize-disk",
        "remove-partition",
        "remove-partitionaccesspath",
        "resize-partition",
    ),
    *("unregister-scheduledtask", "mount-diskimage", "dismount-diskimage"),
}
_RESERVED = {
    *(
        "args",
        "consolefilename",
        "enabledexperimentalfeatures",
        "error",
        "event",
        "executioncontext",
        "false",
    ),
    *("foreach", "home", "host", "input", "iscoreclr", "islinux", "ismacos", "iswindows", "matches"),
    *(
        "myinvocation",
        "null",
        "pid",
        "profile",
        "psboundparameters",
        "pscmdlet",
        "pscommandpath",
        "psculture",
    ),
    *("psdebugcontext", "pshome", "psitem", "psscriptroot", "psversiontable", "pwd", "sender", "shellid"),
    *("stacktrace", "switch", "this", "true"),
}
_START = (
    "Set-StrictMode -Version 2",
    "$ErrorActionPreference = 'Stop'",
    "$ProgressPreference = 'SilentlyContinue'",
)


def violations(text: str, *, whole: bool = True) -> list[str]:
    """Every broken rule as `rule: where`.

    Args:
        text: PowerShell.
        whole: a script that runs, and not one of its parts.
    """
    root = parse(text)
    rules = [*_RULES, *(_WHOLE if whole else [])]
    return [f"{name}: {where}" for name, rule in rules for where in rule(text, root)]


def _parses(_text: str, root: Node) -> Iterator[str]:
    yield from broken(root)


def _ascii(text: str, _root: Node) -> Iterator[str]:
    for number, row in enumerate(text.split("\n"), start=1):
        if not row.isascii() or "\r" in row or "\0" in row:
            yield f"{number}: {row[:60]!r}"


def _commands(root: Node, names: set[str]) -> Iterator[Node]:
    for command in walk(root, "command"):
        if command_name(command).lower() in names:
            yield command


def _basic_parsing(_text: str, root: Node) -> Iterator[str]:
    for command in _commands(root, _WEB):
        if "usebasicparsing" not in [p.lower() for p in parameters(command)]:
            yield f"{line(command)}: {text_of(command)[:60]}"


def _depth(_text: str, root: Node) -> Iterator[str]:
    for command in _commands(root, {"convertto-json"}):
        if "depth" not in [p.lower() for p in parameters(command)]:
            yield f"{line(command)}: {text_of(command)[:60]}"


def _no_eval(_text: str, root: Node) -> Iterator[str]:
    for command in _commands(root, _EVAL):
        yield f"{line(command)}: {text_of(command)[:60]}"
    for call in walk(root, "invokation_expression"):
        if re.search(r"\[scriptblock\]::create|\.invokescript\(|\.addscript\(", text_of(call), re.IGNORECASE):
            yield f"{line(call)}: {text_of(call)[:60]}"


def _encoding(_text: str, root: Node) -> Iterator[str]:
    """5.1 writes UTF-16 or the ANSI code page: files are written by .NET, with an encoding."""
    for command in _commands(root, _TEXT_FILES):
        yield f"{line(command)}: {text_of(command)[:60]}"
    for redirection in walk(root, "redirection"):
        yield f"{line(redirection)}: {text_of(redirection)[:60]}"


def _native(_text: str, root: Node) -> Iterator[str]:
    """A native program's exit code is looked at: `$LASTEXITCODE` after a call, `.ExitCode` of a Native."""
    for command in walk(root, "command"):
        name = command_name(command)
        if name.lower().endswith((".exe", ".cmd", ".bat")) or (name == "&" and _runs_program(command)):
            after = _rest_of_block(command)
            if "$LASTEXITCODE" not in after:
                yield f"{line(command)}: {text_of(command)[:60]}"
    for function in functions(root).values():
        body = text_of(function)
        if "[Vhdlift.Native]::new" in body and ".ExitCode" not in body and "$work.NextLine()" not in body:
            yield f"{line(function)}: {text_of(function.children[1])}"
        if text_of(function.children[1]) == "Invoke-Native":
            continue  # it hands the exit code on
        calls = body.count("Invoke-Native ")
        looked_at = body.count("Assert-Native ") + len(re.findall(r"\$run\['code'\]", body))
        if calls > looked_at:
            yield f"{line(function)}: {text_of(function.children[1])} runs {calls}, looks at {looked_at}"


def _runs_program(command: Node) -> bool:
    """`&` on anything but a block of script: a literal, a parameter of that type, a phase's work, `$way`."""
    target = text_of(command).removeprefix("&").strip()
    if re.match(r"\{|\$Phase\['work'\]|\$way\b", target, re.IGNORECASE):
        return False
    variable = re.match(r"\$(\w+)", target)
    around: Node | None = command
    while variable and around is not None:
        if re.search(rf"\[scriptblock\]\${variable[1]}\b", text_of(around), re.IGNORECASE):
            return False
        around = around.parent if around.type != "function_statement" else None
    return True


def _rest_of_block(node: Node) -> str:
    statement = node
    while statement.parent is not None and statement.parent.type != "statement_list":
        statement = statement.parent
    following = statement.next_named_sibling
    return text_of(following) if following is not None else ""


def _prompts(_text: str, root: Node) -> Iterator[str]:
    """Nobody is there to answer: what asks by default is told not to."""
    for command in _commands(root, _PROMPTS):
        if "confirm" not in [p.lower() for p in parameters(command)]:
            yield f"{line(command)}: {text_of(command)[:60]}"


def _attached(_text: str, root: Node) -> Iterator[str]:
    """Nobody can open the file of an attached image: what runs inside Invoke-WithImage does not read it."""
    own = functions(root)
    for command in _commands(root, {"invoke-withimage"}):
        blocks = list(walk(command, "script_block_expression"))
        seen: set[str] = set()
        while blocks:
            block = blocks.pop()
            if re.search(r"\[Vhdlift\.(Layout|Footer|HashWork)\]::", text_of(block)):
                yield f"{line(block)}: {text_of(block)[:60]}"
            called = {command_name(c) for c in walk(block, "command")} & own.keys() - seen
            seen |= called
            blocks += [own[name] for name in called]


def _reserved(_text: str, root: Node) -> Iterator[str]:
    """PowerShell's own variables cannot be, or must not be, parameters and targets of an assignment."""
    places = [*walk(root, "script_parameter"), *walk(root, "left_assignment_expression")]
    for place in places:
        variable = next(walk(place, "variable"), None)
        if variable is not None and text_of(variable).lstrip("$").lower() in _RESERVED:
            yield f"{line(place)}: {text_of(variable)}"


def _start(text: str, _root: Node) -> Iterator[str]:
    rows = [r for r in text.split("\n") if r and not r.startswith("#") and not _HEAD.match(r)]
    for wanted, row in zip(_START, [*rows, "", "", ""], strict=False):
        if row != wanted:
            yield f"{wanted} is missing at the start"


def _tls(text: str, _root: Node) -> Iterator[str]:
    if "[Net.SecurityProtocolType]::Tls12" not in text:
        yield "TLS 1.2 is not asked for"


_HEAD = re.compile(r"^\$([A-Z][A-Z0-9_]*) = '((?:[^']|'')*)'$")
_RULES: list[Rule] = [
    ("parses", _parses),
    ("ascii", _ascii),
    ("basic parsing", _basic_parsing),
    ("depth", _depth),
    ("no eval", _no_eval),
    ("encoding", _encoding),
    ("native", _native),
    ("prompts", _prompts),
    ("attached", _attached),
    ("reserved", _reserved),
    ("untold secrets", untold),
]
_WHOLE: list[Rule] = [("start", _start), ("tls", _tls)]
