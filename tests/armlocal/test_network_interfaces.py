"""Network interfaces and what holds what: refusals with the bodies of the real service."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
import pytest_asyncio

from armlocal.state import make_resource
from tests.armlocal.armworld import LOCATION, Arm, running_arm

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path

    import httpx

    from armlocal.state import Resource
    from tests.armlocal.conftest import Certificates

NETWORK = "Microsoft.Network"


@pytest_asyncio.fixture
async def arm(certificates: Certificates, tmp_path: Path) -> AsyncIterator[Arm]:
    """A VNet, an address and a security group, ready to be used."""
    async with running_arm(certificates, tmp_path) as started:
        await started.make_group()
        for path, body in _NEIGHBOURS.items():
            await started.router.invoke(
                started.world, "PUT", started.id("lab", f"{NETWORK}/{path}"), {"location": LOCATION, **body}
            )
        yield started


_NEIGHBOURS: dict[str, dict[str, Any]] = {
    "virtualNetworks/net": {
        "properties": {
            "addressSpace": {"addressPrefixes": ["10.0.0.0/16"]},
            "subnets": [{"name": "default", "properties": {"addressPrefix": "10.0.0.0/24"}}],
        }
    },
    "publicIPAddresses/ip": {
        "sku": {"name": "Standard"},
        "properties": {"publicIPAllocationMethod": "Static"},
    },
    "networkSecurityGroups/nsg": {"properties": {}},
}


def nic_body(arm: Arm, **more: Any) -> dict[str, Any]:
    ids = {path: {"id": arm.id("lab", f"{NETWORK}/{path}")} for path in _NEIGHBOURS}
    subnet = {"id": ids["virtualNetworks/net"]["id"] + "/subnets/default"}
    properties = {"subnet": subnet, "publicIPAddress": ids["publicIPAddresses/ip"], **more}
    return {
        "location": LOCATION,
        "properties": {
            "ipConfigurations": [{"name": "primary", "properties": properties}],
            "networkSecurityGroup": ids["networkSecurityGroups/nsg"],
        },
    }


def nic_path(arm: Arm, name: str = "nic") -> str:
    return arm.id("lab", f"{NETWORK}/networkInterfaces/{name}")


async def put_nic(arm: Arm, name: str = "nic", **more: Any) -> httpx.Response:
    return await arm.http.put(nic_path(arm, name), json=nic_body(arm, **more))


async def refusal(arm: Arm, path: str) -> tuple[int, str, str]:
    """Status, code and text of the answer to a DELETE."""
    answer = await arm.http.delete(arm.id("lab", f"{NETWORK}/{path}"))
    error = answer.json()["error"]
    assert error["details"] == []
    return answer.status_code, error["code"], error["message"]


def put_on_vm(arm: Arm) -> Resource:
    """A VM that has the interface, as Compute would leave it."""
    vm_id = arm.id("lab", "Microsoft.Compute/virtualMachines/vm")
    profile = {"networkInterfaces": [{"id": nic_path(arm)}]}
    body = {"location": LOCATION, "properties": {"networkProfile": profile, "provisioningState": "Succeeded"}}
    return arm.world.add(make_resource(vm_id, "Microsoft.Compute/virtualMachines", body))


async def test_a_new_interface_is_there_at_once_without_an_operation(arm: Arm) -> None:
    made = await put_nic(arm)
    assert made.status_code == 201
    assert "azure-asyncoperation" not in made.headers
    properties = made.json()["properties"]
    assert properties["provisioningState"] == "Succeeded"
    assert properties["ipConfigurations"][0]["properties"]["privateIPAddress"] == "10.0.0.4"
    assert made.json()["kind"] == "Regular"


async def test_a_changed_interface_is_announced_as_an_operation(arm: Arm) -> None:
    await put_nic(arm)
    again = await put_nic(arm)
    assert again.status_code == 200
    assert again.json()["properties"]["provisioningState"] == "Succeeded"
    assert await arm.end(again.headers["azure-asyncoperation"]) == {"status": "Succeeded"}


async def test_interfaces_of_a_subnet_have_addresses_of_their_own(arm: Arm) -> None:
    made = [await put_nic(arm, name, publicIPAddress=None) for name in ("a", "b")]
    rows = [m.json()["properties"]["ipConfigurations"][0]["properties"]["privateIPAddress"] for m in made]
    assert rows == ["10.0.0.4", "10.0.0.5"]


async def test_what_an_interface_uses_says_so(arm: Arm) -> None:
    await put_nic(arm)
    address = await arm.network.public_ip_addresses.get("lab", "ip")
    group = await arm.network.network_security_groups.get("lab", "nsg")
    subnet = await arm.network.subnets.get("lab", "net", "default")
    configuration = f"{nic_path(arm)}/ipConfigurations/primary"
    assert address.ip_configuration is not None
    assert address.ip_configuration.id == configuration
    assert [n.id for n in group.network_interfaces or []] == [nic_path(arm)]
    shouted = (
        configuration.replace("/lab/", "/LAB/").replace("/nic/", "/NIC/").replace("/primary", "/PRIMARY")
    )
    assert [c.id for c in subnet.ip_configurations or []] == [shouted]


@pytest.mark.parametrize(
    ("key", "path"),
    [
        ("subnet", "virtualNetworks/net/subnets/none"),
        ("publicIPAddress", "publicIPAddresses/none"),
    ],
)
async def test_a_reference_to_nothing_is_refused(arm: Arm, key: str, path: str) -> None:
    missing = arm.id("lab", f"{NETWORK}/{path}")
    changed: dict[str, Any] = {key: {"id": missing}}
    refused = await put_nic(arm, **changed)
    error = refused.json()["error"]
    assert (refused.status_code, error["code"]) == (400, "InvalidResourceReference")
    assert error["message"].startswith(
        f"Resource {missing} referenced by resource {nic_path(arm)} was not found."
    )


async def test_a_reference_into_another_region_is_refused(arm: Arm) -> None:
    refused = await arm.http.put(nic_path(arm), json={**nic_body(arm), "location": "eastus"})
    assert refused.json()["error"]["code"] == "InvalidResourceReference"


async def test_a_reference_to_what_is_still_being_made_is_a_429_without_retry_after(arm: Arm) -> None:
    subnet_path = arm.id("lab", f"{NETWORK}/virtualNetworks/net/subnets/late")
    arm.world.scale = 1
    await arm.http.put(subnet_path, json={"properties": {"addressPrefix": "10.0.9.0/24"}})
    refused = await put_nic(arm, subnet={"id": subnet_path})
    inner = refused.json()["error"]["details"][0]
    assert (refused.status_code, inner["code"]) == (429, "ReferencedResourceNotProvisioned")
    assert inner["message"].endswith(
        "the last operation that updated/is updating the resource is PutSubnetOperation."
    )
    assert "retry-after" not in refused.headers


async def test_an_address_can_be_on_one_interface_only(arm: Arm) -> None:
    await put_nic(arm)
    refused = await put_nic(arm, "second")
    assert (refused.status_code, refused.json()["error"]["code"]) == (400, "PublicIPAddressInUse")


async def test_what_an_interface_uses_cannot_be_deleted(arm: Arm) -> None:
    await put_nic(arm)
    configuration = f"{nic_path(arm)}/ipConfigurations/primary"
    address = arm.id("lab", f"{NETWORK}/publicIPAddresses/ip")
    group = arm.id("lab", f"{NETWORK}/networkSecurityGroups/nsg")
    in_subnet = (
        f"Subnet default is in use by {configuration} and cannot be deleted. In order to delete the subnet, "
        "delete all the resources within the subnet. See aka.ms/deletesubnet."
    )
    on_address = (
        f"Public IP address {address} can not be deleted since it is still allocated to resource "
        f"{configuration}. In order to delete the public IP, disassociate/detach the Public IP address from "
        "the resource.  To learn how to do this, see aka.ms/deletepublicip."
    )
    on_group = (
        f"Network security group {group} cannot be deleted because it is in use by the following resources: "
        f"{nic_path(arm)}. In order to delete the Network security group, remove the association with the "
        "resource(s). To learn how to do this, see aka.ms/deletensg."
    )
    refused = {
        path: await refusal(arm, path) for path in (*_NEIGHBOURS, "virtualNetworks/net/subnets/default")
    }
    assert refused == {
        "publicIPAddresses/ip": (400, "PublicIPAddressCannotBeDeleted", on_address),
        "networkSecurityGroups/nsg": (400, "InUseNetworkSecurityGroupCannotBeDeleted", on_group),
        "virtualNetworks/net": (400, "InUseSubnetCannotBeDeleted", in_subnet),
        "virtualNetworks/net/subnets/default": (400, "InUseSubnetCannotBeDeleted", in_subnet),
    }


async def test_an_interface_on_a_vm_says_so_and_cannot_be_deleted(arm: Arm) -> None:
    await put_nic(arm)
    vm = put_on_vm(arm)
    nic = await arm.network.network_interfaces.get("lab", "nic")
    assert nic.virtual_machine is not None
    assert (nic.virtual_machine.id, nic.primary) == (vm.id, True)
    assert nic.mac_address is not None
    message = (
        f"Network Interface {nic_path(arm)} is used by existing resource {vm.id}. In order to delete the "
        "network interface, it must be dissociated from the resource. To learn more, see aka.ms/deletenic."
    )
    assert await refusal(arm, "networkInterfaces/nic") == (400, "NicInUse", message)


async def test_an_interface_is_kept_for_the_vm_that_had_it_and_free_later(arm: Arm) -> None:
    await put_nic(arm)
    nic = arm.world.resources[nic_path(arm).lower()]
    arm.world.scale = 0.01
    arm.world.reserve_nic(nic, "/vm")
    status, code, message = await refusal(arm, "networkInterfaces/nic")
    assert (status, code) == (400, "NicReservedForAnotherVm")
    assert message.endswith("retry after 180 seconds. Reserved VM: /vm")
    nic.reserved_for = ("/vm", 0.0)
    await (await arm.network.network_interfaces.begin_delete("lab", "nic")).result()
    assert arm.world.find(nic_path(arm)) is None


async def test_taking_the_interface_away_frees_what_it_used(arm: Arm) -> None:
    await put_nic(arm)
    network = arm.network
    await (await network.network_interfaces.begin_delete("lab", "nic")).result()
    for poller in (
        await network.public_ip_addresses.begin_delete("lab", "ip"),
        await network.network_security_groups.begin_delete("lab", "nsg"),
        await network.virtual_networks.begin_delete("lab", "net"),
    ):
        await poller.result()
    assert [r for r in arm.world.resources.values() if r.type.startswith(NETWORK)] == []


async def test_a_second_write_while_one_runs_is_a_409_that_names_the_operation(arm: Arm) -> None:
    arm.world.scale = 1
    path = arm.id("lab", f"{NETWORK}/publicIPAddresses/new")
    body = {"location": LOCATION, **_NEIGHBOURS["publicIPAddresses/ip"]}
    first = await arm.http.put(path, json=body)
    refused = await arm.http.delete(path)
    assert (refused.status_code, refused.json()["error"]["code"]) == (409, "AnotherOperationInProgress")
    plain = first.headers["azure-asyncoperation"].split("&t=")[0]
    assert f"use uri: {plain}." in refused.json()["error"]["message"]
