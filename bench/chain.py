"""The longest chain of the stand-in's own times: what no client can be faster than.

Each step of the plan is given the requests and long operations that it cannot do without, by the names of
armlocal's table of recorded times; the chain is the slowest way through the plan's needs.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from armlocal.latencies import operation_seconds, request_seconds

if TYPE_CHECKING:
    from collections.abc import Mapping

COMPUTE, NETWORK = "Microsoft.Compute", "Microsoft.Network"

# Step: its requests, its operations.
WORK: Mapping[str, tuple[tuple[str, ...], tuple[str, ...]]] = {
    "source_inspected": ((f"GET {COMPUTE}/virtualMachines",), ()),
    "resource_group_ready": (("PUT Microsoft.Resources/resourceGroups",), ()),
    "source_stopped": ((f"POST {COMPUTE}/virtualMachines/deallocate",), ("vm_deallocate",)),
    "snapshot_created": ((f"PUT {COMPUTE}/snapshots",), ("snapshot_create_copy",)),
    "source_restarted": ((f"POST {COMPUTE}/virtualMachines/start",), ("vm_start",)),
    "export_storage_created": (("PUT Microsoft.Storage/storageAccounts",), ("storage_account_put",)),
    "script_storage_created": (("PUT Microsoft.Storage/storageAccounts",), ("storage_account_put",)),
    "setup_script_uploaded": (
        (f"POST {COMPUTE}/snapshots/beginGetAccess", "POST Microsoft.Storage/storageAccounts/listKeys"),
        ("snapshot_begin_get_access",),
    ),
    "network_created": ((f"PUT {NETWORK}/virtualNetworks",), ("vnet_put",)),
    "public_ip_created": ((f"PUT {NETWORK}/publicIPAddresses",), ("public_ip_put",)),
    "security_group_created": ((f"PUT {NETWORK}/networkSecurityGroups",), ("nsg_put",)),
    "interface_created": ((f"PUT {NETWORK}/networkInterfaces",), ("nic_put",)),
    "dns_zone_ready": ((f"PUT {NETWORK}/dnsZones",), ()),
    "dns_delegation_verified": ((), ()),
    "dns_records_created": ((f"PUT {NETWORK}/dnsZones/A",), ()),
    "vm_created": ((f"PUT {COMPUTE}/virtualMachines",), ("vm_create_windows_trusted_launch",)),
    "public_ip_verified": ((f"GET {NETWORK}/networkInterfaces",), ()),
    "setup_extension_installed": ((f"PUT {COMPUTE}/virtualMachines/extensions",), ("vm_extension_create",)),
}


def seconds_of(step: str) -> float:
    """Seconds at scale 1 that the stand-in alone needs for a step."""
    requests, operations = WORK[step]
    return sum(map(request_seconds, requests)) + sum(map(operation_seconds, operations))


def longest(needs: Mapping[str, tuple[str, ...]], end: str) -> float:
    """Seconds at scale 1 of the slowest chain of steps that ends with `end`."""
    return seconds_of(end) + max((longest(needs, need) for need in needs[end]), default=0.0)
