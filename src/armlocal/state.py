"""The world: every resource that exists, and what it is made of.

There is one World in a process, in one event loop. Nothing in it is shared between threads, and a change
that must not be seen half done is made without an `await` in between.
"""

from __future__ import annotations

import asyncio
import copy
import uuid
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

from armlocal.conditions import Conditions
from armlocal.ids import GROUP_TYPE, parse_id

if TYPE_CHECKING:
    from collections.abc import Coroutine, Iterator
    from pathlib import Path

    from armlocal.faults import Faults
    from armlocal.lro import Operations
    from armlocal.parts import DiskFiles, Exports, Guest, StorageBackend

NIC_RESERVATION = 180.0
"""Seconds at scale 1 that a NIC is kept for the VM it was taken from."""

GHOST = 30.0
"""Seconds at scale 1 that Compute's own 404 comes for what was just deleted; recorded up to 6 s after."""


@dataclass
class Resource:
    """One resource. `body` is what GET answers; `private` is what never comes back (keys, passwords).

    Attributes:
        id: with the letters of the request that made it.
        type: the full type in its official spelling, `Microsoft.Network/networkInterfaces`.
        name: the innermost name.
        group: the resource group's name.
        body: the JSON of GET, changed in place as the resource changes.
        private: what providers keep beside it.
        reserved_for: the VM that a NIC is kept for, and until when (`World.monotonic`).
    """

    id: str
    type: str
    name: str
    group: str
    body: dict[str, Any]
    private: dict[str, Any] = field(default_factory=dict)
    reserved_for: tuple[str, float] | None = None

    @property
    def key(self) -> str:
        """What it is stored under: the id in lower case."""
        return self.id.lower()

    @property
    def location(self) -> str:
        """The region, `global` for DNS."""
        return str(self.body.get("location", ""))

    @property
    def tags(self) -> dict[str, str]:
        """Its tags; {} when it has none."""
        tags: dict[str, str] = self.body.get("tags") or {}
        return tags

    @property
    def properties(self) -> dict[str, Any]:
        """`body["properties"]`, made when it is missing."""
        properties: dict[str, Any] = self.body.setdefault("properties", {})
        return properties

    @property
    def state(self) -> str:
        """`properties.provisioningState`; "" for types that have none."""
        return str(self.properties.get("provisioningState", ""))

    @state.setter
    def state(self, value: str) -> None:
        self.properties["provisioningState"] = value


GROUP_NAME = 4
"""Where in an id, cut at its slashes, the group's name is."""


class Clock:
    """Time. One place, so that a test can pass another in.

    Attributes:
        ahead: seconds by which the service's time of day is ahead of this machine's.
    """

    def __init__(self) -> None:
        self.ahead = 0.0

    def now(self) -> datetime:
        """The time of day, UTC."""
        return datetime.now(UTC) + timedelta(seconds=self.ahead)

    def monotonic(self) -> float:
        """Seconds that only grow."""
        return asyncio.get_running_loop().time()

    async def sleep(self, seconds: float) -> None:
        """Waits until a long operation's time is over."""
        await asyncio.sleep(seconds)


