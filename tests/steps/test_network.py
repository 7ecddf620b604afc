"""Network, address, security group and interface: made once, taken back exactly."""

from __future__ import annotations

import pytest

from tests.azure.conftest import Answer, arm_error
from tests.steps.conftest import RUN_ID, World
from tests.steps.shelf import NETWORK
from vhdlift.errors import AzureRefused, TookTooLong
from vhdlift.steps.base import Step
from vhdlift.steps.interface_created import InterfaceCreated
from vhdlift.steps.network_created import NetworkCreated
from vhdlift.steps.public_ip_created import PublicIpCreated
from vhdlift.steps.public_ip_verified import PublicIpVerified
from vhdlift.steps.security_group_created import SecurityGroupCreated

VNET = f"{NETWORK}/virtualNetworks/lab1-vnet"
ADDRESS = f"{NETWORK}/publicIPAddresses/lab1-ip"
NSG = f"{NETWORK}/networkSecurityGroups/lab1-nsg"
NIC = f"{NETWORK}/networkInterfaces/lab1-nic"
FACTS = {"subnet_id": f"{VNET}/subnets/default", "public_ip_id": ADDRESS, "security_group_id": NSG}
FOREIGN_RULE = {
    "name": "theirs",
    "properties": {"priority": 100, "direction": "Inbound", "access": "Allow", "protocol": "Tcp"},
}

MAKERS = [
    (NetworkCreated(), VNET),
    (PublicIpCreated(), ADDRESS),
    (SecurityGroupCreated(), NSG),
    (InterfaceCreated(), NIC),
]


@pytest.mark.parametrize(("step", "path"), MAKERS)
async def test_made_with_the_tag_and_in_the_ledger_first(world: World, step: Step, path: str) -> None:
    """What a step makes carries the run's tag and the user's, and stands in the ledger."""
    await step.do(world.with_facts(**FACTS))
    kept = world.shelf.at(path)
    assert kept is not None
    assert kept["tags"]["vhdlift-run"] == RUN_ID
    assert kept["tags"]["team"] == "a"
    assert [path] == world.entered


@pytest.mark.parametrize(("step", "path"), MAKERS)
async def test_done_twice_makes_one(world: World, step: Step, path: str) -> None:
    """A repeated `do` takes over what is there, with the same facts and no second create."""
    first = await step.do(world.with_facts(**FACTS))
    second = await step.do(world.with_facts(**FACTS))
    assert first == second
    assert len(world.shelf.of("PUT")) == 1


@pytest.mark.parametrize(("step", "path"), MAKERS)
async def test_undo_removes_it_and_may_be_repeated(world: World, step: Step, path: str) -> None:
    """After an undo nothing is left; an undo of nothing is success."""
    await step.do(world.with_facts(**FACTS))
    assert await step.undo(world.context) == []
    assert world.shelf.ids() == []
    assert await step.undo(world.context) == []


@pytest.mark.parametrize(("step", "path"), [m for m in MAKERS if m[1] != NSG])
async def test_what_others_made_is_refused_and_stays(world: World, step: Step, path: str) -> None:
    """A resource of that name without our tag is neither used nor deleted."""
    world.shelf.put(path, {"location": "uksouth", "tags": {"vhdlift-run": "another"}})
    with pytest.raises(AzureRefused) as refused:
        await step.do(world.with_facts(**FACTS))
    assert refused.value.code == "NotOurs"
    assert await step.undo(world.context) == []
    assert [path] == world.shelf.ids()


async def test_subnet_is_private_and_address_standard(world: World) -> None:
    """Outbound access is decided: no default way out, a Standard static address."""
    await NetworkCreated().do(world.context)
    await PublicIpCreated().do(world.context)
    vnet, address = world.shelf.at(VNET), world.shelf.at(ADDRESS)
    assert vnet is not None
    assert address is not None
    assert vnet["properties"]["subnets"][0]["name"] == "default"
    assert vnet["properties"]["subnets"][0]["properties"]["defaultOutboundAccess"] is False
    assert address["sku"]["name"] == "Standard"
    assert address["properties"]["publicIPAllocationMethod"] == "Static"


async def test_group_is_made_with_its_rules(world: World) -> None:
    """The rules open the settings' ports to the settings' addresses, in the same request."""
    c = world.with_spec(ports=(443, 47998), allow_from=("192.0.2.0/24", "198.51.100.7/32"))
    await SecurityGroupCreated().do(c)
    kept = world.shelf.at(NSG)
    assert kept is not None
    rules = kept["properties"]["securityRules"]
    assert [r["properties"]["destinationPortRange"] for r in rules] == ["443", "47998"]
    assert [r["properties"]["protocol"] for r in rules] == ["Tcp", "Udp"]
    assert rules[0]["properties"]["sourceAddressPrefixes"] == ["192.0.2.0/24", "198.51.100.7/32"]
    assert rules[0]["name"] == f"vhdlift-{c.names.short}-443"


