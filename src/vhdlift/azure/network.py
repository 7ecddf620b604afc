"""The target VM's network as ARM bodies: VNet, public IP, security rules and network interface."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

from azure.mgmt.network import models

from vhdlift.model import EXPIRES_TAG, RUN_TAG, short_of

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from vhdlift.model import Run

SUBNET = "default"
IP_CONFIGURATION = "primary"
_PRIORITIES = range(100, 4097)
# Sunshine's video, control and audio, and the web player's WebRTC range; all else that is served is TCP.
_UDP = {*range(47998, 48001), *range(40000, 40011)}
# A description has at most 140 characters.
_OWNER = re.compile(rf"{RUN_TAG}=(?P<run>\w+) {EXPIRES_TAG}=(?P<expires>\S+)")


def virtual_network(location: str, tags: Mapping[str, str], short: str) -> models.VirtualNetwork:
    """A /24 with one subnet; its second octet comes from the run, so that two of them can be peered.

    Outbound traffic is decided here and not left to the default, which changed in 2026: the subnet is
    private, and the Standard public IP on the interface is the way out.
    """
    prefix = f"10.{int(short[:2], 16)}.0.0/24"
    subnet = {"name": SUBNET, "properties": {"addressPrefix": prefix, "defaultOutboundAccess": False}}
    properties = {"addressSpace": {"addressPrefixes": [prefix]}, "subnets": [subnet]}
    return models.VirtualNetwork({"location": location, "tags": dict(tags), "properties": properties})


def public_ip_address(location: str, tags: Mapping[str, str]) -> models.PublicIPAddress:
    """Standard and static: Basic can no longer be made, and a dynamic address is empty after the create."""
    properties = {"publicIPAllocationMethod": "Static", "publicIPAddressVersion": "IPv4"}
    return models.PublicIPAddress(
        {"location": location, "tags": dict(tags), "sku": {"name": "Standard"}, "properties": properties}
    )


def security_group(
    location: str, tags: Mapping[str, str], rules: Iterable[models.SecurityRule]
) -> models.NetworkSecurityGroup:
    """A group with the given rules, sent in one piece so that it is never there without them."""
    properties = {"securityRules": list(rules)}
    return models.NetworkSecurityGroup({"location": location, "tags": dict(tags), "properties": properties})


def network_interface(
    location: str, tags: Mapping[str, str], subnet_id: str, public_ip_id: str, group_id: str
) -> models.NetworkInterface:
    """One IP configuration with the public IP; the group is on the interface, so nothing is ever open."""
    configuration = {
        "name": IP_CONFIGURATION,
        "properties": {
            "primary": True,
            "privateIPAllocationMethod": "Dynamic",
            "subnet": {"id": subnet_id},
            "publicIPAddress": {"id": public_ip_id},
        },
    }
    properties = {"ipConfigurations": [configuration], "networkSecurityGroup": {"id": group_id}}
    return models.NetworkInterface({"location": location, "tags": dict(tags), "properties": properties})


def rule_prefix(short: str) -> str:
    """How the names of this run's rules begin."""
    return f"vhdlift-{short}-"


def security_rules(run: Run, existing: Sequence[Any] = ()) -> list[models.SecurityRule]:
    """The run's rules that are not among the `existing` ones, at priorities that are free there.

    Raises:
        ValueError: all inbound priorities are taken.
    """
    there = {str(r.name).lower() for r in existing}
    taken = {r.priority for r in existing if r.direction == "Inbound"}
    free = iter(p for p in _PRIORITIES if p not in taken)
    rules = []
    for port in run.spec.ports:
        name = f"{rule_prefix(run.names.short)}{port}"
        if name.lower() in there:
            continue
        priority = next(free, None)
        if priority is None:
            raise ValueError("all inbound priorities of the network security group are taken")
        rules.append(_rule(run, name, port, priority))
    return rules


def run_of_rule(rule: Any) -> tuple[str, str]:
    """The run that made a rule and when that expires, by the rule's description; empty when none did.

    A rule has no tags. Its name has to fit to the run too: a description is easily copied.
    """
    told = _OWNER.search(str(getattr(rule, "description", "") or ""))
    if told is None or not str(rule.name).lower().startswith(rule_prefix(short_of(told["run"]))):
        return "", ""
    return told["run"], told["expires"]


def _rule(run: Run, name: str, port: int, priority: int) -> models.SecurityRule:
    # ARM takes one source in one field and several in another, never both.
    sources = ["*"] if "*" in run.spec.allow_from else list(run.spec.allow_from)
    source = {"sourceAddressPrefixes": sources} if len(sources) > 1 else {"sourceAddressPrefix": sources[0]}
    properties = {
        "description": f"By vhdlift {run.version}. {RUN_TAG}={run.id} {EXPIRES_TAG}={run.expires}",
        "protocol": "Udp" if port in _UDP else "Tcp",
        "sourcePortRange": "*",
        "destinationPortRange": str(port),
        "destinationAddressPrefix": "*",
        "access": "Allow",
        "direction": "Inbound",
        "priority": priority,
        **source,
    }
    return models.SecurityRule({"name": name, "properties": properties})
