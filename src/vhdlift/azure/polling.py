"""How Azure's long operations are looked at: what they take, how often we look, how long we wait."""

from __future__ import annotations

import asyncio
import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

from azure.core.exceptions import AzureError, DecodeError, HttpResponseError, ResourceNotFoundError
from azure.core.polling.base_polling import BadResponse, BadStatus, OperationFailed
from azure.mgmt.core.polling.async_arm_polling import AsyncARMPolling

from vhdlift.azure.failures import UNREADABLE_ERRORS, OperationGoneError, is_passing, translated
from vhdlift.azure.patience import cover, retry_after
from vhdlift.azure.values import text

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

KindName = Literal[
    "vm_create",
    "vm_delete",
    "vm_stop",
    "vm_start",
    "extension",
    "extension_delete",
    "run_command",
    "snapshot",
    "access",
    "network",
    "storage",
    "delete",
    "group_delete",
    "list",
    "call",
    "artefact",
    "probe",
]


@dataclass(frozen=True)
class Kind:
    """How long operations of a kind take; seconds at scale 1.

    Attributes:
        typical: what the service usually needs (medians of recordings); polling is sharp around it.
        deadline: when we stop waiting.
        deletes: whether "in use" errors go away by themselves, because what uses it goes too.
        patient: whether what is busy, or cannot be reached, is waited for at all.
        insists: whether a lack of room in Azure is waited for too, because there is no other way.
        creates: whether it makes something in a resource group that is known to be there.
        outlasts: whether a service out of reach is waited for until the deadline.
    """

    typical: float
    deadline: float
    deletes: bool = False
    patient: bool = True
    insists: bool = False
    creates: bool = False
    outlasts: bool = False

    @property
    def patience(self) -> float:
        """For how long a busy resource is waited for, in seconds at scale 1."""
        if not self.patient:
            return 0
        if self.outlasts:
            return self.deadline
        return 10 * 60 if self.deletes or self.insists else 5 * 60


_MINUTE = 60.0

KINDS: dict[KindName, Kind] = {
    "vm_create": Kind(62, 30 * _MINUTE, creates=True),
    "vm_delete": Kind(20, 20 * _MINUTE, deletes=True),
    "vm_stop": Kind(23, 20 * _MINUTE),
    # Only the source VM is started: it ran before, and its place went when it was deallocated.
    "vm_start": Kind(10, 20 * _MINUTE, insists=True),
    # The service ends an extension after 90 minutes by itself, with a better reason than ours.
    "extension": Kind(138, 95 * _MINUTE, creates=True),
    "extension_delete": Kind(10, 20 * _MINUTE, deletes=True),
    # A short script; a VM whose agent does not answer is not waited for.
    "run_command": Kind(16, 5 * _MINUTE, patient=False),
    "snapshot": Kind(1, 30 * _MINUTE, creates=True),
    "access": Kind(0.2, 10 * _MINUTE),
    "network": Kind(1, 10 * _MINUTE, creates=True),
    "storage": Kind(18, 10 * _MINUTE, creates=True),
    "delete": Kind(5, 20 * _MINUTE, deletes=True),
    "group_delete": Kind(69, 60 * _MINUTE, deletes=True),
    # A list that lags behind what happened.
    "list": Kind(1, _MINUTE),
    "call": Kind(1, 20 * _MINUTE),
    # What the guest has made in hours is not given up because of a network that is away for a while.
    "artefact": Kind(1, 120 * _MINUTE, outlasts=True),
    # Asked while a person waits, and before there is anything to lose.
    "probe": Kind(1, 5 * _MINUTE, patient=False),
}

_FIRST_LOOK = 0.5
_EARLIEST = 0.2
_GROWTH = 1.5
_SLOWEST = 15.0
# With a watch, the operation itself is asked only after so many pauses: only it tells of a failure.
_RARELY = 4
_FINE = frozenset({200, 201, 202, 204})
_ACCEPTED, _NOT_FOUND = 202, 404
_FAILED = frozenset({"failed", "canceled"})


