"""What is left in Azure: by the run's tag, and by asking for each thing that was told as left."""

from __future__ import annotations

from typing import Any

import pytest

from tests.azure.conftest import SUBSCRIPTION, Answer, Arm, arm_error, group_path, vm_path
from vhdlift.azure.clients import Azure
from vhdlift.azure.ownership import exists, inventory

BASE = f"/subscriptions/{SUBSCRIPTION}"
NETWORK = f"{BASE}/resourceGroups/rg/providers/Microsoft.Network"
IP, RECORD = f"{NETWORK}/publicIPAddresses/ip1", f"{NETWORK}/dnsZones/example.org/A/pin"
TYPES = {
    "publicIPAddresses": ["2024-01-01", "2025-09-01-preview", "2025-01-01"],
    "dnszones": ["2018-05-01"],
    "dnszones/A": ["2018-05-01", "2016-04-01"],
}


def listing(*ids: str) -> Answer:
    return Answer(body={"value": [{"id": i, "name": "x", "tags": {"vhdlift-run": "R"}} for i in ids]})


@pytest.fixture
def azure_knows(arm: Arm) -> Arm:
    kinds = [{"resourceType": name, "apiVersions": versions} for name, versions in TYPES.items()]
    arm.on(f"GET {BASE}/providers/microsoft.network", Answer(body={"resourceTypes": kinds}))
    arm.on(f"GET {BASE}/resources", listing(IP))
    arm.on(f"GET {BASE}/resourcegroups", listing())
    return arm


def there(resource_id: str) -> Answer:
    return Answer(body={"id": resource_id, "name": "x", "type": "y", "location": "uksouth"})


async def test_what_the_list_still_holds_is_not_there_if_it_says_so_itself(
    azure_knows: Arm, azure: Azure
) -> None:
    """A list lags behind deletions; what was told as left is asked for one by one."""
    assert await inventory(azure, "R", [IP]) == []
    assert await inventory(azure, "R") == [IP]


async def test_what_has_no_tag_is_there_if_it_says_so_itself(azure_knows: Arm, azure: Azure) -> None:
    azure_knows.on(f"GET {RECORD}", there(RECORD))
    assert await inventory(azure, "R", [RECORD]) == [RECORD, IP]


async def test_a_type_is_asked_for_in_its_newest_final_version(azure_knows: Arm, azure: Azure) -> None:
    for one in (IP, RECORD, f"{NETWORK}/dnsZones/example.org/TXT/x"):
        await exists(azure, one)
    asked = [seen.path.rpartition("=")[2] for seen in azure_knows.seen if "/resourceGroups/rg/" in seen.path]
    assert asked == ["2025-01-01", "2018-05-01", "2018-05-01"]


async def test_a_resource_group_is_asked_for_by_its_id(arm: Arm, azure: Azure) -> None:
    assert not await exists(azure, group_path())
    arm.on(f"GET {group_path()}", there(group_path()))
    assert await exists(azure, group_path())


@pytest.mark.parametrize("known", [True, False])
async def test_what_cannot_be_asked_for_counts_as_there(known: Any, azure_knows: Arm, azure: Azure) -> None:
    """No right to read it, or no such provider: nobody has seen that it is gone."""
    azure_knows.on(f"GET {IP}", Answer(403, arm_error("AuthorizationFailed", "No.")))
    assert await exists(azure, IP if known else vm_path())
