"""What ARM answers for itself: groups, lists of everything, and what a subscription is."""

from __future__ import annotations

import base64
import json
from typing import TYPE_CHECKING, Any

import pytest
import pytest_asyncio

from tests.armlocal.armworld import LOCATION, Arm, running_arm

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path

    from tests.armlocal.conftest import Certificates

VNET: dict[str, Any] = {
    "location": LOCATION,
    "properties": {
        "addressSpace": {"addressPrefixes": ["10.0.0.0/16"]},
        "subnets": [{"name": "default", "properties": {"addressPrefix": "10.0.0.0/24"}}],
    },
}
ADDRESS: dict[str, Any] = {
    "location": LOCATION,
    "sku": {"name": "Standard"},
    "properties": {"publicIPAllocationMethod": "Static"},
}


@pytest_asyncio.fixture
async def arm(certificates: Certificates, tmp_path: Path) -> AsyncIterator[Arm]:
    async with running_arm(certificates, tmp_path) as started:
        yield started


async def fill(arm: Arm, group: str = "lab", **tags: str) -> None:
    """A group with a VNet, an address and an interface in it."""
    await arm.make_group(group)
    network = arm.id(group, "Microsoft.Network")
    subnet = {"subnet": {"id": f"{network}/virtualNetworks/net/subnets/default"}}
    address = {"publicIPAddress": {"id": f"{network}/publicIPAddresses/ip"}}
    nic = {"ipConfigurations": [{"name": "primary", "properties": {**subnet, **address}}]}
    for path, body in (
        ("virtualNetworks/net", VNET),
        ("publicIPAddresses/ip", ADDRESS),
        ("networkInterfaces/nic", {"location": LOCATION, "properties": nic}),
    ):
        await arm.router.invoke(arm.world, "PUT", f"{network}/{path}", {**body, "tags": tags})


def group_path(arm: Arm, name: str = "lab") -> str:
    return f"/subscriptions/{arm.world.subscription_id}/resourceGroups/{name}"


async def test_a_group_is_made_found_and_changed(arm: Arm) -> None:
    body: dict[str, Any] = {"location": "UK South", "tags": {"a": "b"}}
    assert (await arm.http.put(group_path(arm), json=body)).status_code == 201
    assert (await arm.http.put(group_path(arm), json=body)).status_code == 200
    assert await arm.resources.resource_groups.check_existence("lab") is True
    assert await arm.resources.resource_groups.check_existence("none") is False
    patched = await arm.resources.resource_groups.update("LAB", {"tags": {"c": "d"}})
    assert (patched.location, patched.tags) == ("uksouth", {"c": "d"})
    assert [g.name async for g in arm.resources.resource_groups.list()] == ["lab"]
    sifted = arm.resources.resource_groups.list(filter="tagName eq 'c' and tagValue eq 'D'")
    assert [g.name async for g in sifted] == []


@pytest.mark.parametrize(
    ("name", "body", "status", "code"),
    [
        ("new", {"location": "BadLocation"}, 400, "LocationNotAvailableForResourceGroup"),
        ("new", {}, 400, "LocationRequired"),
        ("ends.", {"location": LOCATION}, 400, "InvalidResourceGroup"),
        ("lab", {"location": "eastus"}, 409, "InvalidResourceGroupLocation"),
    ],
)
async def test_a_group_that_cannot_be_is_refused(
    arm: Arm, name: str, body: dict[str, Any], status: int, code: str
) -> None:
    await arm.make_group()
    refused = await arm.http.put(group_path(arm, name), json=body)
    assert (refused.status_code, refused.json()["error"]["code"]) == (status, code)


async def test_a_group_goes_in_the_background_with_all_that_is_in_it(arm: Arm) -> None:
    await fill(arm)
    arm.world.scale = 0.1
    going = await arm.http.delete(group_path(arm))
    assert (going.status_code, going.content) == (202, b"")
    assert "azure-asyncoperation" not in going.headers
    job = going.headers["location"].split("/operationresults/")[1].split("?")[0]
    told = json.loads(base64.urlsafe_b64decode(job + "=" * (-len(job) % 4)))
    assert told["jobId"] == "RESOURCEGROUPDELETIONJOB-LAB-UKSOUTH"
    deleting = await arm.http.get(group_path(arm))
    assert deleting.json()["properties"]["provisioningState"] == "Deleting"
    refused = await arm.http.put(arm.id("lab", "Microsoft.Network/virtualNetworks/late"), json=VNET)
    assert (refused.status_code, refused.json()["error"]["code"]) == (409, "ResourceGroupBeingDeleted")
    polled = await arm.http.get(going.headers["location"])
    assert (polled.status_code, polled.content) == (202, b"")
    await (await arm.resources.resource_groups.begin_delete("lab")).result()
    assert arm.world.resources == {}
    assert (await arm.http.get(going.headers["location"])).status_code == 200


