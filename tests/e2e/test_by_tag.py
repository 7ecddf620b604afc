"""Runs whose database is lost: found by tag alone, and removed with nothing else touched."""

from __future__ import annotations

import shutil
import signal
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from pydantic import SecretStr

from tests.e2e.test_lives import told, until
from tests.e2e.tool import Tool
from tests.localcloud import LocalCloud
from vhdlift.engine import api
from vhdlift.settings import load_settings, make_admin_password

GROUP = "resourceGroups/shared"
NETWORK = f"{GROUP}/providers/Microsoft.Network"
ZONE = f"{NETWORK}/dnsZones/rehearsal.example"
RECORD = f"{ZONE}/A/pin.lab1"
REFUSED: dict[str, Any] = {"status": 400, "code": "TestFault", "message": "The test said no."}
VMS = "Microsoft.Compute/virtualMachines"
RUN_ID = "01JD0000000000000000000000"
SMALL = "resourceGroups/lab1-rg"
VNET = f"{SMALL}/providers/Microsoft.Network/virtualNetworks/lab1-vnet"
ADDRESS = f"{SMALL}/providers/Microsoft.Network/publicIPAddresses/lab1-ip"


def ids(cloud: LocalCloud) -> set[str]:
    return {row["id"].lower() for row in cloud.left()}


def forget(tool: Tool) -> None:
    """The machine with the database is gone."""
    shutil.rmtree(tool.state)


def kept(cloud: LocalCloud, tool: Tool, *words: str) -> str:
    """A run that failed at the extension and was kept; its id."""
    cloud.fault(f"PUT {VMS}/extensions", **REFUSED)
    said = tool.provision("--on-failure", "keep", *words)
    assert said.code == 1
    forget(tool)
    return str(said.result["run_id"])


def test_a_kept_run_goes_without_its_database(cloud: LocalCloud, tool: Tool) -> None:
    before = cloud.left()
    run_id = kept(cloud, tool)
    said = tool.run("cleanup", "--run-id", run_id, "--yes", "--json")
    assert (said.code, said.result["leftovers"]) == (0, [])
    assert cloud.left() == before
    assert not tool.state.exists()


def test_a_completed_run_goes_without_its_database(cloud: LocalCloud, tool: Tool) -> None:
    """Its VHD included, and the source VM that its owner has stopped since stays as it is."""
    before = ids(cloud)
    run_id = tool.provision().result["run_id"]
    forget(tool)
    source = f"resourceGroups/lab/providers/{VMS}/lab-source"
    cloud.arm("POST", f"{source}/deallocate", "2024-07-01").raise_for_status()
    until(lambda: power(cloud) == "deallocated")
    said = tool.run("cleanup", "--run-id", run_id, "--yes")
    assert said.code == 0, said.err
    assert ids(cloud) == before
    assert power(cloud) == "deallocated"
    assert "az vm start --resource-group lab --name lab-source" in said.err


def power(cloud: LocalCloud) -> str:
    return next(str(r["powerState"]) for r in cloud.left() if r["id"].endswith("/lab-source"))


def test_the_source_vm_gets_its_power_state_back_before_anything_goes(cloud: LocalCloud, tool: Tool) -> None:
    before = cloud.left()
    cloud.fault(f"POST {VMS}/start", "hold", when="before")
    process = tool.start("provision", "--vm-name", "lab1")
    until(lambda: told(cloud, "snapshot_created", "done"))
    until(lambda: cloud.ask("held"))
    process.send_signal(signal.SIGKILL)
    process.communicate()
    cloud.control("release", {"lost": True})
    forget(tool)
    assert power(cloud) != "running"
    asked = len(cloud.requests())
    said = tool.run("cleanup", "--run-id", cloud.webhooks()[0]["run_id"], "--yes", "--json")
    assert (said.code, said.result["runs"][0]["power_to_give_back"]) == (0, "running")
    writes = [row for row in cloud.requests()[asked:] if row["method"] in {"POST", "DELETE"}]
    arm = [row for row in writes if "/oauth2/" not in row["path"]]
    assert "/lab-source/start" in arm[0]["path"]
    assert power(cloud) == "running"
    assert cloud.left() == before


