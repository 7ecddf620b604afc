"""The target VM is switched off each day, if that was asked for."""

from __future__ import annotations

from tests.e2e.tool import Tool
from tests.localcloud import LocalCloud

SCHEDULE = "resourceGroups/lab1-rg/providers/Microsoft.DevTestLab/schedules/shutdown-computevm-lab1"


def test_an_asked_for_shutdown_is_scheduled_tagged_and_undone(cloud: LocalCloud, tool: Tool) -> None:
    before = cloud.left()
    cloud.fault(
        "PUT Microsoft.Compute/virtualMachines/extensions", status=400, code="TestFault", message="No."
    )
    said = tool.provision("--auto-shutdown", "19:00", "--on-failure", "keep", "--force")
    assert said.code == 1
    schedule = cloud.arm("GET", SCHEDULE, "2018-09-15").json()
    assert schedule["properties"]["dailyRecurrence"]["time"] == "1900"
    assert schedule["tags"]["vhdlift-run"] == said.result["run_id"]
    assert tool.run("cleanup", "--yes", said.result["run_id"]).code == 0
    assert cloud.left() == before
