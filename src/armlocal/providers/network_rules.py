"""What a security rule may say, and the six rules that every network security group has."""

from __future__ import annotations

import ipaddress
import re
from typing import Any

from armlocal.errors import ArmError
from armlocal.providers.base import required

Json = dict[str, Any]
PRIORITIES = range(100, 4097)
LAST_PORT = 65535
_SERVICE_TAG = re.compile(r"[A-Za-z][A-Za-z0-9.]*$")
_DEFAULTS = (
    (
        "AllowVnetInBound",
        "Allow inbound traffic from all VMs in VNET",
        "VirtualNetwork",
        "VirtualNetwork",
        65000,
    ),
    (
        "AllowAzureLoadBalancerInBound",
        "Allow inbound traffic from azure load balancer",
        "AzureLoadBalancer",
        "*",
        65001,
    ),
    ("DenyAllInBound", "Deny all inbound traffic", "*", "*", 65500),
    (
        "AllowVnetOutBound",
        "Allow outbound traffic from all VMs to all VMs in VNET",
        "VirtualNetwork",
        "VirtualNetwork",
        65000,
    ),
    ("AllowInternetOutBound", "Allow outbound traffic from all VMs to Internet", "*", "Internet", 65001),
    ("DenyAllOutBound", "Deny all outbound traffic", "*", "*", 65500),
)


def default_rules(group_id: str, etag: str, state: str) -> list[Json]:
    """The six rules of a group. Source: `NetworkSecurityGroup_20250301_CRUD` [3]."""
    return [
        {
            "name": name,
            "id": f"{group_id}/defaultSecurityRules/{name}",
            "etag": etag,
            "type": "Microsoft.Network/networkSecurityGroups/defaultSecurityRules",
            "properties": {
                "provisioningState": state,
                "description": text,
                "protocol": "*",
                "sourcePortRange": "*",
                "destinationPortRange": "*",
                "sourceAddressPrefix": source,
                "destinationAddressPrefix": target,
                "access": "Deny" if name.startswith("Deny") else "Allow",
                "priority": priority,
                "direction": "Inbound" if name.endswith("InBound") else "Outbound",
                "sourcePortRanges": [],
                "destinationPortRanges": [],
                "sourceAddressPrefixes": [],
                "destinationAddressPrefixes": [],
            },
        }
        for name, text, source, target, priority in _DEFAULTS
    ]


def check_rule(name: str, properties: Json) -> None:
    """One rule by itself.

    Raises:
        ArmError: 400; something is missing, or the priority, a port range or an address prefix is none.
    """
    for key in ("protocol", "access", "direction", "priority"):
        required({"properties": properties}, "properties", key)
    if properties["priority"] not in PRIORITIES:
        message = (
            f"Security rule has invalid Priority. Value provided: {properties['priority']} "
            f"Allowed range {PRIORITIES.start}-{PRIORITIES.stop - 1}."
        )
        raise ArmError(400, "SecurityRuleInvalidPriority", message, details=[])
    for side in ("source", "destination"):
        for text in _values(name, properties, f"{side}PortRange"):
            _check_port(text)
        for text in _values(name, properties, f"{side}AddressPrefix"):
            _check_prefix(name, text)


def _values(name: str, properties: Json, key: str) -> list[str]:
    """A field that is written in the singular or in the plural, never in both."""
    plural = f"{key}es" if key.endswith("x") else f"{key}s"
    one, many = properties.get(key), properties.get(plural) or []
    if one and many:
        message = f"Security rule {name} has both {key} and {plural} specified. Only one of them is allowed."
        raise ArmError(400, "SecurityRuleParameterConflict", message, details=[])
    if not one and not many:
        message = (
            "Required security rule parameters are missing for security rule with Id: "
            f"{name}. Missing: {key}."
        )
        raise ArmError(400, "SecurityRuleParametersMissing", message, details=[])
    return [one] if one else many


def _check_port(text: str) -> None:
    if text == "*":
        return
    first, _, last = str(text).partition("-")
    ends = [first, last or first]
    if all(end.isdecimal() and int(end) <= LAST_PORT for end in ends) and int(ends[0]) <= int(ends[1]):
        return
    message = (
        f"Security rule has invalid Port range. Value provided: {text}. Value should be an integer OR "
        f"integer range with '-' delimiter. Valid range 0-{LAST_PORT}."
    )
    raise ArmError(400, "SecurityRuleInvalidPortRange", message, details=[])


def _check_prefix(name: str, text: str) -> None:
    """`*`, a service tag, an address or a CIDR without host bits."""
    if text == "*" or _SERVICE_TAG.match(text):
        return
    try:
        ipaddress.ip_network(text)
    except ValueError:
        message = f"Security rule {name} has invalid Address prefix. Value provided: {text}"
        raise ArmError(400, "SecurityRuleInvalidAddressPrefix", message, details=[]) from None


def check_conflicts(rules: dict[str, Json]) -> None:
    """No two rules of a group have the same direction and priority.

    Raises:
        ArmError: 400, as quoted in hashicorp/terraform-provider-azurerm#11137.
    """
    seen: dict[tuple[str, int], str] = {}
    for name, properties in rules.items():
        key = (str(properties["direction"]).lower(), int(properties["priority"]))
        if key in seen:
            message = (
                f"Security rule {seen[key]} conflicts with rule {name}. Rules cannot have the "
                "same Priority and "
                "Direction. To learn more, see aka.ms/nsgrules."
            )
            raise ArmError(400, "SecurityRuleConflict", message, details=[])
        seen[key] = name
