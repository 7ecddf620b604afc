"""All points of a run, found in the request log of one that nobody disturbed."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, get_args

from armlocal.faults import Kind
from tests.torture.points import Point, marker
from vhdlift.steps import PROVISION

VMS = "Microsoft.Compute/virtualMachines"
LAST_CREATE = f"PUT {VMS}/extensions"
"""When this is sent everything else has been made: a run that is made to fail here has most to undo."""

# The operation that a step cannot do without; no entry: it sends none that fails a run.
OPERATION_OF: Mapping[str, tuple[str, str]] = {
    "source_inspected": (f"GET {VMS}", "lab-source"),
    "resource_group_ready": ("PUT Microsoft.Resources/resourceGroups", ""),
    "source_stopped": (f"POST {VMS}/deallocate", ""),
    "snapshot_created": ("PUT Microsoft.Compute/snapshots", ""),
    "source_restarted": (f"POST {VMS}/start", ""),
    "export_storage_created": ("PUT Microsoft.Storage/storageAccounts", "vhdusb"),
    "script_storage_created": ("PUT Microsoft.Storage/storageAccounts", "vhdtmp"),
    "setup_script_uploaded": ("POST Microsoft.Compute/snapshots/beginGetAccess", ""),
    "network_created": ("PUT Microsoft.Network/virtualNetworks", ""),
    "public_ip_created": ("PUT Microsoft.Network/publicIPAddresses", ""),
    "security_group_created": ("PUT Microsoft.Network/networkSecurityGroups", ""),
    "interface_created": ("PUT Microsoft.Network/networkInterfaces", ""),
    "dns_zone_ready": ("PUT Microsoft.Network/dnsZones", ""),
    "dns_records_created": ("PUT Microsoft.Network/dnsZones/A", ""),
    "vm_created": (f"PUT {VMS}", ""),
    "public_ip_verified": ("GET Microsoft.Network/networkInterfaces", "lab1-nic"),
    "setup_extension_installed": (LAST_CREATE, ""),
    "script_storage_deleted": ("DELETE Microsoft.Storage/storageAccounts", "vhdtmp"),
    "vhd_exported": ("POST Microsoft.Storage/storageAccounts/listKeys", "vhdusb"),
    "vhd_verified": ("POST Microsoft.Storage/storageAccounts/listKeys", "vhdusb"),
    "snapshot_released": ("DELETE Microsoft.Compute/snapshots", ""),
    "email_sent": ("POST Microsoft.Storage/storageAccounts/listKeys", "vhdusb"),
}
# The how-manieth such call of the run is the step's, where an earlier step or the preflight sends one too.
NTH_OF: Mapping[str, int] = {
    "source_inspected": 2,
    "public_ip_verified": 2,
    "vhd_exported": 3,
    "vhd_verified": 4,
    "email_sent": 5,
}
PERSISTENT: Mapping[str, Mapping[str, Any]] = {
    "error-500": {"kind": "error", "status": 500},
    "error-409": {"kind": "error", "status": 409, "code": "Conflict", "message": "Another is under way."},
    "error-403": {"kind": "error", "status": 403, "code": "AuthorizationFailed", "message": "No right."},
    "throttled": {"kind": "throttle", "retry_after": 0.05},
}
ONCE: Mapping[str, Mapping[str, Any]] = {
    "error-503-once": {"kind": "error", "status": 503, "code": "ServiceUnavailable"},
    "throttle-once": {"kind": "throttle", "retry_after": 0.2},
    "drop-before": {"kind": "drop", "when": "before"},
    "drop-after": {"kind": "drop", "when": "after"},
}
_TOLD_ABOVE = {"error", "throttle", "drop", "hold"}
FAULTS: Mapping[str, Mapping[str, Any]] = {
    **PERSISTENT,
    **ONCE,
    **{kind: {"kind": kind} for kind in get_args(Kind) if kind not in _TOLD_ABOVE},
}


def fault_of(point: Point) -> dict[str, Any]:
    """What armlocal is asked to do at a point of `faults` or `deletions`."""
    asked = dict(FAULTS[point.how])
    nth: Any = "every" if point.how in PERSISTENT and point.nth == 1 else point.nth
    return {"operation": point.what, "resource": point.where, "nth": nth, **asked}


def excuses_leftovers(point: Point) -> bool:
    """Whether a fault makes a deletion impossible, or the start of the source VM."""
    lasting = point.how in PERSISTENT or point.how == "never_ends"
    return forbids_the_start(point) or (point.what.startswith("DELETE ") and lasting)


def forbids_the_start(point: Point) -> bool:
    """Whether Azure refuses for good to start the source VM, or never ends what it does with it.

    Then it is told as left, with the command that starts it.
    """
    starting = point.what == f"POST {VMS}/start" and (point.how in PERSISTENT or point.how == "never_ends")
    return starting or (point.what == f"POST {VMS}/deallocate" and point.how == "never_ends")


def calls(group: str, log: Iterable[Mapping[str, Any]]) -> list[Point]:
    """Both sides of every call in a request log, in its order.

    Of what is asked again and again, which is how a wait looks, the first and the last are taken; of polls
    those of each operation. Requests that change something are all taken, and creates once more as `late`.
    """
    rows = [row for row in log if row["operation"]]
    counts: dict[tuple[str, str], list[str]] = {}
    points: list[Point] = []
    for row in rows:
        key = (str(row["operation"]), marker(str(row["path"])))
        counts.setdefault(key, []).append(str(row["path"]))
    for key, paths in counts.items():
        for nth in _chosen(key[0], paths):
            points += [Point(group, *key, nth, how) for how in _sides(key[0], group)]
    return points


def _sides(operation: str, group: str) -> tuple[str, ...]:
    creates = operation.startswith("PUT ") and group == "calls"
    return ("before", "after", "late") if creates else ("before", "after")


def _chosen(operation: str, paths: list[str]) -> list[int]:
    numbered = list(enumerate(paths, 1))
    if operation.split(maxsplit=1)[0] in ("PUT", "PATCH", "DELETE") or "listKeys" in operation:
        return [nth for nth, _ in numbered]
    ends = {path: nth for nth, path in numbered}
    begins = {path: nth for nth, path in reversed(numbered)}
    return sorted({*ends.values(), *begins.values()})


def events() -> list[Point]:
    """The moment after each step was told as started, and as done."""
    return [Point("events", step.name, "", 1, state) for step in PROVISION for state in ("started", "done")]


def faults() -> list[Point]:
    """Every step with every kind of fault."""
    return [
        Point("faults", *OPERATION_OF[step], NTH_OF.get(step, 1), kind)
        for step in OPERATION_OF
        for kind in FAULTS
        if (step, kind) not in _SAME
    ]


# The same request with the same fault, counted from the first one, is another step's already.
_SAME = {(step, kind) for step in ("vhd_verified", "email_sent") for kind in PERSISTENT}


def deletions(log: Iterable[Mapping[str, Any]]) -> list[Point]:
    """Every deletion of an undo with every kind of fault."""
    seen = {(str(r["operation"]), marker(str(r["path"]))) for r in log if r["method"] == "DELETE"}
    return [Point("deletions", *key, 1, kind) for key in sorted(seen) for kind in FAULTS]
