"""Starting and stopping machines, and what that does to their disks and guests."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
import pytest_asyncio

from tests.armlocal.machines import Machines, running_machines

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path

    from tests.armlocal.conftest import Certificates

SOURCE = "Microsoft.Compute/virtualMachines/lab-source"


@pytest_asyncio.fixture
async def lab(certificates: Certificates, tmp_path: Path) -> AsyncIterator[Machines]:
    async with running_machines(certificates, tmp_path) as started:
        yield started


async def _power(lab: Machines) -> str:
    view = await lab.arm.compute.virtual_machines.instance_view("lab", "lab-source")
    return str(view.statuses[-1].code)


@pytest.mark.parametrize(
    ("action", "power", "disk", "agent"),
    [
        ("deallocate", "PowerState/deallocated", "Reserved", False),
        ("power_off", "PowerState/stopped", "Attached", False),
        ("start", "PowerState/running", "Attached", True),
        ("restart", "PowerState/running", "Attached", True),
    ],
)
async def test_an_action_reaches_its_power_state(
    lab: Machines, action: str, power: str, disk: str, agent: bool
) -> None:
    await lab.do(action, "lab", "lab-source")
    view = await lab.arm.compute.virtual_machines.instance_view("lab", "lab-source")
    assert (view.statuses[-1].code, view.vm_agent is not None) == (power, agent)
    kept = await lab.arm.compute.disks.get("lab", "lab-source_OsDisk")
    assert (kept.disk_state, kept.managed_by) == (disk, lab.arm.id("lab", SOURCE))


async def test_a_machine_that_is_stopped_starts_again(lab: Machines) -> None:
    await lab.do("deallocate", "lab", "lab-source")
    await lab.do("start", "lab", "lab-source")
    assert await _power(lab) == "PowerState/running"
    assert (await lab.arm.compute.disks.get("lab", "lab-source_OsDisk")).disk_state == "Attached"


@pytest.mark.parametrize("action", ["deallocate", "power_off", "restart"])
async def test_what_runs_on_a_machine_ends_when_it_stops(lab: Machines, action: str) -> None:
    await lab.do(action, "lab", "lab-source")
    assert lab.guest.stopped == [lab.arm.id("lab", SOURCE)]


async def test_starting_what_runs_disturbs_nothing(lab: Machines) -> None:
    await lab.do("start", "lab", "lab-source")
    assert lab.guest.stopped == []


async def test_an_action_on_no_machine_is_a_404(lab: Machines) -> None:
    answer = await lab.arm.http.post(lab.arm.id("lab", "Microsoft.Compute/virtualMachines/none/start"))
    assert (answer.status_code, answer.json()["error"]["code"]) == (404, "ResourceNotFound")
