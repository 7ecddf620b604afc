"""A step that fails, whichever it is: the cause is told, the source VM runs, and nothing is left."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
from pydantic import SecretStr

from tests.e2e.tool import Tool
from tests.localcloud import LocalCloud
from vhdlift.engine import api
from vhdlift.engine.store import Outcome
from vhdlift.settings import load_settings, make_admin_password
from vhdlift.steps import PROVISION

REFUSED: dict[str, Any] = {"status": 400, "code": "TestFault", "message": "The test said no."}
VMS = "Microsoft.Compute/virtualMachines"


@dataclass(frozen=True)
class Break:
    """How to make one step fail: a fault of Azure, or of what is around it."""

    step: str
    operation: str = ""
    more: dict[str, Any] = field(default_factory=dict)
    guest: dict[str, Any] | None = None
    delegation: bool = False


BREAKS = [
    Break("source_inspected", f"GET {VMS}", {"resource": "lab-source"}),
    Break("resource_group_ready", "PUT Microsoft.Resources/resourceGroups"),
    Break("source_stopped", f"POST {VMS}/deallocate"),
    Break("snapshot_created", "PUT Microsoft.Compute/snapshots"),
    Break("source_restarted", f"POST {VMS}/start"),
    Break("export_storage_created", "PUT Microsoft.Storage/storageAccounts", {"resource": "vhdusb"}),
    Break("script_storage_created", "PUT Microsoft.Storage/storageAccounts", {"resource": "vhdtmp"}),
    Break("setup_script_uploaded", "POST Microsoft.Compute/snapshots/beginGetAccess"),
    Break("network_created", "PUT Microsoft.Network/virtualNetworks"),
    Break("public_ip_created", "PUT Microsoft.Network/publicIPAddresses"),
    Break("security_group_created", "PUT Microsoft.Network/networkSecurityGroups"),
    Break("interface_created", "PUT Microsoft.Network/networkInterfaces"),
    Break("dns_zone_ready", "PUT Microsoft.Network/dnsZones"),
    Break("dns_delegation_verified", delegation=True),
    Break("dns_records_created", "PUT Microsoft.Network/dnsZones/A"),
    Break("vm_created", f"PUT {VMS}"),
    # The step that makes the interface looks for it before.
    Break("public_ip_verified", "GET Microsoft.Network/networkInterfaces", {"nth": 2}),
    Break("setup_extension_installed", f"PUT {VMS}/extensions"),
    Break("vhd_exported", guest={"phase": "download", "kind": "fail"}),
]


def set_up(cloud: LocalCloud, broken: Break) -> None:
    if broken.operation:
        cloud.fault(broken.operation, **{**REFUSED, **broken.more})
    if broken.guest:
        cloud.control("guest", [broken.guest])
    if broken.delegation:
        cloud.control("delegation", {"zone": "rehearsal.example", "servers": []})


async def provision(cloud: LocalCloud, folder: Path) -> Outcome:
    """The job by the library's door; the command line's is tried below."""
    settings = load_settings(
        {}, env={**cloud.env, "VHDLIFT_STATE_DIR": str(folder)}, cwd=folder, for_run=True
    )
    settings = settings.model_copy(update={"admin_password": SecretStr(make_admin_password())})
    return await api.provision(settings, api.new_run(settings.spec()), lambda _event: None)


@pytest.mark.parametrize("broken", BREAKS, ids=lambda broken: broken.step)
async def test_a_fault_in_a_step_leaves_the_world_as_it_was(
    cloud: LocalCloud, tmp_path: Path, broken: Break
) -> None:
    before = cloud.left()
    set_up(cloud, broken)
    outcome = await provision(cloud, tmp_path)
    assert (outcome.exit_code, outcome.failed_step) == (1, broken.step), outcome
    assert cloud.left() == before
    failed = [body for body in cloud.webhooks() if body["status"] == "failed"]
    assert failed[0]["details"]["step"] == broken.step
    assert failed[0]["details"]["error"]
    assert failed[-1]["details"]["final"] is True


def test_every_step_that_can_fail_a_run_is_broken_here() -> None:
    never = {"script_storage_deleted", "email_sent", "completed", "vhd_verified", "snapshot_released"}
    assert {step.name for step in PROVISION} - never == {broken.step for broken in BREAKS}


def test_a_deletion_that_is_impossible_is_named_and_all_else_is_gone(cloud: LocalCloud, tool: Tool) -> None:
    before = {row["id"].lower() for row in cloud.left()}
    cloud.fault(f"PUT {VMS}/extensions", **REFUSED)
    locked: dict[str, Any] = {"status": 409, "code": "ScopeLocked", "message": "A lock forbids the deletion."}
    cloud.fault("DELETE Microsoft.Network/publicIPAddresses", **{**locked, "nth": 0})
    said = tool.provision()
    assert said.code == 3
    left = {row["resource_id"].rsplit("/", 1)[1]: row for row in said.result["leftovers"]}
    assert "ScopeLocked" in left["lab1-ip"]["reason"]
    assert left["lab1-ip"]["command"].startswith("az ")
    # The group stays because the address is in it, and is no surprise.
    assert set(left) == {"lab1-ip", "lab1-rg"}
    after = {row["id"].lower() for row in cloud.left()} - before
    assert {one.rsplit("/", 1)[1] for one in after} == {"lab1-ip", "lab1-rg"}


def test_keep_leaves_everything_but_the_source_vm_runs(cloud: LocalCloud, tool: Tool) -> None:
    cloud.fault(f"PUT {VMS}/extensions", **REFUSED)
    said = tool.provision("--on-failure", "keep")
    assert said.code == 1
    names = {row["id"].rsplit("/", 1)[1] for row in cloud.left()}
    assert {"lab1", "lab1-nic", "lab1-vnet"} <= names
    assert any(one.endswith("/lab1-vnet") for one in said.result["kept"])
    power = {row["id"].rsplit("/", 1)[1]: row.get("powerState") for row in cloud.left()}
    assert power["lab-source"] == "running"


def test_steps_that_may_fail_end_in_warnings_and_what_they_left_is_told(
    cloud: LocalCloud, tool: Tool
) -> None:
    """The temporary account that stays, and the mail that nobody takes; the run completes."""
    cloud.fault("DELETE Microsoft.Storage/storageAccounts", **{**REFUSED, "nth": 0, "resource": "vhdtmp"})
    said = tool.provision("--force", SMTP_PORT="1")
    assert said.code == 0
    warnings = [body["details"] for body in cloud.webhooks() if body["details"]["state"] == "warning"]
    assert sorted(row["step"] for row in warnings) == ["email_sent", "script_storage_deleted"]
    assert ["vhdtmp" in row["resource_id"] for row in said.result["leftovers"]] == [True]
    assert cloud.mails() == []
