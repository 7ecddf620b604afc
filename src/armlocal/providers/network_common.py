"""What all Network resources have in common: etags, one write at a time, tags, references to each other."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from armlocal.errors import ArmError
from armlocal.lro import NETWORK, Plan
from armlocal.providers.base import Call, Reply

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from armlocal.providers.base import Handler
    from armlocal.state import Resource, World

Json = dict[str, Any]
Render = "Callable[[World, Resource], Json]"
NIC = "Microsoft.Network/networkInterfaces"
RETRY_BUSY = 11


def child_not_found(call: Call) -> ArmError:
    """Network's own 404, of a child whose parent is there: `VirtualNetworkPeering_20250301_CRUD` [22]."""
    return ArmError(404, "NotFound", f"Resource {call.id.text} not found.", details=[])


def found_child(call: Call) -> Resource:
    """The child that the path names.

    Raises:
        ArmError: Network's 404; when the parent is gone too, ARM has answered before.
    """
    child = call.world.find(call.id.text)
    if child is None:
        raise child_not_found(call)
    return child


def check_match(call: Call, resource: Resource | None) -> None:
    """If-Match and If-None-Match against the etag of what is there.

    Raises:
        ArmError: 412 PreconditionFailed.
    """
    wanted, unwanted = call.headers.get("if-match"), call.headers.get("if-none-match")
    there = None if resource is None else resource.body["etag"]
    if wanted and wanted != there and not (wanted == "*" and there):
        inner = {
            "code": "PreconditionFailedEtagMismatch",
            "message": f"Etag provided in if-match header {wanted} does not match etag "
            f"{there or ''} of resource "
            f"{call.id.text} in NRP data store.",
        }
        raise ArmError(412, "PreconditionFailed", "Precondition failed.", details=[inner])
    if unwanted == "*" and there:
        raise ArmError(412, "PreconditionFailed", "Precondition failed.", details=[])


def refuse_while_updated(call: Call, resource: Resource) -> None:
    """Lets no second write at a VNet and what is in it.

    Raises:
        ArmError: 429 RetryableErrorDueToAnotherOperation. Source: `Test_Networking_DnsResolver_CRUD` [19].
    """
    operation = call.world.operations.running(resource, call.world)
    if operation is None:
        return
    inner = {
        "code": "RetryableErrorDueToAnotherOperation",
        "message": f"Operation {resource.private['operation']} ({operation.id}) is updating "
        f"resource {resource.id}. "
        f"The call can be retried in {RETRY_BUSY} seconds.",
    }
    raise _retryable(inner, RETRY_BUSY)


def _retryable(inner: Json, retry_after: float | None) -> ArmError:
    return ArmError(
        429,
        "RetryableError",
        "A retryable error occurred.",
        details=[inner],
        retry_after=retry_after,
        headers={"x-ms-failure-cause": "service"},
    )


def referenced(call: Call, resource_id: str, type_: str) -> Resource:
    """What the resource in the path refers to, in the same region and ready.

    Raises:
        ArmError: 400 InvalidResourceReference when it is not there (`Test_Network_v1api20201101` [61]);
            429 ReferencedResourceNotProvisioned while it is being made (`Test_Compute_VM_20201201_CRUD` [8]).
    """
    resource = call.world.find(resource_id)
    if resource is None or resource.type.lower() != type_.lower() or not _same_region(call, resource):
        message = (
            f"Resource {resource_id} referenced by resource {call.id.text} was not found. Please "
            "make sure that "
            "the referenced resource exists, and that both resources are in the same region."
        )
        raise ArmError(400, "InvalidResourceReference", message, details=[])
    if resource.state in ("Updating", "Deleting"):
        inner = {
            "code": "ReferencedResourceNotProvisioned",
            "message": f"Cannot proceed with operation because resource {resource.id} used by resource "
            f"{call.id.text} is not in Succeeded state. Resource is in {resource.state} state and the last "
            f"operation that updated/is updating the resource is {resource.private['operation']}.",
        }
        raise _retryable(inner, None)
    return resource


def _same_region(call: Call, resource: Resource) -> bool:
    here = _region(call.world, call.id.text) or str(call.body.get("location") or "")
    return _region(call.world, resource.id) == here


def _region(world: World, resource_id: str) -> str:
    """The region of a resource; of a child its parent's."""
    resource = world.find("/".join(resource_id.split("/")[:9]))
    return "" if resource is None else resource.location