def test_what_was_borrowed_is_given_back(cloud: LocalCloud, tool: Tool) -> None:
    cloud.put(GROUP, "2021-04-01", {"location": "uksouth"})
    cloud.put(ZONE, "2018-05-01", {"location": "global"})
    record = {"TTL": 77, "metadata": {"owner": "them"}, "ARecords": [{"ipv4Address": "192.0.2.7"}]}
    cloud.put(RECORD, "2018-05-01", {"properties": record})
    nsg = f"{NETWORK}/networkSecurityGroups/lab1-nsg"
    cloud.put(nsg, "2024-05-01", {"location": "uksouth", "properties": {"securityRules": []}})
    before = ids(cloud)
    run_id = kept(cloud, tool, "--force", "--resource-group", "shared")
    assert len(rules(cloud, nsg)) == 2
    said = tool.run("cleanup", "--run-id", run_id, "--yes", "--json")
    assert (said.code, said.result["leftovers"]) == (0, [])
    assert rules(cloud, nsg) == []
    now = cloud.arm("GET", RECORD, "2018-05-01").raise_for_status().json()["properties"]
    assert {key: now[key] for key in record} == record
    assert ids(cloud) == before


def rules(cloud: LocalCloud, nsg: str) -> list[Any]:
    body = cloud.arm("GET", nsg, "2024-05-01").raise_for_status().json()
    return list(body["properties"]["securityRules"])


async def test_gc_removes_the_expired_run_and_not_the_one_beside_it(
    cloud: LocalCloud, tool: Tool, tmp_path: Path
) -> None:
    """In one resource group and one zone."""
    cloud.put(GROUP, "2021-04-01", {"location": "uksouth"})
    cloud.put(ZONE, "2018-05-01", {"location": "global"})
    before = ids(cloud)
    cloud.fault(f"PUT {VMS}/extensions", **{**REFUSED, "nth": 0})
    assert tool.provision("--resource-group", "shared", "--on-failure", "keep", vm_name="lab2").code == 1
    young = ids(cloud) - before
    old = await kept_long_ago(cloud, tmp_path, "lab1")
    assert len(ids(cloud)) > len(before | young)
    shown = tool.run("gc", "--dry-run", "--json").result["runs"]
    assert {row["run_id"] == old: row["chosen"] for row in shown} == {True: True, False: False}
    said = tool.run("gc", "--yes", "--json")
    assert (said.code, said.result["leftovers"]) == (0, [])
    assert ids(cloud) == before | young


async def kept_long_ago(cloud: LocalCloud, folder: Path, vm_name: str) -> str:
    """A run that failed, was kept and has expired, and whose database is lost; its id."""
    env = {**cloud.env, "VHDLIFT_STATE_DIR": str(folder / "other"), "VHDLIFT_ON_FAILURE": "keep"}
    given = {"vm_name": vm_name, "resource_group": "shared"}
    settings = load_settings(given, env=env, cwd=folder, for_run=True)
    settings = settings.model_copy(update={"admin_password": SecretStr(make_admin_password())})
    run = replace(api.new_run(settings.spec()), created_at="2026-01-01T00:00:00+00:00")
    outcome = await api.provision(settings, run, lambda _event: None)
    assert outcome.kept, outcome
    shutil.rmtree(folder / "other")
    return run.id


@pytest.fixture
def small(cloud: LocalCloud) -> LocalCloud:
    """A cloud with a group, a network and an address that carry the tags of an expired run."""
    tags = {
        "vhdlift-run": RUN_ID,
        "vhdlift-expires": "2026-01-31T00:00:00Z",
        "vhdlift-source": "lab/lab-source",
    }
    cloud.put(SMALL, "2021-04-01", {"location": "uksouth", "tags": tags})
    space = {"addressSpace": {"addressPrefixes": ["10.0.0.0/24"]}}
    cloud.put(VNET, "2024-05-01", {"location": "uksouth", "tags": tags, "properties": space})
    static = {"sku": {"name": "Standard"}, "properties": {"publicIPAllocationMethod": "Static"}}
    cloud.put(ADDRESS, "2024-05-01", {"location": "uksouth", "tags": tags, **static})
    return cloud


