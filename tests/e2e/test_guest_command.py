"""A guest that gave up: its log is read on the VM, and it tries again, by `vhdlift guest`."""

from __future__ import annotations

import time

from tests.e2e.tool import Said, Tool
from tests.localcloud import LocalCloud


def commands_left(cloud: LocalCloud) -> list[str]:
    return [row["id"] for row in cloud.left() if "/runcommands/" in row["id"].lower()]


def worked_on(tool: Tool, run_id: str) -> Said:
    """The log once it has the guest's last word; two minutes are given."""
    ends = time.monotonic() + 120
    while True:
        said = tool.run("guest", "logs", run_id)
        if "finish done" in said.out or time.monotonic() > ends:
            return said


def test_a_guest_that_gave_up_is_looked_at_and_tries_again(cloud: LocalCloud, tool: Tool) -> None:
    """The reason has the end of its log; after the cause is gone it goes on; no command stays on the VM."""
    cloud.control("guest", [{"phase": "shrink", "kind": "fail", "message": "the disk is full"}])
    failed = tool.provision("--on-failure", "keep")
    assert failed.code == 1
    error = failed.result["reason"]
    assert "gave up in the phase shrink: the disk is full" in error
    assert "The end of its log:" in error
    assert "shrink failed: the disk is full" in error
    assert commands_left(cloud) == []
    run_id = failed.result["run_id"]
    resumed = tool.run("guest", "resume", "--json", run_id)
    assert (resumed.code, resumed.result["leftovers"]) == (0, [])
    assert "works again" in resumed.result["output"]
    log = worked_on(tool, run_id)
    assert log.code == 0
    assert "finish done" in log.out
    assert tool.run("guest", "resume", run_id).code == 1
    assert commands_left(cloud) == []


def test_an_unknown_word_is_a_usage_error(tool: Tool) -> None:
    """The words there are get named."""
    said = tool.run("guest", "restart", "01J")
    assert said.code == 2
    assert "logs" in said.err
