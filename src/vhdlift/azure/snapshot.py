"""The snapshot of the source VM's OS disk: made, opened for reading, closed and removed."""

from __future__ import annotations

from functools import partial
from shlex import quote
from typing import TYPE_CHECKING, Any

import structlog

from vhdlift.azure.ownership import Resource, arm_id, delete_now, is_ours, made, owned_by, tag
from vhdlift.azure.polling import Watch
from vhdlift.azure.values import text
from vhdlift.azure.waiting import finished, found
from vhdlift.errors import AzureRefused, Leftover, VhdliftError
from vhdlift.model import GIVEN_BACK, POWER_TAG
from vhdlift.redaction import register

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Mapping

    from azure.mgmt.compute.models import Snapshot

    from vhdlift.azure.clients import Azure
    from vhdlift.model import Run

log = structlog.get_logger("vhdlift.azure")

LONGEST_ACCESS = 60 * 24 * 3600
"""Seconds that the service grants access for at most."""

_OPEN = frozenset({"activesas", "activesasfrozen"})


def snapshot_of(azure: Azure, run: Run) -> Resource:
    """The run's snapshot: in the group of the target, named after the source VM."""
    return snapshot_at(azure, run.names.group, run.names.snapshot)


def snapshot_at(azure: Azure, group: str, name: str) -> Resource:
    """The snapshot of that name as a resource of a run."""
    snapshots = azure.compute.snapshots
    resource_id = arm_id(azure, group, f"Microsoft.Compute/snapshots/{name}")
    quoted = quote(resource_id)
    return Resource(
        id=resource_id,
        what=f"the snapshot {name}",
        get=partial(snapshots.get, group, name),
        begin_delete=partial(snapshots.begin_delete, group, name),
        command=f"az snapshot revoke-access --ids {quoted} && az snapshot delete --ids {quoted}",
    )


async def create_vm_snapshot_and_generate_sas(
    azure: Azure,
    run: Run,
    disk_id: str | None,
    *,
    ledger: Callable[[str], Awaitable[None]],
    location: str = "",
    power: str = "",
    seconds: int = 0,
    at_rest: Callable[[], Awaitable[object]] | None = None,
) -> tuple[str, str]:
    """The run's snapshot of a disk, made or taken over, and a URL to read it if asked for.

    Args:
        azure: the clients.
        run: whose snapshot.
        disk_id: the disk to copy as it is now; None when the snapshot must be there already, because the
            disk is in use again.
        ledger: told the snapshot's id before it is made.
        location: the region of the disk.
        power: the power state that the source VM is to be given back; noted in the snapshot's tags.
        seconds: for how long it is opened for reading, `LONGEST_ACCESS` at most; 0 leaves it closed. One
            that is open already is closed first: nobody uses the URL that was given then, and it ends sooner.
        at_rest: awaited before the snapshot is made, and only then; brings the disk to rest.

    Returns:
        The snapshot's id, and its URL (a secret) or an empty string.

    Raises:
        AzureRefused: it is gone and must not be made again (code `SnapshotGone`).
        VhdliftError: what Azure answered.
    """
    tags = {**run.tags, **({POWER_TAG: power} if power else {})}
    create = partial(_create, azure, run, disk_id, location, tags, at_rest)
    there: Snapshot = await made(azure, snapshot_of(azure, run), run.id, ledger, create)
    if not seconds:
        return str(there.id), ""
    await _revoke(azure, run.names.group, run.names.snapshot, there)
    return str(there.id), await _generate_sas(azure, run, seconds)


async def _create(
    azure: Azure,
    run: Run,
    disk_id: str | None,
    location: str,
    tags: Mapping[str, str],
    at_rest: Callable[[], Awaitable[object]] | None,
) -> Any:
    snapshot = snapshot_of(azure, run)
    if disk_id is None:
        raise AzureRefused(f"{snapshot.what} is gone", "SnapshotGone", 404)
    if at_rest is not None:
        await at_rest()
    return await finished(
        azure.compute.snapshots.begin_create_or_update,
        run.names.group,
        run.names.snapshot,
        copy_of(disk_id, location, tags),
        what=f"making {snapshot.what}",
        kind="snapshot",
        scale=azure.scale,
        watch=Watch(snapshot.get),
    )