async def test_a_group_that_cannot_go_is_told_of_with_capitals_and_stays(arm: Arm) -> None:
    await fill(arm)
    other = await arm.make_group("other")
    network = arm.id(other, "Microsoft.Network")
    subnet = {"subnet": {"id": f"{arm.id('lab', 'Microsoft.Network')}/virtualNetworks/net/subnets/default"}}
    nic = {"ipConfigurations": [{"name": "primary", "properties": subnet}]}
    body = {"location": LOCATION, "properties": nic}
    await arm.router.invoke(arm.world, "PUT", f"{network}/networkInterfaces/guest", body)
    going = await arm.http.delete(group_path(arm))
    answer = await arm.http.get(going.headers["location"])
    while answer.status_code == 202:
        answer = await arm.http.get(going.headers["location"])
    error = answer.json()["Error"]
    assert (answer.status_code, error["Code"]) == (409, "ResourceGroupDeletionBlocked")
    assert "'Microsoft.Network/virtualNetworks/net' could not be deleted" in error["Message"]
    inner = json.loads(error["Details"][0]["Message"])["error"]
    assert inner["code"] == "InUseSubnetCannotBeDeleted"
    group = (await arm.http.get(group_path(arm))).json()
    assert group["properties"]["provisioningState"] == "Succeeded"


async def test_a_group_that_is_not_there_is_a_404_of_the_gateway(arm: Arm) -> None:
    for answer in (
        await arm.http.delete(group_path(arm, "none")),
        await arm.http.get(arm.id("none", "Microsoft.Network/virtualNetworks")),
        await arm.http.put(arm.id("none", "Microsoft.Network/virtualNetworks/net"), json=VNET),
    ):
        assert answer.status_code == 404
        assert answer.headers["x-ms-failure-cause"] == "gateway"
        assert answer.json()["error"]["code"] == "ResourceGroupNotFound"


async def test_all_resources_of_a_run_are_found_by_its_tag(arm: Arm) -> None:
    await fill(arm, run="1")
    await fill(arm, "other", run="2")
    found = arm.resources.resources.list(filter="tagName eq 'run' and tagValue eq '2'")
    rows = [r async for r in found]
    assert {r.name for r in rows} == {"net", "ip", "nic"}
    assert {r.id.split("/")[4] for r in rows} == {"other"}
    named = [r.name async for r in arm.resources.resources.list(filter="tagName eq 'run'")]
    assert len(named) == 6


async def test_the_list_can_be_sifted_by_type_and_name(arm: Arm) -> None:
    await fill(arm)
    kind = "resourceType eq 'Microsoft.Network/virtualNetworks'"
    assert [r.name async for r in arm.resources.resources.list(filter=kind)] == ["net"]
    both = f"{kind} and name eq 'other'"
    assert [r.name async for r in arm.resources.resources.list(filter=both)] == []
    part = "substringof('ni', name)"
    assert [r.name async for r in arm.resources.resources.list_by_resource_group("lab", filter=part)] == [
        "nic"
    ]


@pytest.mark.parametrize(
    "text",
    [
        "tagName eq 'a' and location eq 'b'",
        "tagValue eq 'a'",
        "color eq 'red'",
        "name eq x",
        "name eq 'a' and",
    ],
)
async def test_a_filter_that_is_none_is_refused(arm: Arm, text: str) -> None:
    path = f"/subscriptions/{arm.world.subscription_id}/resources"
    refused = await arm.http.get(path, params={"$filter": text})
    assert (refused.status_code, refused.json()["error"]["code"]) == (400, "InvalidFilterInQueryString")


async def test_a_long_list_comes_in_pages(arm: Arm) -> None:
    await fill(arm)
    path = f"/subscriptions/{arm.world.subscription_id}/resources"
    first = (await arm.http.get(path, params={"$top": "2"})).json()
    assert len(first["value"]) == 2
    second = (await arm.http.get(first["nextLink"])).json()
    assert [r["name"] for r in second["value"]] == ["nic"]
    assert "nextLink" not in second
    assert len([r async for r in arm.resources.resources.list(top=1)]) == 3


async def test_the_subscription_its_regions_and_its_providers(arm: Arm) -> None:
    base = f"/subscriptions/{arm.world.subscription_id}"
    listed = (await arm.http.get("/subscriptions")).json()["value"]
    assert [row["subscriptionId"] for row in listed] == [arm.world.subscription_id]
    assert (await arm.http.get(base)).json()["state"] == "Enabled"
    regions = (await arm.http.get(f"{base}/locations")).json()["value"]
    assert {"uksouth", "westeurope", "eastus"} <= {row["name"] for row in regions}
    provider = await arm.resources.providers.get("microsoft.compute")
    assert (provider.namespace, provider.registration_state) == ("Microsoft.Compute", "Registered")
    assert (await arm.resources.providers.register("Microsoft.Network")).registration_state == "Registered"
    assert "Microsoft.Storage" in [p.namespace async for p in arm.resources.providers.list()]


async def test_the_caller_may_do_everything_and_nothing_is_locked(arm: Arm) -> None:
    await arm.make_group()
    scope = f"{group_path(arm)}/providers/Microsoft.Authorization"
    assert (await arm.http.get(f"{scope}/permissions")).json()["value"][0]["actions"] == ["*"]
    assert (await arm.http.get(f"{scope}/locks")).json() == {"value": []}


async def test_a_subscription_that_is_not_ours_is_a_404(arm: Arm) -> None:
    answer = await arm.http.get("/subscriptions/00000000-0000-0000-0000-000000000000/resourcegroups")
    assert (answer.status_code, answer.json()["error"]["code"]) == (404, "SubscriptionNotFound")