@dataclass
class World:
    """Everything there is.

    Attributes:
        dir: where the stand-in writes.
        scale: what every recorded time is multiplied by.
        base_url: `https://127.0.0.1:port`, no slash at its end.
        subscription_id: the only subscription.
        tenant_id: the only tenant.
        client_id: the only application that may sign in.
        object_id: of its service principal.
        client_secret: its secret.
        resources: by lower-case id; resource groups and DNS record sets too.
        storage: the blob service. Set before the first request, like the next three.
        disks: bytes of disks and snapshots.
        exports: SAS access to them.
        guest: what runs on the VMs.
        operations: the long operations. Set by the app, like `faults`.
        faults: what was asked to go wrong.
        tasks: work that goes on after its answer.
        ghosts: what was deleted a moment ago, and until when it is remembered (`leave_ghost`).
        conditions: rights, quotas and registered providers.
    """

    dir: Path
    scale: float
    storage: StorageBackend
    disks: DiskFiles
    exports: Exports
    guest: Guest
    operations: Operations
    faults: Faults
    base_url: str = ""
    subscription_id: str = "5e1f0a52-6c1c-4d51-9a08-6c6f63616c31"
    tenant_id: str = "7e9a1c04-2b1f-4b0e-8f6d-6c6f63616c32"
    client_id: str = "c11e9701-5d7e-4a43-b6f9-6c6f63616c33"
    object_id: str = "0b1ec7a5-3e0d-4a86-9c55-6c6f63616c34"
    client_secret: str = ""
    token_seconds: float = 3599.0
    tokens_dead_since: float = 0.0
    clock: Clock = field(default_factory=Clock)
    resources: dict[str, Resource] = field(default_factory=dict)
    tasks: set[asyncio.Task[Any]] = field(default_factory=set)
    ghosts: dict[str, float] = field(default_factory=dict)
    conditions: Conditions = field(default_factory=Conditions)

    @property
    def clock_ahead(self) -> float:
        """Seconds by which the time of day here is ahead."""
        return self.clock.ahead

    @clock_ahead.setter
    def clock_ahead(self, seconds: float) -> None:
        self.clock.ahead = seconds

    def find(self, resource_id: str) -> Resource | None:
        """The resource of this id, in whatever letters; None when there is none."""
        return self.resources.get(resource_id.rstrip("/").lower())

    def add(self, resource: Resource) -> Resource:
        """Puts it into the world, in place of one with the same id."""
        self.resources[resource.key] = resource
        return resource

    def remove(self, resource_id: str) -> None:
        """Takes it and everything below it out of the world; nothing happens when there is none."""
        key = resource_id.rstrip("/").lower()
        for other in [k for k in self.resources if k == key or k.startswith(key + "/")]:
            del self.resources[other]

    def leave_ghost(self, resource_id: str) -> None:
        """Remembers for a while that this was deleted: until then the provider, not ARM, answers the 404."""
        self.ghosts[resource_id.lower()] = self.clock.monotonic() + self.scaled(GHOST)

    def is_ghost(self, resource_id: str) -> bool:
        """Whether this was deleted a moment ago."""
        return self.ghosts.get(resource_id.rstrip("/").lower(), 0.0) > self.clock.monotonic()

    def group(self, name: str) -> Resource | None:
        """The resource group of this name; None when there is none."""
        return self.find(f"/subscriptions/{self.subscription_id}/resourceGroups/{name}")

    def of_type(self, type_: str, group: str | None = None) -> list[Resource]:
        """All resources of a type, in a group or anywhere, in the order they were made."""
        found = [r for r in self.resources.values() if r.type.lower() == type_.lower()]
        return [r for r in found if group is None or r.group.lower() == group.lower()]

    def in_group(self, group: str) -> list[Resource]:
        """All that lies in a resource group, children too, not the group itself."""
        return [
            r for r in self.resources.values() if r.group.lower() == group.lower() and r.type != GROUP_TYPE
        ]

    def children(self, resource_id: str, type_: str | None = None) -> list[Resource]:
        """All that lies below a resource, of one full type or of any."""
        prefix = resource_id.rstrip("/").lower() + "/"
        found = [r for k, r in self.resources.items() if k.startswith(prefix)]
        return [r for r in found if type_ is None or r.type.lower() == type_.lower()]

    def mentions(self, resource_id: str) -> Iterator[Resource]:
        """Every other resource whose body holds this id anywhere, as its own `id` value."""
        wanted = resource_id.lower()
        for other in list(self.resources.values()):
            if other.key != wanted and _holds_id(other.body, wanted):
                yield other

    def new_guid(self) -> str:
        """A fresh guid, for what Azure makes up: vmId, resourceGuid, etags."""
        return str(uuid.uuid4())

    def timestamp(self) -> str:
        """Now, as Compute writes times."""
        return self.clock.now().isoformat(timespec="microseconds")

    def scaled(self, seconds: float) -> float:
        """Seconds here for seconds of the real service."""
        return seconds * self.scale

    async def pause(self, seconds: float) -> None:
        """Waits for what takes `seconds` on the real service."""
        await asyncio.sleep(self.scaled(seconds))

    def spawn(self, work: Coroutine[Any, Any, None]) -> asyncio.Task[None]:
        """Starts work that goes on after the answer; `stop_work` ends it."""
        task = asyncio.get_running_loop().create_task(work)
        self.tasks.add(task)
        task.add_done_callback(self.tasks.discard)
        return task

    async def stop_work(self) -> None:
        """Ends all work that goes on, and waits until it is over."""
        running = [task for task in self.tasks if task is not asyncio.current_task()]
        for task in running:
            task.cancel()
        await asyncio.gather(*running, return_exceptions=True)

    async def clear(self) -> None:
        """Ends all work, and takes everything out of the world: resources, operations, faults."""
        await self.stop_work()
        self.operations.clear()
        self.faults.all.clear()
        self.resources.clear()
        self.ghosts.clear()
        self.conditions.clear()
        self.clock.ahead = 0.0

    def reserve_nic(self, nic: Resource, vm_id: str) -> None:
        """Keeps a NIC for a VM that did not come up, for 180 s of the real service."""
        nic.reserved_for = (vm_id, self.clock.monotonic() + self.scaled(NIC_RESERVATION))

    def reservation(self, nic: Resource) -> str | None:
        """The id of the VM that a NIC is kept for; None when it is free."""
        if nic.reserved_for is None or nic.reserved_for[1] <= self.clock.monotonic():
            return None
        return nic.reserved_for[0]


def make_resource(resource_id: str, type_: str, body: dict[str, Any]) -> Resource:
    """A resource with `id`, `name` and `type` in its body if they are missing there."""
    arm_id = parse_id(_official(resource_id))
    content = copy.deepcopy(body)
    for key, value in (("name", arm_id.name), ("id", arm_id.text), ("type", type_)):
        content.setdefault(key, value)
    return Resource(id=arm_id.text, type=type_, name=arm_id.name, group=arm_id.group or "", body=content)


def _official(resource_id: str) -> str:
    """The id with `resourceGroups` spelled as ARM answers it, however it was sent."""
    parts = resource_id.split("/")
    if len(parts) > GROUP_NAME and parts[GROUP_NAME - 1].lower() == "resourcegroups":
        parts[GROUP_NAME - 1] = "resourceGroups"
    return "/".join(parts)


def _holds_id(value: Any, wanted: str) -> bool:
    if isinstance(value, dict):
        own = value.get("id")
        return (isinstance(own, str) and own.lower() == wanted) or any(
            _holds_id(v, wanted) for v in value.values()
        )
    if isinstance(value, list):
        return any(_holds_id(item, wanted) for item in value)
    return False
