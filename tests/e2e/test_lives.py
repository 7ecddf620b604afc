"""Runs that share a moment, outlive their command, are interrupted, or never begin."""

from __future__ import annotations

import signal
import time
from collections.abc import Callable
from typing import Any

from tests.crowd.sources import GROUP, make_sources, name_of
from tests.e2e.tool import Said, Tool
from tests.localcloud import LocalCloud
from tests.prepared import Command

PATIENCE_SECONDS = 90.0


def until(condition: Callable[[], Any]) -> None:
    deadline = time.monotonic() + PATIENCE_SECONDS
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.05)


def ended(process: Command) -> Said:
    out, err = process.communicate(timeout=240)
    return Said(process.wait(), out, err)


def told(cloud: LocalCloud, step: str, state: str) -> bool:
    posts = [body["details"] for body in cloud.webhooks()]
    return any((post["step"], post["state"]) == (step, state) for post in posts)


def test_two_runs_for_different_source_vms_complete_side_by_side(cloud: LocalCloud, tool: Tool) -> None:
    make_sources(cloud, range(1))
    second = ("--source-vm", name_of(0), "--source-resource-group", GROUP)
    one = tool.start("provision", "--json", "--vm-name", "lab2")
    two = tool.start("provision", "--json", "--vm-name", "lab3", *second)
    ends = [ended(one), ended(two)]
    assert [said.code for said in ends] == [0, 0], [said.result["reason"] for said in ends]
    assert len({said.result["run_id"] for said in ends}) == 2


def test_a_run_without_waiting_is_watched_and_cleaned_up(cloud: LocalCloud, tool: Tool) -> None:
    """It outlives its command."""
    before = cloud.left()
    started = tool.run("provision", "--no-wait", "--vm-name", "lab1")
    assert started.code == 0
    run_id = started.out.strip()
    watched = tool.run("watch", "--json", run_id)
    assert (watched.code, watched.result["status"]) == (0, "completed")
    cleaned = tool.run("cleanup", "--yes", "--json", run_id)
    *events, result = cleaned.events()
    assert (cleaned.code, result["exit_code"], result["leftovers"]) == (0, 0, [])
    assert {one["state"] for one in events} <= {"undone", "failed"}
    assert cloud.left() == before


def test_an_interrupted_run_is_parked_and_completes_when_resumed(cloud: LocalCloud, tool: Tool) -> None:
    process = tool.start("provision", "--vm-name", "lab1")
    until(lambda: told(cloud, "vm_created", "started"))
    process.send_signal(signal.SIGINT)
    said = ended(process)
    assert said.code == 130
    run_id = tool.run("runs", "--json").events()[0]["run_id"]
    assert f"vhdlift resume {run_id}" in said.err
    assert f"vhdlift cancel {run_id}" in said.err
    resumed = tool.run("resume", run_id)
    assert resumed.code == 0
    assert "  done      completed" in resumed.out
    assert "  done      source_inspected" not in resumed.out  # told before
    done = [body["details"]["step"] for body in cloud.webhooks() if body["details"]["state"] == "done"]
    assert len(done) == len(set(done))


def test_ctrl_c_again_and_again_ends_at_once_and_loses_nothing(cloud: LocalCloud, tool: Tool) -> None:
    """However often it comes, and although Azure owes the answer to a create."""
    cloud.control("faults", {"operation": "PUT Microsoft.Compute/virtualMachines", "kind": "hold"})
    process = tool.start("provision", "--vm-name", "lab1")
    until(lambda: cloud.ask("held"))

    def is_over() -> bool:
        process.send_signal(signal.SIGINT)
        return process.poll() is not None

    began = time.monotonic()
    until(is_over)
    assert time.monotonic() - began < 10
    said = ended(process)
    assert said.code == 130
    assert "vhdlift resume" in said.err
    cloud.control("release", {})
    cloud.clear_faults()
    resumed = tool.run("resume", cloud.webhooks()[0]["run_id"])
    assert resumed.code == 0
    done = [body["details"]["step"] for body in cloud.webhooks() if body["details"]["state"] == "done"]
    assert len(done) == len(set(done))


def test_a_run_that_is_cancelled_by_another_process_leaves_nothing(cloud: LocalCloud, tool: Tool) -> None:
    before = cloud.left()
    process = tool.start("provision", "--json", "--vm-name", "lab1")
    until(lambda: told(cloud, "vm_created", "started"))
    run_id = cloud.webhooks()[0]["run_id"]
    assert tool.run("cancel", run_id).code == 0
    assert ended(process).code == 1
    assert cloud.left() == before
    assert cloud.webhooks()[-1]["status"] == "cancelled"


def test_a_parked_run_is_cleaned_up_by_another_process(cloud: LocalCloud, tool: Tool) -> None:
    before = cloud.left()
    process = tool.start("provision", "--vm-name", "lab1")
    until(lambda: told(cloud, "vm_created", "done"))
    process.kill()
    process.communicate()
    run_id = cloud.webhooks()[0]["run_id"]
    assert tool.run("cleanup", "--yes", run_id).code == 0
    assert cloud.left() == before


def test_wrong_settings_are_all_named_and_nothing_is_touched(cloud: LocalCloud, tool: Tool) -> None:
    asked = len(cloud.requests())
    said = tool.run(
        "provision", "--vm-name", "12345", "--port", "0", "--webhook-url", "ftp://x", "--email", "nobody"
    )
    assert said.code == 2
    assert [
        word for word in ("--vm-name", "--port", "--webhook-url", "--email") if word not in said.err
    ] == []
    assert len(cloud.requests()) == asked


def test_a_wrong_client_secret_is_a_sign_in_problem(cloud: LocalCloud, tool: Tool) -> None:
    said = tool.run("provision", "--vm-name", "lab1", AZURE_CLIENT_SECRET="wrong-secret-wrong")
    assert said.code == 4
    assert "Traceback" not in said.err
    assert "wrong-secret" not in said.err
