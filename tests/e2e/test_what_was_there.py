"""What existed before a run is not the run's: it survives unchanged, in success and in failure."""

from __future__ import annotations

from typing import Any

import pytest

from tests.e2e.tool import Tool
from tests.localcloud import LocalCloud

GROUP = "resourceGroups/lab1-rg"
NETWORK = f"{GROUP}/providers/Microsoft.Network"
ZONE = f"{NETWORK}/dnsZones/rehearsal.example"
NSG = f"{NETWORK}/networkSecurityGroups/lab1-nsg"
RECORD = f"{ZONE}/A/pin.lab1"
REFUSED: dict[str, Any] = {"status": 400, "code": "TestFault", "message": "The test said no."}
VERSIONS = {GROUP: "2021-04-01", NSG: "2024-05-01", ZONE: "2018-05-01", RECORD: "2018-05-01"}


def rule(name: str, port: str, priority: int) -> dict[str, Any]:
    return {
        "name": name,
        "properties": {
            "priority": priority,
            "direction": "Inbound",
            "access": "Allow",
            "protocol": "Tcp",
            "sourceAddressPrefix": "*",
            "sourcePortRange": "*",
            "destinationAddressPrefix": "*",
            "destinationPortRange": port,
        },
    }


@pytest.fixture
def furnished(cloud: LocalCloud) -> LocalCloud:
    """A cloud in which the group, the zone, a record and a security group of the run's names exist."""
    cloud.put(GROUP, "2021-04-01", {"location": "uksouth", "tags": {"owner": "somebody"}})
    cloud.put(ZONE, "2018-05-01", {"location": "global"})
    cloud.put(RECORD, "2018-05-01", {"properties": {"TTL": 77, "ARecords": [{"ipv4Address": "192.0.2.7"}]}})
    rules = {"securityRules": [rule("theirs", "3389", 100)]}
    cloud.put(NSG, "2024-05-01", {"location": "uksouth", "properties": rules})
    return cloud


def seen(cloud: LocalCloud) -> dict[str, Any]:
    """What was there, without what changes by being written to."""
    return {
        path: stable(cloud.arm("GET", path, version).raise_for_status().json())
        for path, version in VERSIONS.items()
    }


def stable(value: Any) -> Any:
    if isinstance(value, dict):
        moving = {"etag", "numberOfRecordSets", "networkInterfaces"}
        return {key: stable(inner) for key, inner in value.items() if key not in moving}
    return [stable(inner) for inner in value] if isinstance(value, list) else value


def test_a_failed_run_gives_everything_back(furnished: LocalCloud, tool: Tool) -> None:
    before, left = seen(furnished), furnished.left()
    furnished.fault("PUT Microsoft.Compute/virtualMachines/extensions", **REFUSED)
    said = tool.provision("--force")
    assert (said.code, said.result["failed_step"]) == (1, "setup_extension_installed")
    assert seen(furnished) == before
    assert furnished.left() == left


def test_a_completed_run_keeps_what_others_made_and_adds_its_own(furnished: LocalCloud, tool: Tool) -> None:
    before = seen(furnished)
    assert tool.provision("--force", "--port", "443").code == 0
    after = seen(furnished)
    assert after[GROUP] == before[GROUP]
    assert after[ZONE] == before[ZONE]
    names = {one["name"] for one in after[NSG]["properties"]["securityRules"]}
    assert "theirs" in names
    assert len(names) == 2


def test_a_vm_name_that_is_taken_is_refused_before_anything_is_touched(cloud: LocalCloud, tool: Tool) -> None:
    before, asked = cloud.left(), len(cloud.requests())
    said = tool.provision("--resource-group", "lab", vm_name="lab-source")
    assert said.code == 2
    nic = "resourceGroups/lab/providers/Microsoft.Network/publicIPAddresses/lab7-ip"
    body = {
        "location": "uksouth",
        "sku": {"name": "Standard"},
        "properties": {"publicIPAllocationMethod": "Static"},
    }
    cloud.put(nic, "2024-05-01", body)
    before = cloud.left()
    said = tool.provision("--resource-group", "lab", vm_name="lab7")
    assert (said.code, cloud.left()) == (5, before)
    assert "lab7-ip" in said.out
    wrote = [row for row in cloud.requests()[asked:] if row["method"] in {"PUT", "DELETE", "PATCH"}]
    assert [row for row in wrote if "lab7-ip" not in row["path"]] == []
