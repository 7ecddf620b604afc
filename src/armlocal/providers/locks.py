"""Management locks: at the subscription, a group or a resource, and what they forbid.

Shapes, scopes and levels: Microsoft's reference of management locks, 2016-09-01, and "Lock your resources".
A lock holds for its scope and all below; a scope with a locked part cannot be deleted either. The wording of
the refusal is the one that operators quote from the live service (`ScopeLocked`, HTTP 409); for actions
(POST), which a read-only lock refuses too, it is taken to be that of writes.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from armlocal.errors import ArmError, resource_not_found
from armlocal.ids import parse_id, scope_of
from armlocal.providers.base import Call, Reply, required
from armlocal.state import make_resource

if TYPE_CHECKING:
    from armlocal.ids import ArmId
    from armlocal.providers.base import Routes
    from armlocal.state import Resource, World

LOCK_TYPE = "Microsoft.Authorization/locks"
CAN_NOT_DELETE, READ_ONLY = "CanNotDelete", "ReadOnly"
LEVELS = (CAN_NOT_DELETE, READ_ONLY, "NotSpecified")
LONGEST_NOTES = 512
_FREE = ("GET", "HEAD")


async def put(call: Call) -> Reply:
    """Makes a lock, or changes it."""
    _check_scope(call)
    level = required(call.body, "properties", "level")
    if level not in LEVELS:
        message = f"The lock level '{level}' is not one of '{', '.join(LEVELS)}'."
        raise ArmError(400, "InvalidLockLevel", message, gateway=True)
    given = call.body["properties"]
    if len(str(given.get("notes") or "")) > LONGEST_NOTES:
        message = f"The notes of a lock have at most {LONGEST_NOTES} characters."
        raise ArmError(400, "InvalidRequestContent", message, gateway=True)
    told = {key: given[key] for key in ("level", "notes", "owners") if given.get(key) is not None}
    is_new = call.world.find(call.id.text) is None
    lock = call.world.add(make_resource(call.id.text, LOCK_TYPE, {"properties": told}))
    return Reply(201 if is_new else 200, lock.body)


def _check_scope(call: Call) -> None:
    """404 for a lock on what does not exist."""
    scope = parse_id(scope_of(call.id))
    if scope.group is not None and scope.names and call.world.find(scope.text) is None:
        raise resource_not_found("/".join(scope.type.split("/")[:2]), scope.name_path, scope.group)


async def get(call: Call) -> Reply:
    """One lock."""
    lock = call.world.find(call.id.text)
    if lock is None:
        raise ArmError(404, "LockNotFound", f"The lock '{call.id.name}' could not be found.", gateway=True)
    return Reply(200, lock.body)


async def delete(call: Call) -> Reply:
    """Takes a lock away."""
    if call.world.find(call.id.text) is None:
        return Reply(204)
    call.world.remove(call.id.text)
    return Reply(200)


async def list_locks(call: Call) -> Reply:
    """The locks at a scope, below it, and those that it has from above."""
    scope = scope_of(call.id).lower()
    found = [
        lock.body
        for lock in call.world.of_type(LOCK_TYPE)
        if _is_within(_scope(lock), scope) or _is_within(scope, _scope(lock))
    ]
    return Reply(200, {"value": found})


def refuse_if_locked(call: Call) -> None:
    """Lets nothing happen that a lock forbids.

    Raises:
        ArmError: 409 ScopeLocked.
    """
    if call.method in _FREE or call.type.lower() == LOCK_TYPE.lower() or call.instant:
        return
    deletes = call.method == "DELETE"
    scopes = sorted({_scope_as_sent(lock) for lock in _holding(call.world, call.id, deletes=deletes)})
    if not scopes:
        return
    locked = ",".join(f"'{scope}'" for scope in scopes)
    message = (
        f"The scope '{call.id.text}' cannot perform {'delete' if deletes else 'write'} operation because "
        f"following scope(s) are locked: {locked}. Please remove the lock and try again."
    )
    raise ArmError(409, "ScopeLocked", message, gateway=True)


def _holding(world: World, target: ArmId, *, deletes: bool) -> list[Resource]:
    """The locks that forbid a deletion, or another change, of the target."""
    levels = (CAN_NOT_DELETE, READ_ONLY) if deletes else (READ_ONLY,)
    return [
        lock
        for lock in world.of_type(LOCK_TYPE)
        if lock.properties.get("level") in levels
        and (_is_within(target.key, _scope(lock)) or (deletes and _is_within(_scope(lock), target.key)))
    ]


def _scope_as_sent(lock: Resource) -> str:
    return scope_of(parse_id(lock.id))


def _scope(lock: Resource) -> str:
    return _scope_as_sent(lock).lower()


def _is_within(part: str, whole: str) -> bool:
    """Whether a path is another, or lies below it."""
    return part == whole or part.startswith(f"{whole}/")


ROUTES: Routes = {
    f"PUT {LOCK_TYPE}": put,
    f"GET {LOCK_TYPE}": get,
    f"DELETE {LOCK_TYPE}": delete,
    f"LIST {LOCK_TYPE}": list_locks,
}
