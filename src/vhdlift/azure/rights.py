"""Every action that vhdlift needs, said once: `docs/role.json` is written from here, preflight looks for it.

`python -m vhdlift.azure.rights` prints the custom role. Names of actions: Microsoft's list of resource
provider operations.
"""

from __future__ import annotations

import json
import re
import sys
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

ROLE_NAME = "vhdlift operator"
_COMPUTE, _NETWORK, _STORAGE = "Microsoft.Compute", "Microsoft.Network", "Microsoft.Storage"

SOURCE = (
    f"{_COMPUTE}/virtualMachines/read",
    f"{_COMPUTE}/virtualMachines/instanceView/read",
    f"{_COMPUTE}/virtualMachines/start/action",
    f"{_COMPUTE}/virtualMachines/powerOff/action",
    f"{_COMPUTE}/virtualMachines/deallocate/action",
    f"{_COMPUTE}/disks/read",
    f"{_COMPUTE}/disks/beginGetAccess/action",
)
"""On the source VM and its disk."""

SCHEDULES = tuple(f"Microsoft.DevTestLab/schedules/{verb}" for verb in ("read", "write", "delete"))
"""On the target's resource group, for a shutdown every day."""

TARGET = (
    "Microsoft.Resources/subscriptions/resourceGroups/read",
    "Microsoft.Resources/subscriptions/resourceGroups/write",
    "Microsoft.Resources/subscriptions/resourceGroups/delete",
    "Microsoft.Resources/subscriptions/resourceGroups/resources/read",
    f"{_COMPUTE}/virtualMachines/read",
    f"{_COMPUTE}/virtualMachines/write",
    f"{_COMPUTE}/virtualMachines/delete",
    f"{_COMPUTE}/virtualMachines/instanceView/read",
    f"{_COMPUTE}/virtualMachines/extensions/read",
    f"{_COMPUTE}/virtualMachines/extensions/write",
    f"{_COMPUTE}/virtualMachines/extensions/delete",
    f"{_COMPUTE}/virtualMachines/runCommands/read",
    f"{_COMPUTE}/virtualMachines/runCommands/write",
    f"{_COMPUTE}/virtualMachines/runCommands/delete",
    f"{_COMPUTE}/virtualMachines/retrieveBootDiagnosticsData/action",
    f"{_COMPUTE}/disks/read",
    f"{_COMPUTE}/disks/write",
    f"{_COMPUTE}/disks/delete",
    f"{_COMPUTE}/snapshots/read",
    f"{_COMPUTE}/snapshots/write",
    f"{_COMPUTE}/snapshots/delete",
    f"{_COMPUTE}/snapshots/beginGetAccess/action",
    f"{_COMPUTE}/snapshots/endGetAccess/action",
    f"{_NETWORK}/virtualNetworks/read",
    f"{_NETWORK}/virtualNetworks/write",
    f"{_NETWORK}/virtualNetworks/delete",
    f"{_NETWORK}/virtualNetworks/subnets/read",
    f"{_NETWORK}/virtualNetworks/subnets/write",
    f"{_NETWORK}/virtualNetworks/subnets/join/action",
    f"{_NETWORK}/publicIPAddresses/read",
    f"{_NETWORK}/publicIPAddresses/write",
    f"{_NETWORK}/publicIPAddresses/delete",
    f"{_NETWORK}/publicIPAddresses/join/action",
    f"{_NETWORK}/networkSecurityGroups/read",
    f"{_NETWORK}/networkSecurityGroups/write",
    f"{_NETWORK}/networkSecurityGroups/delete",
    f"{_NETWORK}/networkSecurityGroups/join/action",
    f"{_NETWORK}/networkSecurityGroups/securityRules/read",
    f"{_NETWORK}/networkSecurityGroups/securityRules/write",
    f"{_NETWORK}/networkSecurityGroups/securityRules/delete",
    f"{_NETWORK}/networkInterfaces/read",
    f"{_NETWORK}/networkInterfaces/write",
    f"{_NETWORK}/networkInterfaces/delete",
    f"{_NETWORK}/networkInterfaces/join/action",
    f"{_STORAGE}/storageAccounts/read",
    f"{_STORAGE}/storageAccounts/write",
    f"{_STORAGE}/storageAccounts/delete",
    f"{_STORAGE}/storageAccounts/listKeys/action",
)
"""On the target's resource group, or on the subscription as long as there is no such group."""

DNS = (
    f"{_NETWORK}/dnsZones/read",
    f"{_NETWORK}/dnsZones/write",
    f"{_NETWORK}/dnsZones/delete",
    f"{_NETWORK}/dnsZones/all/read",
    f"{_NETWORK}/dnsZones/recordsets/read",
    f"{_NETWORK}/dnsZones/A/read",
    f"{_NETWORK}/dnsZones/A/write",
    f"{_NETWORK}/dnsZones/A/delete",
    f"{_NETWORK}/dnsZones/CNAME/read",
    f"{_NETWORK}/dnsoperationresults/read",
    f"{_NETWORK}/dnsoperationstatuses/read",
)
"""On the resource group of the DNS zone."""

SUBSCRIPTION = (
    "Microsoft.Resources/subscriptions/resources/read",
    f"{_COMPUTE}/locations/*/read",
    f"{_NETWORK}/locations/*/read",
    f"{_STORAGE}/locations/*/read",
)
"""On the subscription."""

LOOKS = (
    "Microsoft.Authorization/locks/read",
    "Microsoft.Authorization/permissions/read",
    "Microsoft.PolicyInsights/checkPolicyRestrictions/read",
    "Microsoft.Resources/subscriptions/providers/read",
    f"{_COMPUTE}/skus/read",
    f"{_STORAGE}/checknameavailability/read",
)
"""For preflight alone: without one of them a look is refused, and the run is not."""


def missing(rows: Iterable[Mapping[str, Any]], needed: Iterable[str]) -> list[str]:
    """The needed actions that no role gives.

    Args:
        rows: what `Microsoft.Authorization/permissions` answers, a row for each role of the caller.
        needed: actions.
    """
    roles = list(rows)
    return [action for action in needed if not any(_allows(row, action) for row in roles)]


def role() -> dict[str, Any]:
    """The custom role with all of them, as `az role definition create` takes it."""
    actions = dict.fromkeys([*SUBSCRIPTION, *SOURCE, *TARGET, *SCHEDULES, *DNS, *LOOKS])
    return {
        "Name": ROLE_NAME,
        "IsCustom": True,
        "Description": "What vhdlift does in a subscription, and nothing else.",
        "Actions": sorted(actions, key=str.lower),
        "NotActions": [],
        "DataActions": [],
        "NotDataActions": [],
        "AssignableScopes": ["/subscriptions/<subscription id>"],
    }


def _allows(row: Mapping[str, Any], action: str) -> bool:
    """What a role excludes, another may still give, so each is judged for itself."""
    return _any(row.get("actions") or (), action) and not _any(row.get("notActions") or (), action)


def _any(patterns: Iterable[str], action: str) -> bool:
    return any(
        re.fullmatch(re.escape(pattern).replace(r"\*", ".*"), action, re.IGNORECASE) for pattern in patterns
    )


if __name__ == "__main__":
    sys.stdout.write(json.dumps(role(), indent=2) + "\n")