class Pace:
    """How long to wait before the next look, when the service does not say.

    Starts at half a second, sooner for what takes about a second, and grows by half each time, up to a
    share of the time such an operation takes: 6 % at first, 2.5 % while it is about to end (from 0.6 to
    1.5 times the typical time), and from then on 8 % of the time already waited. A late look so costs a
    few per cent at most, and the first minute of one operation needs about as many looks as Compute
    allows (44).
    """

    def __init__(self, typical: float, scale: float) -> None:
        self._typical = typical * scale
        self._scale = scale
        self._least = min(_FIRST_LOOK, max(0.3 * typical, _EARLIEST)) * scale
        self._next = self._least

    def pause(self, elapsed: float) -> float:
        """Seconds until the next look, `elapsed` seconds after the operation began."""
        now = min(self._next, max(self._share(elapsed), self._least), _SLOWEST * self._scale)
        self._next = max(now * _GROWTH, self._next)
        return now

    def _share(self, elapsed: float) -> float:
        if elapsed < 0.6 * self._typical:
            return min(0.06 * self._typical, max(0.6 * self._typical - elapsed, 0))
        if elapsed < 1.5 * self._typical:
            return 0.025 * self._typical
        return 0.08 * elapsed


@dataclass(frozen=True)
class Watch:
    """Reads the resource that an operation is about, and knows when it is as it should be.

    Attributes:
        get: reads it.
        ready: whether this is the end; by default when its provisioning state is Succeeded.
        until_gone: the end is that Azure says 404.
    """

    get: Callable[[], Awaitable[Any]]
    ready: Callable[[Any], bool] = lambda there: state_of(there) == "succeeded"
    until_gone: bool = False


@dataclass(frozen=True)
class Seen:
    """What a watch saw at the end; None when it saw that the resource is gone."""

    resource: Any


