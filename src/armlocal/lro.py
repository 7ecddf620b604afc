"""Long operations: how they are announced, how long they take, and how they are told about.

A provider starts one with `Operations.start` and answers with its headers. The work itself is a coroutine
function that runs when the recorded time, scaled, is over. Until then the resource says Creating, Updating
or Deleting, and afterwards Succeeded or Failed.
"""

from __future__ import annotations

import asyncio
import base64
import json
import logging
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Literal

from armlocal.errors import ArmError
from armlocal.latencies import operation_seconds

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Coroutine

    from armlocal.faults import Fault
    from armlocal.providers.base import Call
    from armlocal.state import Clock, Resource, World

log = logging.getLogger(__name__)
Status = Literal["InProgress", "Succeeded", "Failed"]


@dataclass(frozen=True)
class Style:
    """How one family of operations is told about; the instances below are all there are.

    Attributes:
        path: where the status is, below `/subscriptions/{sub}`; "" when there is only a Location.
        result_path: where the Location points, on the same terms.
        timed: status bodies with startTime, endTime, name and output (Compute), or with the status alone.
        compute_query: addresses begin with `?p=<guid>`, and the Location has `&monitor=true`.
        monitor: the Location has `?monitor=true`.
        notification: answers carry `Azure-AsyncNotification: Enabled`.
        running_status: HTTP status of the status address while it runs.
        repeats_headers: polls repeat the operation's headers.
        running_word: what the status body says while it runs.
        empty_type: the Content-Type that its answers without a body have.
    """

    path: str
    result_path: str
    timed: bool = False
    compute_query: bool = False
    monitor: bool = False
    notification: bool = False
    running_status: int = 200
    repeats_headers: bool = False
    empty_type: str = ""
    running_word: str = "InProgress"


_VM_PATH = "providers/Microsoft.Compute/locations/{location}/operations/{id}"
_DISK_PATH = "providers/Microsoft.Compute/locations/{location}/DiskOperations/{id}"
_NETWORK = "providers/Microsoft.Network/locations/{location}"
_DNS = "resourceGroups/{group}/providers/Microsoft.Network"
COMPUTE_VM = Style(_VM_PATH, _VM_PATH, timed=True, compute_query=True, notification=True)
COMPUTE_DISK = Style(_DISK_PATH, _DISK_PATH, timed=True, compute_query=True)
NETWORK = Style(_NETWORK + "/operations/{id}", _NETWORK + "/operationResults/{id}", notification=True)
STORAGE = Style(
    "",
    "providers/Microsoft.Storage/locations/{location}/asyncoperations/{id}",
    monitor=True,
    repeats_headers=True,
    empty_type="text/plain; charset=utf-8",
)
DNS = Style(
    _DNS + "/dnsOperationStatuses/{job}",
    _DNS + "/dnsOperationResults/{job}",
    running_status=202,
    repeats_headers=True,
)
DEPLOYMENT = Style(
    "resourcegroups/{group}/providers/Microsoft.Resources/deployments/{name}/operationStatuses/{id}",
    "operationresults/{id}",
    running_word="Running",
)
GROUP = Style("", "operationresults/{job}", repeats_headers=True)


@dataclass
class Operation:
    """One long operation.

    Attributes:
        id: a guid; also the first answer's `x-ms-request-id`.
        style: how it is told about.
        status: where it stands.
        location: the region in its addresses.
        status_url: the signed address of its status, "" when it has none.
        result_url: the signed address of its result.
        plain_url: the status address as error messages name it: without signature.
        seconds: how long it takes here, scaled.
        retry: as in `Plan`.
        polls: how often its status was asked for while it ran.
        output: what `work` returned: the Location's body, and `properties.output` of timed styles.
        error: why it failed.
        never_ends: asked for by a fault.
        vanishes: by a fault, nobody knows it any more: `before` its end, `after` it, or never ("").
        fault: how it shall fail at its end.
    """

    id: str
    style: Style
    location: str
    seconds: float
    retry: tuple[float | None, ...]
    with_location: bool
    started: str
    started_at: float
    status: Status = "InProgress"
    status_url: str = ""
    result_url: str = ""
    plain_url: str = ""
    ended: str | None = None
    output: Any = None
    error: ArmError | None = None
    never_ends: bool = False
    vanishes: str = ""
    polls: int = 0
    fault: Fault | None = None
    task: asyncio.Task[None] | None = field(default=None, repr=False)

    @property
    def is_gone(self) -> bool:
        """Whether nobody knows it any more."""
        return self.vanishes == "before" or (self.vanishes == "after" and self.status != "InProgress")

    def headers(self, world: World) -> dict[str, str]:
        """The headers of the first answer, or of the poll that was counted last."""
        headers = {}
        if self.style.notification:
            headers["Azure-AsyncNotification"] = "Enabled"
        if self.style.empty_type:
            headers["Content-Type"] = self.style.empty_type
        if self.status_url:
            headers["Azure-AsyncOperation"] = self.status_url
        if self.with_location or not self.status_url:
            headers["Location"] = self.result_url
        return headers | retry_headers(self.retry[min(self.polls, len(self.retry) - 1)], world.scale)

    def body(self) -> dict[str, Any]:
        """The status body, as the family writes it."""
        word = self.style.running_word if self.status == "InProgress" else self.status
        told: dict[str, Any] = {"status": word}
        if self.style.timed:
            ended = {} if self.ended is None else {"endTime": self.ended}
            told = {"startTime": self.started, **ended, **told}
            if self.output is not None and self.status == "Succeeded":
                told["properties"] = {"output": self.output}
        if self.error is not None:
            told["error"] = self.error.inner()
        return {**told, "name": self.id} if self.style.timed else told