def test_nothing_is_removed_unasked(small: LocalCloud, tool: Tool) -> None:
    """Without a terminal and without --yes; a look changes nothing."""
    before = small.left()
    assert tool.run("cleanup", "--run-id", RUN_ID).code == 2
    assert tool.run("gc").code == 2
    looked = tool.run("cleanup", "--run-id", RUN_ID, "--dry-run")
    assert looked.code == 0
    assert "/lab1-vnet" in looked.out
    assert small.left() == before


def test_a_later_time_at_one_resource_keeps_the_whole_run(small: LocalCloud, tool: Tool) -> None:
    tags = {"vhdlift-run": RUN_ID, "vhdlift-expires": "2999-01-01T00:00:00Z"}
    small.put(SMALL, "2021-04-01", {"location": "uksouth", "tags": tags})
    before = small.left()
    said = tool.run("gc", "--yes")
    assert said.code == 0
    assert f"run {RUN_ID}, which expires in" in said.out
    assert small.left() == before


def test_a_locked_resource_is_named_and_the_rest_goes(small: LocalCloud, tool: Tool) -> None:
    lock = f"{ADDRESS}/providers/Microsoft.Authorization/locks/mine"
    small.put(lock, "2016-09-01", {"properties": {"level": "CanNotDelete"}})
    said = tool.run("gc", "--yes", "--json")
    assert said.code == 3
    left = {row["resource_id"].rsplit("/", 1)[1]: row for row in said.result["leftovers"]}
    assert set(left) == {"lab1-ip", "lab1-rg"}
    assert "ScopeLocked" in left["lab1-ip"]["reason"]
    assert left["lab1-ip"]["command"].startswith("az ")
    assert not any(one.endswith("/lab1-vnet") for one in ids(small))
    small.arm("DELETE", lock, "2016-09-01").raise_for_status()
    assert tool.run("gc", "--yes").code == 0
    assert not any("/lab1-rg" in one for one in ids(small))


def test_a_resource_that_may_not_be_deleted_is_named_and_the_rest_goes(small: LocalCloud, tool: Tool) -> None:
    denied: dict[str, Any] = {
        "status": 403,
        "code": "AuthorizationFailed",
        "message": "The client may not delete it.",
    }
    small.fault("DELETE Microsoft.Network/publicIPAddresses", **denied, nth=0)
    said = tool.run("gc", "--yes", "--json")
    assert said.code == 3
    reasons = {row["resource_id"].rsplit("/", 1)[1]: row["reason"] for row in said.result["leftovers"]}
    assert "AuthorizationFailed" in reasons["lab1-ip"]
    assert not any(one.endswith("/lab1-vnet") for one in ids(small))


def test_where_could_not_be_looked_is_told(small: LocalCloud, tool: Tool) -> None:
    denied: dict[str, Any] = {
        "status": 403,
        "code": "AuthorizationFailed",
        "message": "The client may not read zones.",
    }
    small.fault("LIST Microsoft.Network/dnsZones", **denied, nth=0)
    said = tool.run("gc", "--yes", "--json")
    assert (said.code, len(said.result["leftovers"])) == (3, 1)
    assert "DNS records could not be looked at" in said.result["leftovers"][0]["reason"]
    assert not any("/lab1-rg" in one for one in ids(small))


def test_one_resource_group_can_be_looked_at_alone(small: LocalCloud, tool: Tool) -> None:
    there = small.left()
    elsewhere = tool.run("cleanup", "--run-id", RUN_ID, "--resource-group", "lab", "--yes", "--json")
    assert (elsewhere.code, elsewhere.result["runs"], small.left()) == (0, [], there)
    unknown = tool.run("cleanup", "--run-id", RUN_ID, "--resource-group", "nowhere", "--yes")
    assert (unknown.code, "no resource group nowhere" in unknown.err) == (1, True)
    said = tool.run("cleanup", "--run-id", RUN_ID, "--resource-group", "lab1-rg", "--yes", "--json")
    assert (said.code, said.result["leftovers"]) == (0, [])
    assert not any("/lab1-rg" in one for one in ids(small))


@pytest.mark.parametrize("words", [(), ("RUN", "--run-id", "0" * 26), ("--run-id", "nonsense")])
def test_a_run_that_is_not_named_well_is_refused(tool: Tool, words: tuple[str, ...]) -> None:
    said = tool.run("cleanup", "--yes", *words)
    assert said.code == 2
    assert "Traceback" not in said.err