def ip_configurations(world: World) -> Iterator[Json]:
    """The IP configurations of all NICs."""
    for nic in world.of_type(NIC):
        yield from nic.properties["ipConfigurations"]


def configurations_with(world: World, key: str, resource_id: str) -> list[str]:
    """Ids of the IP configurations whose `key` (subnet, publicIPAddress) is this resource."""
    wanted = resource_id.lower()
    return [
        c["id"]
        for c in ip_configurations(world)
        if c["properties"].get(key, {}).get("id", "").lower() == wanted
    ]


def place(resource: Resource, body: Json) -> None:
    """Location and tags as asked for; tags that nobody sent are not there, as recorded."""
    resource.body["location"] = body["location"]
    resource.body.pop("tags", None)
    if body.get("tags") is not None:
        resource.body["tags"] = dict(body["tags"])


def renew(world: World, resources: Sequence[Resource], state: str) -> None:
    """A new etag, the same for all of these, and their state."""
    etag = f'W/"{world.new_guid()}"'
    for resource in resources:
        resource.body["etag"] = etag
        resource.state = state


@dataclass(frozen=True)
class Write:
    """One PUT that Network works on for a while.

    Attributes:
        operation: Network's own name of it, which its errors mention.
        latency: its name in `latencies.json`.
        retry: recorded Retry-After, first and while it runs.
        changed: False when only tags differ: the state stays Succeeded and there is no Retry-After.
        done: what else happens at the end.
    """

    operation: str
    latency: str
    retry: tuple[float | None, float | None]
    changed: bool = True
    done: Callable[[], None] | None = None


async def begin_write(call: Call, write: Write, resource: Resource, *others: Resource) -> dict[str, str]:
    """Starts the work on a resource and on the others that share its state; returns the answer's headers."""
    world, parts = call.world, (resource, *others)
    for part in parts:
        part.private["operation"] = write.operation
    renew(world, parts, "Updating" if write.changed else "Succeeded")

    async def work() -> None:
        if write.done is not None:
            write.done()
        if write.changed:
            renew(world, parts, "Succeeded")

    async def failed() -> None:
        renew(world, parts, "Failed")

    state, retry = ("Updating", write.retry) if write.changed else (None, (None, None))
    region = _region(world, resource.id)
    plan = Plan(write.latency, work, resource, state, location=region, retry=retry, failed=failed)
    return (await call.start(NETWORK, plan)).headers(world)


async def begin_delete(
    call: Call, resource: Resource, latency: str, operation: str, retry: float, inside: Resource | None = None
) -> Reply:
    """Starts taking a resource away; what it is inside of is busy, too, and Updating."""
    world, busy = call.world, inside or resource
    resource.private["operation"] = busy.private["operation"] = operation
    resource.state = "Deleting"

    async def work() -> None:
        world.remove(resource.id)

    async def failed() -> None:
        resource.state = "Failed"

    state = "Deleting" if inside is None else "Updating"
    region = _region(world, resource.id)
    plan = Plan(
        latency, work, busy, state, location=region, with_location=True, retry=(retry, retry), failed=failed
    )
    return Reply(202, headers=(await call.start(NETWORK, plan)).headers(world))


def getter(render: Callable[[World, Resource], Json]) -> Handler:
    """The GET of a resource or child, with its ETag header."""

    async def get(call: Call) -> Reply:
        resource = found_child(call) if len(call.id.names) > 1 else call.found()
        body = render(call.world, resource)
        return Reply(200, body, {"ETag": body["etag"]})

    return get


def lister(render: Callable[[World, Resource], Json]) -> Handler:
    """The GET of a list, in a group or in the subscription."""

    async def list_(call: Call) -> Reply:
        found = call.world.of_type(call.type, call.id.group)
        return Reply(200, {"value": [render(call.world, resource) for resource in found]})

    return list_


def child_lister(render: Callable[[World, Resource], Json]) -> Handler:
    """The GET of a list of children."""

    async def list_(call: Call) -> Reply:
        found = call.world.children(call.id.parent.text, call.type)
        return Reply(200, {"value": [render(call.world, child) for child in found]})

    return list_


def tagger(render: Callable[[World, Resource], Json]) -> Handler:
    """The PATCH of a resource, which changes its tags and nothing else."""

    async def patch(call: Call) -> Reply:
        resource = call.found()
        call.refuse_if_busy(resource)
        resource.body["tags"] = dict(call.body.get("tags") or {})
        renew(call.world, [resource], resource.state)
        body = render(call.world, resource)
        return Reply(200, body, {"ETag": body["etag"]})

    return patch
