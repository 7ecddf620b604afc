"""A script on the VM by managed Run Command: tagged, in the ledger before it is there, then gone."""

from __future__ import annotations

from typing import Any

import pytest

from tests.azure.conftest import Answer, arm_error
from tests.steps.conftest import RUN_ID, World
from tests.steps.shelf import COMPUTE
from vhdlift.azure.run_command import Printed, run_on_vm
from vhdlift.errors import AzureRefused

COMMAND = f"{COMPUTE}/virtualMachines/lab1/runCommands/vhdlift-logs"
TAGS = {"vhdlift-run": RUN_ID}


def answers(world: World, **view: Any) -> None:
    """What is read: nothing twice, the command with its view, it again before its deletion, nothing."""
    body = {"id": COMMAND, "location": "uksouth", "tags": TAGS}
    there = Answer(body={**body, "properties": {"provisioningState": "Succeeded", "instanceView": view}})
    gone = Answer(404, arm_error("ResourceNotFound", "gone"))
    world.shelf.on(f"GET {COMMAND}", gone, gone, there, there, gone)


async def run(world: World) -> Printed:
    c = world.context
    return await run_on_vm(c.azure, c.run, "logs", "Get-Date", c.ledger)


async def test_what_it_printed_is_had_and_nothing_stays(world: World) -> None:
    """The tags are on it from its first second; the ledger knows it before."""
    answers(world, executionState="Succeeded", exitCode=0, output="the end of the log")
    printed = await run(world)
    (put,) = world.shelf.of("PUT")
    assert (printed.output, printed.left) == ("the end of the log", [])
    assert put.body["tags"]["vhdlift-run"] == RUN_ID
    assert put.body["properties"]["source"] == {"script": "Get-Date"}
    assert world.entered == [COMMAND]
    assert len(world.shelf.of("DELETE")) == 1


@pytest.mark.parametrize(
    ("view", "said"),
    [
        ({"executionState": "Failed", "exitCode": 1, "error": "no such file"}, "Failed: no such file"),
        ({"executionState": "Succeeded", "exitCode": 3, "output": "half of it"}, "Succeeded: half of it"),
        ({"executionState": "TimedOut", "exitCode": -1}, "TimedOut: it said nothing"),
    ],
)
async def test_a_script_that_failed_is_an_error_and_is_removed(
    world: World, view: dict[str, Any], said: str
) -> None:
    """Though its provisioning succeeded: the view has what the script said."""
    answers(world, **view)
    with pytest.raises(AzureRefused, match=said):
        await run(world)
    assert len(world.shelf.of("DELETE")) == 1


async def test_somebody_elses_command_is_left_alone(world: World) -> None:
    """It is neither run again nor removed."""
    world.shelf.put(COMMAND, {"location": "uksouth", "tags": {}})
    with pytest.raises(AzureRefused, match="was not made by this run"):
        await run(world)
    assert (world.shelf.of("PUT"), world.shelf.of("DELETE"), world.entered) == ([], [], [])


async def test_a_vm_that_is_off_is_told(world: World) -> None:
    refused = Answer(409, arm_error("OperationNotAllowed", "the VM is not running"))
    world.shelf.on(f"PUT {COMMAND}", refused)
    with pytest.raises(AzureRefused, match="not running"):
        await run(world)
