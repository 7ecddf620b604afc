"""Public IP addresses and security groups answer as the real service was recorded to answer."""

from __future__ import annotations

import asyncio
import ipaddress
from typing import TYPE_CHECKING, Any

import pytest
import pytest_asyncio
from azure.core.exceptions import HttpResponseError

from tests.armlocal.armworld import LOCATION, Arm, running_arm

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path

    from tests.armlocal.conftest import Certificates

STATIC: dict[str, Any] = {"publicIPAllocationMethod": "Static"}
ADDRESS: dict[str, Any] = {"location": LOCATION, "sku": {"name": "Standard"}, "properties": STATIC}
GROUP: dict[str, Any] = {"location": LOCATION, "tags": {"a": "b"}}


def rule(priority: int, **more: Any) -> dict[str, Any]:
    properties = {
        "protocol": "Tcp",
        "access": "Allow",
        "direction": "Inbound",
        "priority": priority,
        "sourcePortRange": "*",
        "destinationPortRange": "443",
        "sourceAddressPrefix": "*",
        "destinationAddressPrefix": "*",
        **more,
    }
    return {"properties": {key: value for key, value in properties.items() if value is not None}}


@pytest_asyncio.fixture
async def arm(certificates: Certificates, tmp_path: Path) -> AsyncIterator[Arm]:
    async with running_arm(certificates, tmp_path) as started:
        await started.make_group()
        yield started


async def test_the_address_is_there_only_when_the_operation_is_over(arm: Arm) -> None:
    path = arm.id("lab", "Microsoft.Network/publicIPAddresses/ip")
    first = await arm.http.put(path, json=ADDRESS)
    assert first.status_code == 201
    assert "ipAddress" not in first.json()["properties"]
    await arm.end(first.headers["azure-asyncoperation"])
    later = (await arm.http.get(path)).json()["properties"]
    assert later["provisioningState"] == "Succeeded"
    documentation = [ipaddress.ip_network(block) for block in ("203.0.113.0/24", "198.51.100.0/24")]
    assert any(ipaddress.ip_address(later["ipAddress"]) in block for block in documentation)


async def test_no_two_addresses_are_the_same(arm: Arm) -> None:
    pollers = [
        await arm.network.public_ip_addresses.begin_create_or_update("lab", f"ip{n}", ADDRESS)
        for n in range(5)
    ]
    made = [await poller.result() for poller in pollers]
    assert len({address.ip_address for address in made}) == 5


@pytest.mark.parametrize(
    ("change", "code"),
    [
        ({"sku": {"name": "Basic"}}, "IPv4BasicSkuPublicIpCountLimitReached"),
        ({"sku": None}, "IPv4BasicSkuPublicIpCountLimitReached"),
        ({"properties": {"publicIPAllocationMethod": "Dynamic"}}, "StandardSkuPublicIPAddressesMustBeStatic"),
        ({"properties": {}}, "StandardSkuPublicIPAddressesMustBeStatic"),
    ],
)
async def test_basic_and_dynamic_addresses_are_refused(arm: Arm, change: dict[str, Any], code: str) -> None:
    body: dict[str, Any] = {**ADDRESS, **change}
    refused = await arm.http.put(arm.id("lab", "Microsoft.Network/publicIPAddresses/ip"), json=body)
    assert (refused.status_code, refused.json()["error"]["code"]) == (400, code)


async def test_an_update_keeps_the_address_and_a_patch_changes_the_tags(arm: Arm) -> None:
    client = arm.network.public_ip_addresses
    before = await (await client.begin_create_or_update("lab", "ip", ADDRESS)).result()
    tagged: dict[str, Any] = {"tags": {"run": "1"}}
    await client.update_tags("lab", "ip", tagged)
    idle: dict[str, Any] = {**ADDRESS, **tagged, "properties": {**STATIC, "idleTimeoutInMinutes": 9}}
    after = await (await client.begin_create_or_update("lab", "ip", idle)).result()
    assert (after.ip_address, after.idle_timeout_in_minutes) == (before.ip_address, 9)
    assert after.tags == {"run": "1"}


async def test_a_group_has_six_default_rules_and_its_own_inline(arm: Arm) -> None:
    body: dict[str, Any] = {**GROUP, "properties": {"securityRules": [{"name": "web", **rule(100)}]}}
    poller = await arm.network.network_security_groups.begin_create_or_update("lab", "nsg", body)
    group = await poller.result()
    assert [r.name for r in group.security_rules or []] == ["web"]
    priorities = sorted(r.priority or 0 for r in group.default_security_rules or [])
    assert priorities == [65000, 65000, 65001, 65001, 65500, 65500]
    assert all(r.provisioning_state == "Succeeded" for r in group.default_security_rules or [])