def retry_headers(seconds: float | None, scale: float) -> dict[str, str]:
    """Retry-After as recorded; below scale 1 the same time, scaled, in `x-ms-retry-after-ms` instead."""
    if seconds is None:
        return {}
    if scale < 1:
        return {"x-ms-retry-after-ms": str(max(1, round(seconds * scale * 1000)))}
    return {"Retry-After": str(round(seconds * scale))}


@dataclass(frozen=True)
class Plan:
    """What a long operation does, to what, and how long it takes.

    Attributes:
        latency: its name in `latencies.json`.
        work: runs when the time is over; changes the world, returns what there is to show (or None): the
            body of the Location, and the output of Compute's disk operations. An ArmError it raises becomes
            the operation's failure.
        resource: what it works on; it is busy until the end.
        state: the resource's provisioningState until then (Creating, Updating, Deleting); Succeeded or
            Failed follows.
        location: the region in the addresses; the resource's by default.
        with_location: send a Location beside Azure-AsyncOperation.
        retry: recorded Retry-After in seconds at scale 1: of the first answer, of the first poll while it
            runs, of the second, and so on; the last one repeats. None sends no header.
        failed: runs after a failure, to leave what the real service leaves.
        alongside: runs during the recorded time; the end waits for both.
    """

    latency: str
    work: Callable[[], Awaitable[Any]]
    resource: Resource | None = None
    state: str | None = None
    location: str | None = None
    with_location: bool = False
    retry: tuple[float | None, ...] = (None,)
    failed: Callable[[], Awaitable[None]] | None = None
    alongside: Callable[[], Coroutine[Any, Any, None]] | None = None


