"""The headers that say how much may still be asked for, and those that a provider adds to every answer.

Values of fresh buckets, recorded in 2025-2026. The stand-in does not throttle of its own accord (ask for a
fault), so the numbers stay those of a fresh bucket. What ARM refuses before a provider sees it has none of
these headers.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from armlocal.state import World

_READS = {"x-ms-ratelimit-remaining-subscription-global-reads": "16499"}
_WRITES = {"x-ms-ratelimit-remaining-subscription-global-writes": "11999"}
_DELETES = {"x-ms-ratelimit-remaining-subscription-global-deletes": "11999"}
_SUBSCRIPTION = {"GET": _READS, "HEAD": _READS, "DELETE": _DELETES}
_OTHERWISE = {
    "POST Microsoft.Storage/checkNameAvailability": _READS,
    "POST Microsoft.Storage/storageAccounts/listKeys": {
        "x-ms-ratelimit-remaining-subscription-resource-requests": "799"
    },
}
_VM = "Microsoft.Compute/virtualMachines"
_UPDATE = "UpdateVMSubscriptionMaximum;1499 UpdateVMResource;11"
_DELETE = "DeleteVMSubscriptionMaximum;1499 DeleteVMResource;11"
_VM_POLL = "GetOperationSubscriptionMaximum;14999 GetOperationResource;44"
_HYDRATE = "HighCostDiskHydrate3Min;999 HighCostDiskHydrate30Min;7999"
_LOW_COST = "LowCostGetSubscriptionMaximum;23999 LowCostGetResource;35"
_SNAPSHOT = "HighCostSnapshotCreateHydrate3Min;999 HighCostSnapshotCreateHydrate30Min;7999"
_DISK_GET = "LowCostGet3Min;14999 LowCostGet30Min;119999"
_DISK_LIST = "HighCostGet3Min;239 HighCostGet30Min;1919"
_DISK_DELETE = "DeleteDisks3Min;2999 DeleteDisks30Min;23997"
_IMAGES = "Microsoft.Compute/locations/publishers/artifacttypes/offers/skus/versions"
_VERSIONS = "ListVMImagesVersionsFromLocation"
_COMPUTE = {
    f"PUT {_VM}": "PutVMSubscriptionMaximum;1499 PutVMResource;11",
    f"PATCH {_VM}": _UPDATE,
    f"POST {_VM}/start": _UPDATE,
    f"POST {_VM}/powerOff": _UPDATE,
    f"POST {_VM}/restart": _UPDATE,
    f"PUT {_VM}/extensions": _UPDATE,
    f"DELETE {_VM}/extensions": _UPDATE,
    f"POST {_VM}/deallocate": _DELETE,
    f"DELETE {_VM}": _DELETE,
    f"GET {_VM}": _LOW_COST,
    f"GET {_VM}/extensions": _LOW_COST,
    f"LIST {_VM}": "HighCostGetSubscriptionMaximum;899",
    "PUT Microsoft.Compute/disks": "CreateUpdateDisks3Min;2999 CreateUpdateDisks30Min;24999",
    "DELETE Microsoft.Compute/disks": _DISK_DELETE,
    "DELETE Microsoft.Compute/snapshots": _DISK_DELETE,
    "GET Microsoft.Compute/disks": _DISK_GET,
    "GET Microsoft.Compute/snapshots": _DISK_GET,
    "LIST Microsoft.Compute/disks": _DISK_LIST,
    "LIST Microsoft.Compute/snapshots": _DISK_LIST,
    "PUT Microsoft.Compute/snapshots": _SNAPSHOT,
    "POST Microsoft.Compute/snapshots/beginGetAccess": _SNAPSHOT,
    "POST Microsoft.Compute/snapshots/endGetAccess": _SNAPSHOT,
    "POST Microsoft.Compute/disks/beginGetAccess": _HYDRATE,
    f"LIST {_IMAGES}": f"{_VERSIONS}3Min;15999 {_VERSIONS}30Min;43999",
    f"GET {_IMAGES}": "GetVMImageFromLocation3Min;12999 GetVMImageFromLocation30Min;73999",
    "LIST Microsoft.Compute/locations/usages": "GetSubscriptionInfoSubscriptionMaximum;359",
    "GET Microsoft.Compute/locations/operations": _VM_POLL,
    "GET Microsoft.Compute/locations/DiskOperations": "GetOperation3Min;49999 GetOperation30Min;399999",
}


_OWN_OPERATION = (
    "Microsoft.Compute/locations/",
    "Microsoft.Network/locations/",
    "Microsoft.Network/dnsOperationStatuses",
    "Microsoft.Network/dnsZones/",
    "Microsoft.Network/networkSecurityGroups/securityRules",
    "Microsoft.Network/virtualNetworks/subnets",
    "Microsoft.Storage/locations/",
    "Microsoft.Storage/storageAccounts/blobServices",
)
"""Types whose reads carry an operation identifier too; all writes do."""


_CACHED = (_VM, "Microsoft.Compute/locations/operations", "Microsoft.Compute/locations/usages")
"""Types that the part of Compute answers for which speaks of its cache."""


def rate_limits(method: str, operation: str) -> dict[str, str]:
    """The rate-limit headers for an answer.

    Args:
        method: of the request.
        operation: its name, such as `PUT Microsoft.Compute/disks`.
    """
    headers = dict(_OTHERWISE.get(operation) or _SUBSCRIPTION.get(method, _WRITES))
    left = _COMPUTE.get(operation)
    if left is not None:
        policies = ",".join(f"Microsoft.Compute/{policy}" for policy in left.split())
        headers["x-ms-ratelimit-remaining-resource"] = policies
    return headers


def provider_headers(world: World, method: str, operation: str) -> dict[str, str]:
    """What the provider behind ARM adds: whose operation it was, and Compute's word on its cache."""
    type_ = operation.partition(" ")[2]
    headers = {}
    if type_.startswith(("Microsoft.Compute/", "Microsoft.Network/", "Microsoft.Storage/")) and (
        method not in ("GET", "HEAD") or type_.startswith(_OWN_OPERATION)
    ):
        caller = f"tenantId={world.tenant_id},objectId={world.client_id}"
        headers["x-ms-operation-identifier"] = f"{caller}/uksouth/{world.new_guid()}"
    if type_.startswith(_CACHED) and operation != f"LIST {_VM}":
        headers["x-ms-need-to-refresh-epl-cache"] = "False"
    return headers
