"""The rehearsal: the whole job against a stand-in that the command itself starts and ends."""

from __future__ import annotations

import hashlib
import json
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from tests.armlocal.test_azurite import all_arguments
from tests.cli.conftest import Command
from vhdlift.cli.machinery import current_plan

pytestmark = pytest.mark.slow


def test_a_rehearsal_does_every_step_and_hands_over_the_vhd(vhdlift: Command, tmp_path: Path) -> None:
    """`rehearse` needs nothing, does the whole plan, and the VHD it saves is the one it promised."""
    told = vhdlift("rehearse", "--json", "--dir", "here", "--artefact", "out.vhd")
    assert told.code == 0
    # The VHD is smaller than the disk, and the zone is a new one: preflight says so, and warns of nothing.
    said = ("Windows is made smaller", "There is no DNS zone")
    assert [line for line in told.err.splitlines() if not any(text in line for text in said)] == []
    *events, result, rehearsal = [json.loads(line) for line in told.out.splitlines()]
    assert {one["step"] for one in events if one["state"] == "done"} == set(current_plan())
    assert result["facts"]["sha256"] == hashlib.sha256((tmp_path / "out.vhd").read_bytes()).hexdigest()
    for path in (rehearsal["webhooks"], rehearsal["requests"], *rehearsal["mail"]):
        assert (tmp_path / path).stat().st_size > 0


def test_ctrl_c_ends_a_rehearsal_and_its_stand_in(environment: dict[str, str], tmp_path: Path) -> None:
    """An interrupted rehearsal says so, with 130, and leaves no process behind."""
    process = subprocess.Popen(
        [sys.executable, "-m", "vhdlift", "rehearse", "--dir", "alone"],
        env=environment,
        cwd=tmp_path,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    assert process.stdout is not None
    assert "started" in process.stdout.readline()
    process.send_signal(signal.SIGINT)
    _, err = process.communicate(timeout=60)
    assert process.returncode == 130
    assert "the rehearsal is not finished" in err
    commands = all_arguments()
    assert not any(str(tmp_path).encode() in command or b"--dir\0alone\0" in command for command in commands)


@pytest.mark.parametrize("words", [("--dir", "file/in/it"), ()])
def test_a_folder_that_cannot_be_made_is_said(
    words: tuple[str, ...], vhdlift: Command, tmp_path: Path
) -> None:
    """Before anything is started."""
    for name in ("file", ".rehearsal"):
        (tmp_path / name).write_text("not a folder")
    told = vhdlift("rehearse", *words)
    assert told.code == 2
    assert "cannot be used: Not a directory" in told.err
