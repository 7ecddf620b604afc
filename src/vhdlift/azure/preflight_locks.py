"""Preflight of management locks: which of them forbid what the run does, or its undo.

A lock holds for its scope and all below. `ReadOnly` forbids every change, stopping and starting a VM among
them; `CanNotDelete` forbids deletions. Source: Microsoft's page "Lock your resources".
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from vhdlift.azure.findings import Finding, Severity
from vhdlift.azure.plainly import plain_list
from vhdlift.errors import VhdliftError

if TYPE_CHECKING:
    from vhdlift.azure.plainly import Json
    from vhdlift.azure.scene import Scene

VERSION = "2016-09-01"
_OWN_PATH = "/providers/microsoft.authorization/locks/"


@dataclass(frozen=True)
class Touched:
    """Something that the run changes: its scope, and what a lock of each level means; "" for nothing."""

    scope: str
    read_only: str
    no_delete: str

    def under(self, scope: str) -> bool:
        """Whether a lock at that scope holds for it."""
        own, other = self.scope.lower(), scope.lower()
        return own == other or own.startswith(f"{other}/")


async def look(scene: Scene) -> list[Finding]:
    """One finding for each lock that is in the way."""
    path = f"{scene.subscription}/providers/Microsoft.Authorization/locks"
    locks = await plain_list(scene.azure, path, VERSION, what="listing the management locks")
    if not locks:
        return []
    touched = await _touched(scene)
    return [finding for lock in locks for finding in _judged(lock, touched)]


async def _touched(scene: Scene) -> list[Touched]:
    spec = scene.spec
    source = scene.group(spec.source_resource_group)
    vm = f"{source}/providers/Microsoft.Compute/virtualMachines/{spec.source_vm}"
    stopped = f"{spec.source_vm} cannot be stopped and started" if spec.source_stop != "none" else ""
    return [
        Touched(vm, stopped, ""),
        Touched(
            scene.group(spec.resource_group),
            f"nothing can be made in {spec.resource_group}",
            "nothing that the run makes could be removed again, not even its temporary storage",
        ),
        await _zone(scene),
    ]


async def _zone(scene: Scene) -> Touched:
    """The zone, or the group that it would be made in."""
    try:
        zone = await scene.zone()
    except VhdliftError:
        zone = None  # the look at the zone tells it
    group = scene.group(scene.spec.dns_resource_group or scene.spec.resource_group)
    return Touched(
        str(zone.id) if zone else group,
        f"no records can be written in {scene.spec.domain}",
        f"the records that the run makes in {scene.spec.domain} could not be removed again",
    )


def _judged(lock: Json, touched: list[Touched]) -> list[Finding]:
    lock_id = str(lock.get("id") or "")
    scope = lock_id[: lock_id.lower().rfind(_OWN_PATH)]
    level = str((lock.get("properties") or {}).get("level") or "")
    hit = [one for one in touched if one.under(scope)]
    reads = level.lower() == "readonly"
    means = list(dict.fromkeys(text for one in hit if (text := one.read_only if reads else one.no_delete)))
    if not means:
        return []
    severity: Severity = "error" if reads else "warning"
    message = f"The lock {lock.get('name')} ({level}) on {scope} is in the way: {'; '.join(means)}."
    command = f"az lock delete --ids {lock_id}"
    return [Finding("locked", severity, message, "the management locks of the subscription", command)]
