"""What ARM itself answers, before a provider sees the request."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
import pytest_asyncio

from tests.armlocal.armworld import LOCATION, Arm, running_arm

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path

    from tests.armlocal.conftest import Certificates

ADDRESS = "Microsoft.Network/publicIPAddresses/ip"
BODY = {
    "location": "uksouth",
    "sku": {"name": "Standard"},
    "properties": {"publicIPAllocationMethod": "Static"},
}


@pytest_asyncio.fixture
async def arm(certificates: Certificates, tmp_path: Path) -> AsyncIterator[Arm]:
    async with running_arm(certificates, tmp_path) as started:
        await started.make_group("lab")
        yield started


async def test_a_request_without_api_version_is_a_400(arm: Arm) -> None:
    path = f"/subscriptions/{arm.world.subscription_id}/resourceGroups"
    arm.http.event_hooks = {}
    answer = await arm.http.get(path)
    assert (answer.status_code, answer.json()["error"]["code"]) == (400, "MissingApiVersionParameter")
    assert answer.headers["x-ms-failure-cause"] == "gateway"


@pytest.mark.parametrize("version", ["latest", "2024", "2024-99-01", "v1"])
async def test_an_api_version_that_is_no_date_is_a_400(arm: Arm, version: str) -> None:
    path = f"/subscriptions/{arm.world.subscription_id}/resourceGroups"
    answer = await arm.http.get(path, params={"api-version": version})
    assert (answer.status_code, answer.json()["error"]["code"]) == (400, "InvalidApiVersionParameter")
    assert version in answer.json()["error"]["message"]


async def test_another_subscription_is_not_found(arm: Arm) -> None:
    answer = await arm.http.get("/subscriptions/another/resourceGroups")
    assert (answer.status_code, answer.json()["error"]["code"]) == (404, "SubscriptionNotFound")


@pytest.mark.parametrize("method", ["GET", "PUT", "DELETE"])
async def test_an_unknown_group_is_a_404_for_every_method(arm: Arm, method: str) -> None:
    answer = await arm.http.request(method, arm.id("nowhere", ADDRESS), json=BODY)
    assert answer.status_code == 404
    assert answer.json() == {
        "error": {"code": "ResourceGroupNotFound", "message": "Resource group 'nowhere' could not be found."}
    }
    assert answer.headers["x-ms-failure-cause"] == "gateway"


async def test_an_unknown_resource_is_arms_own_404(arm: Arm) -> None:
    answer = await arm.http.get(arm.id("lab", ADDRESS))
    assert answer.status_code == 404
    assert answer.json()["error"]["message"] == (
        "The Resource 'Microsoft.Network/publicIPAddresses/ip' under resource group 'lab' was not found. "
        "For more details please go to https://aka.ms/ARMResourceNotFoundFix"
    )


async def test_ids_are_the_same_in_whatever_letters(arm: Arm) -> None:
    await arm.http.put(arm.id("lab", ADDRESS), json=BODY)
    answer = await arm.http.get(arm.id("LAB", ADDRESS).replace("publicIP", "PUBLICip").replace("/ip", "/IP"))
    assert answer.status_code == 200
    assert answer.json()["id"] == arm.id("lab", ADDRESS)
    assert answer.json()["type"] == "Microsoft.Network/publicIPAddresses"


async def test_keys_of_a_body_are_the_same_in_whatever_letters_but_tags(arm: Arm) -> None:
    sent = {
        "Location": LOCATION,
        "TAGS": {"Location": "Mine"},
        "sku": {"Name": "Standard"},
        "properties": {"publicIpAllocationMethod": "Static", "IdleTimeoutInMinutes": 7},
    }
    answer = await arm.http.put(arm.id("lab", ADDRESS), json=sent)
    assert answer.status_code == 201
    assert answer.json()["tags"] == {"Location": "Mine"}
    told = answer.json()["properties"]
    assert (told["publicIPAllocationMethod"], told["idleTimeoutInMinutes"]) == ("Static", 7)


async def test_a_namespace_type_or_method_that_there_is_not_is_named(arm: Arm) -> None:
    async def code(method: str, path: str) -> str:
        answer = await arm.http.request(method, arm.id("lab", path))
        return str(answer.json()["error"]["code"])

    assert await code("GET", "Microsoft.Nothing/things/x") == "InvalidResourceNamespace"
    assert await code("GET", "Microsoft.Network/things/x") == "InvalidResourceType"
    assert await code("DELETE", "Microsoft.Network/publicIPAddresses") == "UnsupportedHttpMethod"


async def test_a_child_of_nothing_is_parent_not_found(arm: Arm) -> None:
    path = arm.id("lab", "Microsoft.Network/virtualNetworks/v/subnets/s")
    answer = await arm.http.put(path, json={"properties": {"addressPrefix": "10.0.0.0/24"}})
    assert (answer.status_code, answer.json()["error"]["code"]) == (404, "ParentResourceNotFound")


async def test_a_new_resource_needs_a_location_and_cannot_move(arm: Arm) -> None:
    path = arm.id("lab", ADDRESS)
    answer = await arm.http.put(path, json={**BODY, "location": ""})
    assert answer.json()["error"]["code"] == "LocationRequired"
    await arm.http.put(path, json=BODY)
    answer = await arm.http.put(path, json={**BODY, "location": "westeurope"})
    assert (answer.status_code, answer.json()["error"]["code"]) == (409, "InvalidResourceLocation")


async def test_more_than_fifty_tags_are_refused(arm: Arm) -> None:
    tags = {f"t{n}": "x" for n in range(51)}
    answer = await arm.http.put(arm.id("lab", ADDRESS), json={**BODY, "tags": tags})
    assert (answer.status_code, answer.json()["error"]["code"]) == (400, "TooManyTags")


async def test_a_body_that_is_no_json_object_is_a_400(arm: Arm) -> None:
    for content in (b"{", b"[1]"):
        answer = await arm.http.put(arm.id("lab", ADDRESS), content=content)
        assert (answer.status_code, answer.json()["error"]["code"]) == (400, "InvalidRequestContent")


async def test_every_answer_carries_arms_headers(arm: Arm) -> None:
    for path in (arm.id("lab", ADDRESS), f"/subscriptions/{arm.world.subscription_id}/resourceGroups"):
        headers = (await arm.http.get(path)).headers
        assert headers["cache-control"] == "no-cache"
        assert headers["x-content-type-options"] == "nosniff"
        assert headers["x-ms-correlation-request-id"] in headers["x-ms-routing-request-id"]
        assert len(headers["x-ms-request-id"]) == 36
    assert headers["x-ms-ratelimit-remaining-subscription-global-reads"] == "16499"


async def test_a_broken_provider_answers_500_and_the_next_request_is_served(
    arm: Arm, caplog: pytest.LogCaptureFixture
) -> None:
    answer = await arm.http.put(arm.id("lab", ADDRESS), json={**BODY, "properties": [1]})
    assert (answer.status_code, answer.json()["error"]["code"]) == (500, "InternalServerError")
    assert "a provider broke" in caplog.text
    assert (await arm.http.put(arm.id("lab", ADDRESS), json=BODY)).status_code == 201
