"""The whole job through the real entry point, against the stand-in, as a person does it."""

from __future__ import annotations

import hashlib
import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.cli.conftest import Command
from vhdlift.cli.machinery import current_plan
from vhdlift.cli.standin import exports, isolated, standin

pytestmark = pytest.mark.slow
SCALE = 0.02


@pytest.fixture
def azure(environment: dict[str, str], tmp_path: Path) -> Iterator[dict[str, str]]:
    """A stand-in, and the environment that leads to it."""
    (tmp_path / "azure").mkdir()
    with standin(tmp_path / "azure", SCALE):
        theirs = exports((tmp_path / "azure" / "env").read_text())
        own = {"VHDLIFT_VM_NAME": "lab1", "VHDLIFT_STATE_DIR": environment["VHDLIFT_STATE_DIR"]}
        yield {**isolated(environment, theirs), **own}


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


def test_an_interrupted_run_is_resumed_and_completes(
    azure: dict[str, str], vhdlift: Command, tmp_path: Path
) -> None:
    """After Ctrl-C in the middle, `resume` goes on where the run was and completes it."""
    process = subprocess.Popen(
        [sys.executable, "-m", "vhdlift", "provision"],
        env=azure,
        cwd=tmp_path,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    assert process.stdout is not None
    assert any("vm_created" in line for line in process.stdout)
    process.send_signal(signal.SIGINT)
    _, err = process.communicate(timeout=30)
    assert (process.returncode, "Traceback" in err) == (130, False)
    run_id = err.split("`vhdlift resume ")[1].split("`")[0]
    resumed = vhdlift("resume", run_id, env=azure)
    assert resumed.code == 0
    assert "  done      completed" in resumed.out
    assert "  done      source_inspected" not in resumed.out  # told before


def test_a_run_in_the_background_is_watched_and_cleaned_up(azure: dict[str, str], vhdlift: Command) -> None:
    """`--no-wait` prints the id, `watch` follows the run to its end, `cleanup` removes all it made."""
    started = vhdlift("provision", "--no-wait", env=azure)
    assert started.code == 0
    run_id = started.out.strip()
    assert vhdlift("watch", run_id, env=azure).code == 0
    cleaned = vhdlift("cleanup", run_id, "--json", env=azure)
    *events, result = [json.loads(line) for line in cleaned.out.splitlines()]
    assert (cleaned.code, result["exit_code"], result["leftovers"]) == (0, 0, [])
    assert {one["state"] for one in events} <= {"undone", "failed"}


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
    commands = [
        file.read_bytes() for file in Path("/proc").glob("[0-9]*/cmdline") if os.access(file, os.R_OK)
    ]
    assert not any(str(tmp_path).encode() in command or b"--dir\0alone\0" in command for command in commands)