class Polling(AsyncARMPolling):
    """The SDK's ARM polling with our pace.

    The operation is never asked for before the Retry-After that the service told has passed. That is
    often long for what is being made (35 s for a VM that takes 60), so a `Watch` reads the resource
    itself in the meantime, which no Retry-After is about: a resource that is as it should be ends the
    wait, and is the result. The operation is then asked more rarely, to see whether it failed.

    An answer that is lost or cannot be read leaves the operation where it was, for `patience` seconds. An
    operation that nobody knows any more (404) is told by its resource: one that is there and ready, or
    gone, is the end; Failed is a failure; what still moves is waited for. What the resource cannot tell
    (the answer of an action) has to be asked for once more: `OperationGoneError`.
    """

    def __init__(self, pace: Pace, watch: Watch | None = None, patience: float = 0.0) -> None:
        super().__init__(timeout=0)
        self._pace = pace
        self._watch = watch
        self._patience = patience
        self._seen: Seen | None = None
        self._gone = False
        self._read = False
        self._clock = asyncio.get_running_loop().time
        self._began = self._clock()
        self._troubled: float | None = None

    def resource(self) -> Any:
        """What the operation made, or what the watch saw."""
        return super().resource() if self._seen is None else self._seen.resource

    async def _poll(self) -> None:
        while not self.finished():
            await self._delay()
            if self._seen is None:
                await self._ask_patiently()
            if self._seen is not None:
                self._status = "Succeeded"
                return
        if self.status().lower() != "succeeded":
            raise OperationFailed
        final = None if self._read else self._operation.get_final_get_url(self._pipeline_response)
        if final and self._watch is not None:
            # The resource is what the caller wants to see; the result of an action says less.
            await self._look(self._watch)
        if final and self._seen is None:
            await self._read_result(final)

    async def _read_result(self, url: str) -> None:
        answer = await self.request_status(url)
        status = answer.http_response.status_code
        if status == _NOT_FOUND and self._request.method == "POST":
            raise OperationGoneError("the result of the operation is not known any more")
        self._pipeline_response = answer
        if status not in _FINE:
            raise BadStatus(f"the result of the operation could not be read: HTTP {status}")

    async def _delay(self) -> None:
        clock = self._clock
        pause = self._pace.pause(clock() - self._began)
        wish = 0.0 if self._gone or self._troubled else self._extract_delay()
        cover(wish)
        end = clock() + (wish or (_RARELY * pause if self._watch and not self._gone else pause))
        while self._watch is not None and clock() + pause < end:
            await asyncio.sleep(pause)
            await self._look(self._watch)
            if self._seen is not None:
                return
            pause = self._pace.pause(clock() - self._began)
        await asyncio.sleep(max(0.0, end - clock()))

    def _extract_delay(self) -> float:
        return retry_after(self._pipeline_response.http_response.headers) or 0.0

    async def _look(self, watch: Watch) -> None:
        try:
            there = await watch.get()
            self._seen = Seen(there) if watch.ready(there) else None
        except ResourceNotFoundError:
            # Right after a create call a resource may not be listed yet; the operation will tell.
            self._seen = Seen(None) if watch.until_gone else None
        except (AzureError, *UNREADABLE_ERRORS):
            # Whatever it is, the operation will tell it in full.
            self._watch = None

    async def _ask_patiently(self) -> None:
        """Ask how it stands; an answer that says nothing leaves the operation where it was, for a while."""
        try:
            await (self._ask_elsewhere() if self._gone else self._ask())
        except OperationGoneError:
            raise
        except (AzureError, *UNREADABLE_ERRORS) as error:
            now = self._clock()
            self._troubled = self._troubled or now
            if not is_passing(translated(error, "")) or now - self._troubled >= self._patience:
                raise
        else:
            self._troubled = None

    async def _ask(self) -> None:
        answer = await self.request_status(self._operation.get_polling_url())
        status = answer.http_response.status_code
        self._gone = status == _NOT_FOUND
        if self._gone:
            return
        if status not in _FINE:
            raise HttpResponseError(response=answer.http_response)
        try:
            stands = self._operation.get_status(answer)
        except BadResponse as error:
            raise DecodeError(str(error)) from error
        if not isinstance(stands, str):
            raise DecodeError("the operation's status is no text")
        self._pipeline_response, self._status = answer, stands

    @property
    def _request(self) -> Any:
        return self._initial_response.http_response.request

    async def _ask_elsewhere(self) -> None:
        """How it stands, by the resource; by the operation's result where the request was an action."""
        if self._watch is not None:
            await self._look(self._watch)
            if self._seen is not None:
                return
        action = self._request.method == "POST"
        url = getattr(self._operation, "_location_url", None) if action else self._request.url
        if not url:
            raise OperationGoneError("the operation is not known any more")
        answer = await self.request_status(url)
        status = answer.http_response.status_code
        if status == _NOT_FOUND and self._request.method == "DELETE":
            self._seen = Seen(None)
        elif status == _NOT_FOUND:
            raise OperationGoneError("the operation is not known any more")
        elif status not in _FINE:
            raise HttpResponseError(response=answer.http_response)
        elif action:
            self._status = "InProgress" if status == _ACCEPTED else "Succeeded"
            self._pipeline_response, self._read = answer, True
        else:
            self._judge(answer)

    def _judge(self, answer: Any) -> None:
        """The resource as the operation left it, or as it is while the operation goes on."""
        body = json.loads(answer.http_response.text())
        state = str((body.get("properties") or {}).get("provisioningState") or "Succeeded").lower()
        if state in _FAILED:
            raise OperationGoneError(f"it ended as {state}, and no reason is known any more", again=False)
        if state != "succeeded":
            return
        if self._request.method == "DELETE":
            raise OperationGoneError("the operation is not known any more, and the resource is still there")
        self._status, self._pipeline_response, self._read = "Succeeded", answer, True


def state_of(resource: Any) -> str:
    """The provisioning state of an SDK's model, in lower case; empty when it has none."""
    for holder in (resource, getattr(resource, "properties", None)):
        state = getattr(holder, "provisioning_state", None)
        if state:
            return text(state).lower()
    return ""
