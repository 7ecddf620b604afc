"""Managed Run Commands: run by the guest of a running machine, told about with what they printed."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
import pytest_asyncio
from azure.core.exceptions import HttpResponseError

from armlocal.parts import CommandResult
from tests.armlocal.machines import Machines, running_machines

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path

    from tests.armlocal.conftest import Certificates

BODY: dict[str, Any] = {
    "location": "uksouth",
    "tags": {"a": "b"},
    "properties": {"source": {"script": "Get-Date"}, "timeoutInSeconds": 60},
}


@pytest_asyncio.fixture
async def lab(certificates: Certificates, tmp_path: Path) -> AsyncIterator[Machines]:
    async with running_machines(certificates, tmp_path) as started:
        await started.make()
        yield started


async def run(lab: Machines, **properties: Any) -> dict[str, Any]:
    """The command with its instance view, after its end."""
    body = {**BODY, "properties": {**BODY["properties"], **properties}}
    await lab.do("create_or_update", "t", "vm1", "c1", body, of="virtual_machine_run_commands")
    answer = await lab.arm.http.get(f"{lab.vm}/runCommands/c1", params={"$expand": "instanceView"})
    told: dict[str, Any] = answer.json()
    return told


async def test_the_guest_runs_the_script_and_the_view_has_what_it_printed(lab: Machines) -> None:
    told = await run(lab)
    assert lab.guest.scripts == [("vm1", "Get-Date")]
    view = told["properties"]["instanceView"]
    assert (view["executionState"], view["exitCode"], view["output"]) == ("Succeeded", 0, "said")
    assert told["type"] == "Microsoft.Compute/virtualMachines/runCommands"
    assert told["tags"] == {"a": "b"}
    bare = (await lab.arm.http.get(f"{lab.vm}/runCommands/c1")).json()
    assert "instanceView" not in bare["properties"]


async def test_a_script_that_fails_was_run_all_the_same(lab: Machines) -> None:
    """Provisioning says that it was run, the instance view how it ended; the last 4 KB are kept."""
    lab.guest.command = CommandResult(3, "x" * 5000 + "end", "no such file")
    told = (await run(lab))["properties"]
    view = told["instanceView"]
    assert told["provisioningState"] == "Succeeded"
    assert (view["executionState"], view["exitCode"], view["error"]) == ("Failed", 3, "no such file")
    assert (len(view["output"]), view["output"][-3:]) == (4096, "end")


async def test_a_machine_that_is_off_runs_nothing(lab: Machines) -> None:
    await lab.do("deallocate", "t", "vm1", of="virtual_machines")
    with pytest.raises(HttpResponseError) as refused:
        await run(lab)
    assert refused.value.status_code == 409
    assert lab.guest.scripts == []


async def test_a_command_goes_alone_or_with_its_machine(lab: Machines) -> None:
    await run(lab)
    await lab.do("delete", "t", "vm1", "c1", of="virtual_machine_run_commands")
    assert (await lab.arm.http.get(f"{lab.vm}/runCommands/c1")).status_code == 404
    await run(lab)
    await lab.do("delete", "t", "vm1", of="virtual_machines")
    assert not [key for key in lab.arm.world.resources if "runcommands" in key]