class Operations:
    """All long operations, by the addresses that tell about them."""

    def __init__(self) -> None:
        self._by_address: dict[str, Operation] = {}
        self._by_resource: dict[str, Operation] = {}

    def at(self, address: str) -> Operation | None:
        """The operation of a signed address, or None."""
        return self._by_address.get(address)

    def clear(self) -> None:
        """Forgets all of them; their tasks are ended by `World.stop_work`."""
        self._by_address.clear()
        self._by_resource.clear()

    def running(self, resource: Resource, world: World) -> Operation | None:
        """The operation that holds this resource, or None.

        One that a fault keeps from ending holds it for its recorded time only: what stays is an operation
        that tells of no end, not a resource that nobody can ever delete.
        """
        operation = self._by_resource.get(resource.key)
        if operation is None or operation.status != "InProgress":
            return None
        if operation.never_ends and world.clock.monotonic() > operation.started_at + operation.seconds:
            return None
        return operation

    def abandon(self, resource: Resource, world: World) -> None:
        """Ends the running operation of a resource: a newer one preempts it, as Compute's deletes do."""
        operation = self._by_resource.pop(resource.key, None)
        if operation is None or operation.status != "InProgress":
            return
        if operation.task is not None:
            operation.task.cancel()
        message = "Operation execution has been preempted by a more recent operation."
        operation.error = ArmError(409, "OperationPreempted", message)
        operation.ended = world.timestamp()
        operation.status = "Failed"

    async def start(self, call: Call, style: Style, plan: Plan) -> Operation:
        """Starts a long operation.

        Args:
            call: the request.
            style: how it is told about.
            plan: what it does, to what, and how long it takes.

        Returns:
            It; `Reply(202, headers=operation.headers(world))` announces it.
        """
        operation = self._new(call, style, plan)
        if plan.resource is not None:
            self._by_resource[plan.resource.key] = operation
            if plan.state is not None:
                plan.resource.state = plan.state
        if call.instant:
            await self._run(call, operation, plan)
            if operation.error is not None:
                raise operation.error
        else:
            operation.task = call.world.spawn(self._run(call, operation, plan))
        return operation

    def _new(self, call: Call, style: Style, plan: Plan) -> Operation:
        world = call.world
        location = plan.location or (plan.resource.location if plan.resource else "") or "global"
        operation = Operation(
            id=call.request_id,
            style=style,
            location=location,
            seconds=0.0 if call.instant else world.scaled(operation_seconds(plan.latency)),
            retry=plan.retry,
            with_location=plan.with_location,
            started=world.timestamp(),
            started_at=world.clock.monotonic(),
            never_ends=call.take_fault("never_ends") is not None,
            fault=call.take_fault("fail_at_end"),
        )
        vanish = call.take_fault("vanish")
        operation.vanishes = "" if vanish is None else vanish.when
        _address(operation, call)
        self._by_address[operation.result_url] = operation
        if operation.status_url:
            self._by_address[operation.status_url] = operation
        return operation

    async def _run(self, call: Call, operation: Operation, plan: Plan) -> None:
        try:
            await self._wait(call.world.clock, operation, plan)
            if operation.never_ends:
                return
            _fail_if_asked(operation.fault)
            operation.output = await plan.work()
        except ArmError as error:
            operation.error = error
        except Exception:
            log.exception("the work of an operation broke: %s", call.operation)
            operation.error = ArmError(
                500, "InternalServerError", "The stand-in's own code broke; see its log."
            )
        await self._end(call.world, operation, plan)

    async def _wait(self, clock: Clock, operation: Operation, plan: Plan) -> None:
        if plan.alongside is None:
            await clock.sleep(operation.seconds)
            return
        async with asyncio.TaskGroup() as group:
            group.create_task(clock.sleep(operation.seconds))
            group.create_task(plan.alongside())

    async def _end(self, world: World, operation: Operation, plan: Plan) -> None:
        if operation.error is not None and plan.failed is not None:
            await plan.failed()
        resource = plan.resource
        if resource is not None and self._by_resource.get(resource.key) is operation:
            del self._by_resource[resource.key]
            if plan.state is not None and world.find(resource.id) is resource:
                resource.state = "Succeeded" if operation.error is None else "Failed"
        operation.ended = world.timestamp()
        operation.status = "Succeeded" if operation.error is None else "Failed"


def _fail_if_asked(fault: Fault | None) -> None:
    if fault is not None:
        raise ArmError(fault.status, fault.code, fault.message)


def _address(operation: Operation, call: Call) -> None:
    """Fills in the addresses."""
    world, style = call.world, operation.style
    values = {
        "location": operation.location,
        "id": operation.id,
        "group": call.id.group or "",
        "name": call.id.names[-1] if call.id.names else "",
        "job": _job(operation, call),
    }
    prefix = f"/subscriptions/{world.subscription_id}/"
    version = f"api-version={call.api_version}"
    first = f"p={world.tenant_id}&" if style.compute_query else ""
    monitor = "monitor=true&" if style.compute_query or style.monitor else ""
    now = world.clock.now()
    if style.path:
        address = f"{prefix}{style.path.format(**values)}?{first}{version}"
        operation.plain_url = world.base_url + address
        operation.status_url = world.base_url + call.signer.sign(address, now)
    result = f"{prefix}{style.result_path.format(**values)}?{first}{monitor}{version}"
    operation.result_url = world.base_url + call.signer.sign(result, now)


def _job(operation: Operation, call: Call) -> str:
    """The base64 name that resource group and DNS operations have in place of a guid."""
    if operation.style is GROUP:
        name = f"RESOURCEGROUPDELETIONJOB-{call.id.name.upper()}-{operation.location.upper()}"
        told = json.dumps({"jobId": name, "jobLocation": operation.location, "run": operation.id})
    else:
        told = f"FrontEndAsyncOperation;DeleteZone;{operation.id}"
    return base64.urlsafe_b64encode(told.encode()).decode().rstrip("=")
