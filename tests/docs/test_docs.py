"""The documents say what is there: commands, options, paths, names and exit codes are looked up."""

from __future__ import annotations

import re
import shlex
from importlib import import_module
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest

from armlocal.__main__ import _parser as armlocal_parser
from vhdlift.cli.group import COMMANDS, load
from vhdlift.errors import EXIT_MEANINGS, ExitCode
from vhdlift.options import SETTINGS
from vhdlift.steps import PROVISION

ROOT = Path(__file__).parents[2]
PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md"))]
TEXT = "\n".join(page.read_text(encoding="utf-8") for page in PAGES)
# Where a path in a page may begin: the repository, or the package that the page is about.
BASES = [ROOT, ROOT / "src", ROOT / "src/vhdlift", ROOT / "src/vhdlift/guest", ROOT / "docs"]
SUFFIXES = "py|ps1|cs|md|toml|json|txt|html|bin"
HELPERS = [
    "print_info",
    "print_warn",
    "print_error",
    "print_success",
    "post_status_update",
    "create_storage_account",
    "ensure_container_exists",
    "upload_blob_and_generate_sas",
    "create_vhd_export_container_and_sas",
    "get_compatible_vm_sizes",
    "check_vm_size_compatibility",
    "check_ns_delegation",
    "check_ns_delegation_with_retries",
    "cleanup_temp_storage",
    "cleanup_resources_on_failure",
    "stop_vm_to_snapshot",
    "restart_vm",
    "create_vm_snapshot_and_generate_sas",
]


def fenced(text: str) -> list[str]:
    """The lines of all shell blocks, continued lines joined, prompts and comments taken away."""
    blocks = re.findall(r"^ *```(?:sh|text|console)\n(.*?)^ *```", text, re.DOTALL | re.MULTILINE)
    joined = "\n".join(blocks).replace("\\\n", " ")
    return [line.strip().removeprefix("$ ") for line in joined.splitlines()]


def called(program: str) -> list[str]:
    """Every command line of a program in a shell block."""
    return sorted({line for line in fenced(TEXT) if line.startswith(f"{program} ")})


def inline() -> list[str]:
    """Every `vhdlift ...` within a sentence."""
    prose = re.sub(r"^ *```.*?^ *```", "", TEXT, flags=re.DOTALL | re.MULTILINE)
    return sorted(set(re.findall(r"`(vhdlift [^`]+)`", prose)))


def paths() -> list[str]:
    """Everything in backticks, and every link, that looks like a file of the repository."""
    quoted = re.findall(rf"`((?:[\w.-]+/)*[\w.-]+/[\w.-]+\.(?:{SUFFIXES}))`", TEXT)
    folders = re.findall(r"`((?:[\w.-]+/){2,})`", TEXT)
    links = re.findall(r"\]\(((?!https?:)[^)#]+)", TEXT)
    return sorted({*quoted, *folders, *links} - {"phases/NN_name.ps1"})


def rows(head: str) -> list[list[str]]:
    """The cells of the table that begins with this line; a cell that is all code is given bare."""
    body = TEXT.split(f"\n{head}\n", 1)[1].split("\n\n", 1)[0].splitlines()[1:]
    table = [line.strip("|").split("|") for line in body if line.startswith("|")]
    return [[re.sub(r"^`([^`]*)`$", r"\1", cell.strip()) for cell in row] for row in table]


def options_of(command: Any) -> set[str]:
    """The spellings of a command's options."""
    return {spelling for parameter in command.params for spelling in parameter.opts} | {"--help"}


@pytest.mark.parametrize("line", called("vhdlift"))
def test_a_command_in_a_block_can_be_given_as_it_stands(line: str) -> None:
    """The command is known, and its own parser takes every option and argument."""
    _, name, *arguments = shlex.split(line, comments=True)
    assert name in COMMANDS
    load(name).make_context(name, arguments)


@pytest.mark.parametrize("line", called("armlocal"))
def test_a_command_of_the_stand_in_can_be_given_as_it_stands(line: str) -> None:
    """Its own parser takes it."""
    armlocal_parser().parse_args(shlex.split(line, comments=True)[1:])


@pytest.mark.parametrize("line", inline())
def test_a_command_in_a_sentence_is_one_that_there_is(line: str) -> None:
    """The command and each option that is named with it are known."""
    _, name, *more = line.split()
    if name.startswith("-"):
        assert name in {"--help", "--version"}
        return
    assert name in {*COMMANDS, "COMMAND"}
    given = {word.partition("=")[0] for word in more if word.startswith("-")}
    assert given <= options_of(load(name))


def test_every_option_that_is_named_exists() -> None:
    """An option in backticks belongs to a command of ours."""
    named = set(re.findall(r"`(--[a-z][a-z-]+)\b", TEXT))
    ours = set().union(*(options_of(load(name)) for name in COMMANDS)) | {"--port", "--time-scale"}
    assert named - ours == set()


@pytest.mark.parametrize("path", paths())
def test_a_path_that_is_named_exists(path: str) -> None:
    assert any((base / path).exists() for base in BASES), path


@pytest.mark.parametrize("name", [step.name for step in PROVISION])
def test_every_step_is_documented(name: str) -> None:
    assert f"`{name}`" in TEXT


@pytest.mark.parametrize("name", COMMANDS)
def test_every_command_is_documented(name: str) -> None:
    assert re.search(rf"\bvhdlift {name}\b", TEXT)


@pytest.mark.parametrize("name", [info.env for info in SETTINGS])
def test_every_variable_is_documented(name: str) -> None:
    assert f"`{name}`" in TEXT


def test_every_exit_code_is_documented_as_it_is_meant() -> None:
    told = {int(code): meaning for code, meaning in rows("| code | meaning |")}
    assert told == {int(code): meaning for code, meaning in EXIT_MEANINGS.items()}
    assert set(EXIT_MEANINGS) == set(ExitCode)


def test_every_finding_is_documented() -> None:
    """Each code that a look may give stands in the README's table, and no other."""
    source = "".join(path.read_text() for path in (ROOT / "src/vhdlift").rglob("*preflight*.py"))
    codes = set(re.findall(r'(?:Finding|_mail)\(\s*"([a-z0-9-]+)"', source))
    codes |= set(re.findall(r'"(quota-[a-z-]+)"', source))
    told = {
        code for row in rows("| what is looked at | findings |") for code in re.findall(r"[a-z0-9-]+", row[1])
    }
    assert told == codes


def test_the_map_names_every_helper_and_where_it_is() -> None:
    """Each name of the script that is replaced is a function in the file beside it."""
    told = dict(rows("| helper | where it is |"))
    assert sorted(told) == sorted(HELPERS)
    for name, path in told.items():
        module = import_module(path.removeprefix("src/").removesuffix(".py").replace("/", "."))
        assert getattr(module, name).__module__ == module.__name__


def test_the_map_names_every_section_in_order() -> None:
    """None of the fourteen sections is left out."""
    sections = [int(row[0].split(".")[0]) for row in rows("| § | what it says | where it is |")]
    assert set(sections) == set(range(1, 15))
    assert all(one <= other for one, other in pairwise(sections))


def test_what_make_is_told_exists() -> None:
    """Every `make x` in a page is a target."""
    targets = set(re.findall(r"^([a-z]+):", (ROOT / "Makefile").read_text(), re.MULTILINE))
    named = set(re.findall(r"(?:^|`)make ([a-z]+)", TEXT, re.MULTILINE))
    assert "demo" in named
    assert named <= targets
