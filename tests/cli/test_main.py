"""The entry point: help, version, usage errors, and what is said when something breaks."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.cli.conftest import Command
from vhdlift import __version__
from vhdlift.cli.group import COMMANDS

HEAVY = ("azure", "dbos", "pydantic", "rich", "httpx", "sqlalchemy", "jinja2")
NEEDED = ("--source-vm", "--source-resource-group", "AZURE_SUBSCRIPTION_ID", "--vm-name", "--domain")


def test_help_lists_every_command(vhdlift: Command) -> None:
    """`vhdlift --help` names each command with its line, on stdout."""
    told = vhdlift("--help")
    assert (told.code, told.err) == (0, "")
    for name, line in COMMANDS.items():
        assert f"  {name:<9}  {line}" in told.out


@pytest.mark.parametrize("name", COMMANDS)
def test_every_command_has_help(vhdlift: Command, name: str) -> None:
    """Each command explains itself and takes --json, at most 80 columns wide."""
    told = vhdlift(name, "--help")
    assert told.code == 0
    assert "--json" in told.out
    assert max(len(line) for line in told.out.splitlines()) <= 80


def test_help_imports_nothing_heavy() -> None:
    """`--help` is answered without the packages that take long to import."""
    program = (
        "import sys; from vhdlift.cli.main import run; run(['--help']); "
        f"sys.exit(' '.join(name for name in {HEAVY} if name in sys.modules) or 0)"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (0, "")


def test_version(vhdlift: Command) -> None:
    """`--version` says name and version."""
    assert vhdlift("--version").out == f"vhdlift {__version__}\n"


def test_no_command_shows_the_help_and_is_a_usage_error(vhdlift: Command) -> None:
    """A pipeline that forgot the command must not go on as if something had been done."""
    told = vhdlift()
    assert told.code == 2
    assert "Commands:" in told.out


def test_a_misspelt_command_is_answered_with_the_right_one(vhdlift: Command) -> None:
    """An unknown command is a usage error that names what may have been meant."""
    told = vhdlift("rehears")
    assert (told.code, told.out) == (2, "")
    assert "Did you mean 'rehearse'?" in told.err


def test_an_unknown_option_is_a_usage_error(vhdlift: Command) -> None:
    """The parser's own errors have the exit code of usage errors, and say where the help is."""
    told = vhdlift("runs", "--bogus")
    assert (told.code, told.out) == (2, "")
    assert "No such option: --bogus" in told.err
    assert "`vhdlift runs --help`" in told.err


def test_all_missing_settings_are_named_at_once(vhdlift: Command) -> None:
    """A run without settings touches nothing and lists all that it needs."""
    told = vhdlift("provision")
    assert (told.code, told.out) == (2, "")
    for name in NEEDED:
        assert name in told.err


def test_with_json_the_error_is_an_object_on_stdout(vhdlift: Command) -> None:
    """A program that reads stdout gets the same problems as data, and stderr stays empty."""
    told = vhdlift("provision", "--json")
    error = json.loads(told.out)
    assert (told.code, told.err) == (2, "")
    assert (error["type"], error["error"], error["exit_code"]) == ("error", "UsageError", 2)
    assert len(error["problems"]) == len(NEEDED)


def test_a_parser_error_is_an_object_too(vhdlift: Command) -> None:
    """--json holds for the errors of the parser."""
    assert json.loads(vhdlift("runs", "--json", "--bogus").out)["error"] == "UsageError"


def test_an_option_wins_over_the_environment_and_that_over_files(vhdlift: Command, tmp_path: Path) -> None:
    """Precedence: option, environment, `.env`, `vhdlift.toml`."""
    (tmp_path / "vhdlift.toml").write_text(
        'vm_name = "from-toml"\ndomain = "toml.example"\nlocation = "fromtoml"\n'
    )
    (tmp_path / ".env").write_text("VHDLIFT_VM_NAME=from-dotenv\nVHDLIFT_DOMAIN=dotenv.example\n")
    env = {
        "VHDLIFT_SOURCE_VM": "old",
        "VHDLIFT_SOURCE_RESOURCE_GROUP": "old-rg",
        "AZURE_SUBSCRIPTION_ID": "11111111-2222-3333-4444-555555555555",
        "VHDLIFT_VM_NAME": "from-env",
    }
    spec = json.loads(vhdlift("plan", "--json", "--source-vm", "from-option", env=env).out)["spec"]
    assert (spec["source_vm"], spec["vm_name"]) == ("from-option", "from-env")
    assert (spec["domain"], spec["location"]) == ("dotenv.example", "fromtoml")


@pytest.mark.parametrize("where", ["file", "file/below", "/proc/nope"])
def test_a_state_directory_that_cannot_be_used_is_a_sentence(
    vhdlift: Command, tmp_path: Path, where: str
) -> None:
    """It is named, and the variable that says where it is; nothing is called unexpected."""
    (tmp_path / "file").write_text("")
    folder = str(tmp_path / where)
    told = vhdlift("runs", env={"VHDLIFT_STATE_DIR": folder})
    assert (told.code, told.out) == (1, "")
    assert told.err.startswith(f"error: The run database at {folder} cannot be opened: ")
    assert "VHDLIFT_STATE_DIR" in told.err


def test_a_stream_that_was_closed_before_is_no_error(environment: dict[str, str], tmp_path: Path) -> None:
    """Started without stdout, a command does its work as with any other."""
    closed = ["sh", "-c", 'exec "$0" -m vhdlift script >&-', sys.executable]
    done = subprocess.run(
        closed, env=environment, cwd=tmp_path, stderr=subprocess.PIPE, text=True, check=False
    )
    assert (done.returncode, "unexpected" in done.stderr) == (0, False)


def test_a_reader_that_goes_away_is_no_error(environment: dict[str, str]) -> None:
    """Writing to a closed pipe is quiet, and the exit code is the command's own."""
    reader, writer = os.pipe()
    os.close(reader)
    program = "from vhdlift.cli import output; output.write('one'); output.write('two')"
    done = subprocess.run(
        [sys.executable, "-c", program], env=environment, stdout=writer, stderr=subprocess.PIPE, check=False
    )
    os.close(writer)
    assert (done.returncode, done.stderr) == (0, b"")
