"""Virtual networks and subnets answer as the real service was recorded to answer."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

import pytest
import pytest_asyncio
from azure.core.exceptions import HttpResponseError, ResourceNotFoundError

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


@pytest_asyncio.fixture
async def arm(certificates: Certificates, tmp_path: Path) -> AsyncIterator[Arm]:
    async with running_arm(certificates, tmp_path) as started:
        await started.make_group()
        yield started


async def test_a_new_vnet_is_updating_first_and_succeeded_later_with_another_etag(arm: Arm) -> None:
    path = arm.id("lab", "Microsoft.Network/virtualNetworks/net")
    first = await arm.http.put(path, json=VNET)
    assert first.status_code == 201
    assert first.json()["properties"]["provisioningState"] == "Updating"
    assert first.headers["azure-asyncnotification"] == "Enabled"
    assert "location" not in first.headers
    poller = await arm.network.virtual_networks.begin_create_or_update("lab", "net2", VNET)
    made = await poller.result()
    assert made.provisioning_state == "Succeeded"
    assert made.subnets[0].provisioning_state == "Succeeded"
    later = await arm.http.get(path)
    assert later.json()["etag"] == later.headers["etag"] != first.json()["etag"]


async def test_two_subnets_at_once_are_a_429_that_names_the_operation(arm: Arm) -> None:
    await (await arm.network.virtual_networks.begin_create_or_update("lab", "net", VNET)).result()
    arm.world.scale = 1.0
    paths = [arm.id("lab", f"Microsoft.Network/virtualNetworks/net/subnets/s{n}") for n in (1, 2)]
    bodies: list[dict[str, Any]] = [{"properties": {"addressPrefix": f"10.0.{n}.0/24"}} for n in (1, 2)]
    first, second = await asyncio.gather(
        *(arm.http.put(p, json=b) for p, b in zip(paths, bodies, strict=True))
    )
    refused = second if first.status_code == 201 else first
    assert refused.status_code == 429
    inner = refused.json()["error"]["details"][0]
    assert refused.json()["error"]["code"] == "RetryableError"
    assert inner["code"] == "RetryableErrorDueToAnotherOperation"
    assert "Operation PutSubnetOperation (" in inner["message"]
    assert "can be retried in 11 seconds." in inner["message"]


@pytest.mark.parametrize(
    ("prefix", "code"),
    [
        ("10.1.0.0/24", "NetcfgSubnetRangeOutsideVnet"),
        ("10.0.0.128/25", "NetcfgSubnetRangesOverlap"),
        ("10.0.1.0/24--", "InvalidAddressPrefixFormat"),
    ],
)
async def test_a_subnet_that_does_not_fit_is_refused(arm: Arm, prefix: str, code: str) -> None:
    await (await arm.network.virtual_networks.begin_create_or_update("lab", "net", VNET)).result()
    subnet: dict[str, Any] = {"properties": {"addressPrefix": prefix}}
    with pytest.raises(HttpResponseError) as refused:
        await arm.network.subnets.begin_create_or_update("lab", "net", "other", subnet)
    assert refused.value.status_code == 400
    assert refused.value.error is not None
    assert refused.value.error.code == code


async def test_a_vnet_put_without_subnets_keeps_them_and_an_empty_list_takes_them_away(arm: Arm) -> None:
    client = arm.network.virtual_networks
    await (await client.begin_create_or_update("lab", "net", VNET)).result()
    space = {"addressSpace": VNET["properties"]["addressSpace"]}
    bare: dict[str, Any] = {"location": LOCATION, "properties": space}
    kept = await (await client.begin_create_or_update("lab", "net", bare)).result()
    assert [s.name for s in kept.subnets or []] == ["default"]
    none: dict[str, Any] = {"location": LOCATION, "properties": {**space, "subnets": []}}
    gone = await (await client.begin_create_or_update("lab", "net", none)).result()
    assert not gone.subnets


async def test_a_change_of_tags_only_says_succeeded_at_once(arm: Arm) -> None:
    await (await arm.network.virtual_networks.begin_create_or_update("lab", "net", VNET)).result()
    path = arm.id("lab", "Microsoft.Network/virtualNetworks/net")
    changed = await arm.http.put(path, json={**VNET, "tags": {"a": "b"}})
    assert changed.status_code == 200
    assert changed.json()["properties"]["provisioningState"] == "Succeeded"
    assert "azure-asyncoperation" in changed.headers
    assert "x-ms-retry-after-ms" not in changed.headers


async def test_a_wrong_etag_is_a_412(arm: Arm) -> None:
    await (await arm.network.virtual_networks.begin_create_or_update("lab", "net", VNET)).result()
    path = arm.id("lab", "Microsoft.Network/virtualNetworks/net")
    right = (await arm.http.get(path)).headers["etag"]
    refused = await arm.http.put(path, json=VNET, headers={"If-Match": 'W/"other"'})
    assert (refused.status_code, refused.json()["error"]["code"]) == (412, "PreconditionFailed")
    again = await arm.http.put(path, json=VNET, headers={"If-None-Match": "*"})
    assert again.status_code == 412
    assert (await arm.http.put(path, json=VNET, headers={"If-Match": right})).status_code == 200


async def test_a_deleted_vnet_is_gone_with_its_subnets_and_its_location_ends_with_204(arm: Arm) -> None:
    await (await arm.network.virtual_networks.begin_create_or_update("lab", "net", VNET)).result()
    path = arm.id("lab", "Microsoft.Network/virtualNetworks/net")
    going = await arm.http.delete(path)
    assert going.status_code == 202
    assert await arm.end(going.headers["azure-asyncoperation"]) == {"status": "Succeeded"}
    assert (await arm.http.get(going.headers["location"])).status_code == 204
    gone = await arm.http.get(f"{path}/subnets/default")
    assert gone.status_code == 404
    assert gone.json()["error"]["message"].startswith(
        "The Resource 'Microsoft.Network/virtualNetworks/net' under"
    )
    assert (await arm.http.delete(path)).status_code == 204


async def test_a_missing_subnet_of_a_vnet_is_networks_own_404(arm: Arm) -> None:
    await (await arm.network.virtual_networks.begin_create_or_update("lab", "net", VNET)).result()
    with pytest.raises(ResourceNotFoundError) as missing:
        await arm.network.subnets.get("lab", "net", "none")
    assert missing.value.error is not None
    assert missing.value.error.code == "NotFound"


async def test_lists_are_of_a_group_or_of_the_subscription(arm: Arm) -> None:
    await arm.make_group("other")
    for group in ("lab", "other"):
        await (await arm.network.virtual_networks.begin_create_or_update(group, f"in-{group}", VNET)).result()
    here = [v.name async for v in arm.network.virtual_networks.list("lab")]
    everywhere = [v.name async for v in arm.network.virtual_networks.list_all()]
    assert (here, everywhere) == (["in-lab"], ["in-lab", "in-other"])


async def test_a_region_that_there_is_not_is_refused(arm: Arm) -> None:
    path = arm.id("lab", "Microsoft.Network/virtualNetworks/net")
    refused = await arm.http.put(path, json={**VNET, "location": "atlantis"})
    assert refused.status_code == 400
    assert refused.json()["error"]["code"] == "LocationNotAvailableForResourceType"
    assert refused.headers["x-ms-failure-cause"] == "gateway"