async def test_borrowed_group_is_given_back_as_it_was(world: World) -> None:
    """Only our rules are added, at free priorities, and exactly those are removed."""
    world.shelf.put(NSG, {"location": "uksouth", "properties": {"securityRules": [FOREIGN_RULE]}})
    made = await SecurityGroupCreated().do(world.context)
    group = world.shelf.at(NSG)
    assert group is not None
    priorities = [r["properties"]["priority"] for r in group["properties"]["securityRules"]]
    assert made["security_group_borrowed"] is True
    assert len(set(priorities)) == 3
    assert await SecurityGroupCreated().undo(world.context) == []
    left = world.shelf.at(NSG)
    assert left is not None
    assert left["properties"]["securityRules"] == [FOREIGN_RULE]
    assert "tags" not in left


async def test_borrowing_again_adds_nothing(world: World) -> None:
    """A repeated `do` on a borrowed group adds no second rule."""
    world.shelf.put(NSG, {"location": "uksouth"})
    await SecurityGroupCreated().do(world.context)
    await SecurityGroupCreated().do(world.context)
    assert len(world.shelf.of("PUT")) == 2


async def test_group_of_another_location_is_refused(world: World) -> None:
    """An interface cannot use a group of another location; it is said before it fails."""
    world.shelf.put(NSG, {"location": "westeurope"})
    with pytest.raises(AzureRefused, match="westeurope"):
        await SecurityGroupCreated().do(world.context)


async def test_rule_that_stays_is_a_leftover(world: World) -> None:
    """A rule that cannot be removed is named with its reason; the others go."""
    world.shelf.put(NSG, {"location": "uksouth"})
    await SecurityGroupCreated().do(world.context)
    rule = f"{NSG}/securityRules/vhdlift-{world.context.names.short}-80"
    world.shelf.on(f"DELETE {rule}", Answer(403, arm_error("AuthorizationFailed", "no")))
    left = await SecurityGroupCreated().undo(world.context)
    assert [rule] == [each.resource_id for each in left]
    assert "AuthorizationFailed" in left[0].reason


async def test_interface_joins_the_three(world: World) -> None:
    """The interface has subnet, address and group from its first request."""
    await InterfaceCreated().do(world.with_facts(**FACTS))
    nic = world.shelf.at(NIC)
    assert nic is not None
    inside = nic["properties"]["ipConfigurations"][0]["properties"]
    assert inside["subnet"]["id"] == FACTS["subnet_id"]
    assert inside["publicIPAddress"]["id"] == ADDRESS
    assert nic["properties"]["networkSecurityGroup"]["id"] == NSG


async def test_address_is_seen_on_the_interface(world: World) -> None:
    """The address counts when the interface has it, whatever the case of the id."""
    c = world.with_facts(**{**FACTS, "public_ip_id": ADDRESS.upper()})
    await PublicIpCreated().do(c)
    await InterfaceCreated().do(c)
    assert await PublicIpVerified().do(world.context) == {"address": "52.246.249.159"}


async def test_interface_without_the_address_is_an_error(world: World) -> None:
    """An interface with another address is not verified."""
    await PublicIpCreated().do(world.context)
    await InterfaceCreated().do(world.with_facts(**{**FACTS, "public_ip_id": ADDRESS + "x"}))
    with pytest.raises(TookTooLong, match="lab1-nic"):
        await PublicIpVerified().do(world.context)


async def test_priority_taken_meanwhile_is_chosen_anew(world: World) -> None:
    """When another writer takes our priority, the group is read again and a free one found."""
    world.shelf.put(NSG, {"location": "uksouth"})
    rule = f"{NSG}/securityRules/vhdlift-{world.context.names.short}-80"
    conflict = Answer(400, arm_error("SecurityRuleConflict", "Security rule has conflicting priority."))
    world.shelf.on(
        f"PUT {rule}", conflict, Answer(201, {"name": "x", "properties": {"provisioningState": "Succeeded"}})
    )
    await SecurityGroupCreated().do(world.context)
    assert len(world.shelf.of("PUT", "-80")) == 2


async def test_group_without_room_is_refused(world: World) -> None:
    """A group whose inbound priorities are all taken cannot be borrowed."""
    full = [
        {"name": f"r{p}", "properties": {"priority": p, "direction": "Inbound"}} for p in range(100, 4097)
    ]
    world.shelf.put(NSG, {"location": "uksouth", "properties": {"securityRules": full}})
    with pytest.raises(AzureRefused, match="no room"):
        await SecurityGroupCreated().do(world.context)
