"""A run that is interrupted while it is followed: the source VM may be off."""

from __future__ import annotations

import subprocess
import sys

import pytest

from vhdlift.cli.following import SourceVm
from vhdlift.cli.interrupt import Interrupted, interrupted
from vhdlift.model import Event, Run, State

INSPECTED: tuple[str, State] = ("source_inspected", "done")
STOPPING: tuple[str, State] = ("source_stopped", "started")
STOPPED: tuple[str, State] = ("source_stopped", "done")
RESTARTED: tuple[str, State] = ("source_restarted", "done")

PROGRAM = """
import asyncio, os, signal
from vhdlift.cli.following import follow
from vhdlift.cli.interrupt import Interrupted
from vhdlift.cli.view import Showing
from vhdlift.model import Event, Run, Spec
from tests.engine.doubles import run_of

async def work(show):
    ran = {"source_power_state": "running"}
    show(Event("r", 1, "provisioning", "source_inspected", "done", "", "", ran))
    show(Event("r", 2, "provisioning", "source_stopped", "started", "", "", {}))
    os.kill(os.getpid(), signal.SIGINT)
    await asyncio.Event().wait()

try:
    follow(Showing(run_of(), {}, as_json=True), work)
except Interrupted as stopped:
    os.write(2, stopped.sentence.encode())
    os._exit(0)
"""


def said_after(run: Run, *told: tuple[str, State], power: str = "running") -> Interrupted:
    """What is said after Ctrl-C, when these events have been told."""
    source = SourceVm()
    for step, state in told:
        details = {"source_power_state": power} if (step, state) == INSPECTED else {}
        source.hear(Event(run.id, 1, "provisioning", step, state, step, "", details))
    return source.told_with(interrupted(run.id), run.spec)


@pytest.mark.parametrize("told", [(STOPPING,), (STOPPING, STOPPED)])
def test_who_interrupts_is_told_that_the_source_vm_may_be_off(
    run: Run, told: tuple[tuple[str, State], ...]
) -> None:
    said = said_after(run, INSPECTED, *told)
    start = f"az vm start --resource-group {run.spec.source_resource_group} --name {run.spec.source_vm}"
    assert start in said.sentence
    assert f"vhdlift resume {run.id}" in said.hint


@pytest.mark.parametrize("told", [(), (STOPPING, STOPPED, RESTARTED)])
def test_nothing_is_said_of_a_source_vm_that_runs(run: Run, told: tuple[tuple[str, State], ...]) -> None:
    assert "az vm start" not in said_after(run, INSPECTED, *told).sentence


def test_nothing_is_said_of_a_source_vm_that_was_off_before(run: Run) -> None:
    said = said_after(run, INSPECTED, STOPPING, STOPPED, power="deallocated")
    assert "az vm start" not in said.sentence


def test_ctrl_c_while_the_source_vm_is_off_names_the_command_that_starts_it() -> None:
    done = subprocess.run([sys.executable, "-c", PROGRAM], capture_output=True, text=True, check=False)
    assert "`az vm start --resource-group lab --name old` starts it" in done.stderr