def copy_of(disk_id: str, location: str, tags: Mapping[str, str]) -> dict[str, Any]:
    """A full copy on standard storage: an incremental one cannot be read as one file."""
    return {
        "location": location,
        "tags": dict(tags),
        "sku": {"name": "Standard_LRS"},
        "properties": {
            "creationData": {"createOption": "Copy", "sourceResourceId": disk_id},
            "incremental": False,
        },
    }


async def _generate_sas(azure: Azure, run: Run, seconds: int) -> str:
    """Open the run's snapshot for reading; refuse an answer without a URL (code `NoAccessSas`)."""
    answer = await finished(
        azure.compute.snapshots.begin_grant_access,
        run.names.group,
        run.names.snapshot,
        {"access": "Read", "durationInSeconds": min(seconds, LONGEST_ACCESS)},
        what=f"opening the snapshot {run.names.snapshot} for reading",
        kind="access",
        scale=azure.scale,
    )
    told = dict(answer or {})
    # Both spellings have been seen from the service, and an empty one too.
    url = str(told.get("accessSAS") or told.get("accessSas") or "")
    if not url:
        raise AzureRefused(f"no URL was given for the snapshot {run.names.snapshot}", "NoAccessSas")
    register(url)
    return url


async def note_given_back(azure: Azure, run: Run) -> None:
    """Note in the tags of the run's snapshot that the source VM has its power state again.

    From then on what the VM is is its owner's will, and no clean-up by tag starts it. What keeps the note
    from being made is no reason to fail: at worst a clean-up starts a VM that ran when the run began.
    """
    snapshot = snapshot_of(azure, run)
    try:
        there = await found(snapshot.get, what=f"reading {snapshot.what}", scale=azure.scale)
        if there is None or not is_ours(there.tags, run.id) or tag(there.tags, POWER_TAG) == GIVEN_BACK:
            return
        await finished(
            azure.compute.snapshots.begin_update,
            run.names.group,
            run.names.snapshot,
            {"tags": {**there.tags, POWER_TAG: GIVEN_BACK}},
            what=f"tagging {snapshot.what}",
            kind="snapshot",
            scale=azure.scale,
        )
    except VhdliftError as error:
        log.warning("power_state_not_noted", run=run.id, reason=str(error))


async def close_snapshot(azure: Azure, run: Run) -> list[Leftover]:
    """Take back the access to the run's snapshot, if it is ours and open."""
    snapshot = snapshot_of(azure, run)
    try:
        there = await found(snapshot.get, what=f"reading {snapshot.what}", scale=azure.scale)
        if there is not None and is_ours(there.tags, run.id):
            await _revoke(azure, run.names.group, run.names.snapshot, there)
    except VhdliftError as error:
        return [snapshot.leftover(str(error))]
    return []


async def delete_snapshot(azure: Azure, run: Run) -> list[Leftover]:
    """Take back the access to the run's snapshot and delete it, if it is ours; look that it is gone."""
    return await delete_snapshot_at(azure, run.names.group, run.names.snapshot, run.id)


async def delete_snapshot_at(azure: Azure, group: str, name: str, run_id: str) -> list[Leftover]:
    """The same for a snapshot that is known by its place and the tag of its run only."""
    snapshot = snapshot_at(azure, group, name)
    try:
        there = await found(snapshot.get, what=f"reading {snapshot.what}", scale=azure.scale)
        if there is None or not is_ours(there.tags, run_id):
            return []
        await _revoke(azure, group, name, there)
        await delete_now(azure, snapshot, owned_by(run_id))
    except VhdliftError as error:
        return [snapshot.leftover(str(error))]
    return []


async def _revoke(azure: Azure, group: str, name: str, there: Snapshot) -> None:
    state = there.properties.disk_state if there.properties else None
    if text(state).lower() not in _OPEN:
        return
    await finished(
        azure.compute.snapshots.begin_revoke_access,
        group,
        name,
        what=f"closing the snapshot {name}",
        kind="access",
        scale=azure.scale,
    )