async def test_rules_of_one_group_can_be_put_at_the_same_time(arm: Arm) -> None:
    await (await arm.network.network_security_groups.begin_create_or_update("lab", "nsg", GROUP)).result()
    paths = [
        arm.id("lab", f"Microsoft.Network/networkSecurityGroups/nsg/securityRules/r{n}") for n in range(2)
    ]
    answers = await asyncio.gather(*(arm.http.put(p, json=rule(200 + n)) for n, p in enumerate(paths)))
    assert [answer.status_code for answer in answers] == [201, 201]
    assert "/locations/uksouth/operations/" in answers[0].headers["azure-asyncoperation"]
    assert [r.name async for r in arm.network.security_rules.list("lab", "nsg")] == ["r0", "r1"]


@pytest.mark.parametrize(
    ("body", "code"),
    [
        (rule(200), "SecurityRuleConflict"),
        (rule(99), "SecurityRuleInvalidPriority"),
        (rule(201, destinationPortRange="70000"), "SecurityRuleInvalidPortRange"),
        (rule(201, sourceAddressPrefix="10.0.0.1/8"), "SecurityRuleInvalidAddressPrefix"),
        (rule(201, sourceAddressPrefixes=["10.0.0.0/8"]), "SecurityRuleParameterConflict"),
        (rule(201, sourceAddressPrefix=None), "SecurityRuleParametersMissing"),
    ],
)
async def test_a_rule_that_cannot_be_is_refused(arm: Arm, body: dict[str, Any], code: str) -> None:
    with_rule: dict[str, Any] = {**GROUP, "properties": {"securityRules": [{"name": "first", **rule(200)}]}}
    await (await arm.network.network_security_groups.begin_create_or_update("lab", "nsg", with_rule)).result()
    path = arm.id("lab", "Microsoft.Network/networkSecurityGroups/nsg/securityRules/second")
    refused = await arm.http.put(path, json=body)
    assert (refused.status_code, refused.json()["error"]["code"]) == (400, code)


async def test_inbound_and_outbound_rules_may_have_the_same_priority(arm: Arm) -> None:
    rules = [{"name": "in", **rule(200)}, {"name": "out", **rule(200, direction="Outbound")}]
    body: dict[str, Any] = {**GROUP, "properties": {"securityRules": rules}}
    poller = await arm.network.network_security_groups.begin_create_or_update("lab", "nsg", body)
    assert len((await poller.result()).security_rules or []) == 2


async def test_deleting_a_rule_leaves_the_others(arm: Arm) -> None:
    rules = [{"name": f"r{n}", **rule(200 + n)} for n in range(2)]
    body: dict[str, Any] = {**GROUP, "properties": {"securityRules": rules}}
    await (await arm.network.network_security_groups.begin_create_or_update("lab", "nsg", body)).result()
    await (await arm.network.security_rules.begin_delete("lab", "nsg", "r0")).result()
    assert [r.name async for r in arm.network.security_rules.list("lab", "nsg")] == ["r1"]
    again = await arm.http.delete(
        arm.id("lab", "Microsoft.Network/networkSecurityGroups/nsg/securityRules/r0")
    )
    assert again.status_code == 204


async def test_usages_count_what_there_is_and_say_that_basic_is_over(arm: Arm) -> None:
    await (await arm.network.public_ip_addresses.begin_create_or_update("lab", "ip", ADDRESS)).result()
    usages = {u.name.value: u async for u in arm.network.usages.list(LOCATION)}
    assert usages["PublicIPAddresses"].current_value == 1
    assert usages["IPv4BasicSkuPublicIpAddresses"].limit == 0


async def test_a_group_put_fails_at_its_end_when_asked_to(arm: Arm) -> None:
    fault = {
        "operation": "PUT Microsoft.Network/networkSecurityGroups",
        "kind": "fail_at_end",
        "code": "Broken",
    }
    await arm.http.post("/_control/faults", json=[fault])
    poller = await arm.network.network_security_groups.begin_create_or_update("lab", "nsg", GROUP)
    with pytest.raises(HttpResponseError) as failed:
        await poller.result()
    assert failed.value.error is not None
    assert failed.value.error.code == "Broken"
    left = await arm.network.network_security_groups.get("lab", "nsg")
    assert left.provisioning_state == "Failed"
