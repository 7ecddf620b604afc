"""The one place that awaits Azure.

`finished` awaits a long operation, `asked` a plain call, `found` a GET that may find nothing, `listed`
a list. All of them wait for a busy resource, or for the network, and turn the SDK's errors into ours::

    vm = await finished(
        azure.compute.virtual_machines.begin_create_or_update, group, name, body,
        what="creating the VM lab1", kind="vm_create", scale=azure.scale)
    there = await found(
        azure.compute.virtual_machines.get, group, name, what="reading the VM lab1", scale=azure.scale)

Polling looks early, then backs off to a small share of the time that such an operation takes, and never
asks sooner than the service said (Retry-After). Operations of a kind share a deadline, so none is awaited
for ever.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, TypeVar

from azure.core.exceptions import AzureError, DecodeError, HttpResponseError, ResourceNotFoundError

from vhdlift.azure.failures import UNREADABLE_ERRORS, is_busy, is_web_page, translated
from vhdlift.azure.patience import LONGEST_RETRY_AFTER, Call, awaiting, retry_after, spoken
from vhdlift.azure.polling import KINDS, Kind, KindName, Pace, Polling, Watch
from vhdlift.errors import AzureRefused, TookTooLong

if TYPE_CHECKING:
    from collections.abc import AsyncIterable, AsyncIterator, Awaitable

    from azure.core.polling import AsyncLROPoller

T = TypeVar("T")

_SHORTEST_DEADLINE = 10.0
_LAST_ANSWER = 30.0
_RIGHT_KINDS: dict[str, Callable[[Any], bool]] = {
    "id": lambda value: isinstance(value, str),
    "tags": lambda value: isinstance(value, Mapping),
    "properties": lambda value: not isinstance(value, str | int | float | list),
}


async def finished(
    begin: Callable[..., Awaitable[AsyncLROPoller[T]]],
    *args: Any,
    what: str,
    kind: KindName,
    scale: float,
    watch: Watch | None = None,
    **kwargs: Any,
) -> T:
    """Start a long operation with an SDK's `begin_*` method and await its end.

    Args:
        begin: the SDK method; it is called with `args`, `kwargs` and our `polling`.
        *args: its arguments. It may be called again when the resource is busy.
        what: what is being done, as an error's sentence begins: `creating the VM lab1`.
        kind: which deadline and pace apply, see `KINDS`.
        scale: `Azure.scale`; multiplies our waits and deadlines.
        watch: sees the end by the resource itself, for services that ask for long delays.
        **kwargs: its named arguments.

    Raises:
        AzureRefused, NotAllowed, SignInNeeded: what Azure answered, or how the operation failed.
        TookTooLong: the deadline of the kind passed; says the last known state.
    """

    async def once(state: _State) -> T:
        polling = Polling(Pace(KINDS[kind].typical, scale), watch, KINDS[kind].patience * scale)
        state.polling, state.call.begun = polling, False
        poller = await _unbroken(begin(*args, polling=polling, **kwargs))
        state.call.begun = True
        return _sound(await poller.result())

    return await _patiently(once, what, KINDS[kind], scale)


async def asked(
    call: Callable[..., Awaitable[T]],
    *args: Any,
    what: str,
    scale: float,
    kind: KindName = "call",
    **kwargs: Any,
) -> T:
    """Await a plain call of an SDK, with the same errors and the same patience as `finished`.

    Raises:
        AzureRefused, NotAllowed, SignInNeeded, TookTooLong: as in `finished`.
    """

    async def once(_state: _State) -> T:
        return _sound(await _unbroken(call(*args, **kwargs)))

    return await _patiently(once, what, KINDS[kind], scale)


async def found(
    get: Callable[..., Awaitable[T]],
    *args: Any,
    what: str,
    scale: float,
    kind: KindName = "call",
    **kwargs: Any,
) -> T | None:
    """What a GET finds, or None when Azure says 404; any other answer is an error, never a guess.

    A 404 in the shape of a web page is not Azure's.

    Raises:
        AzureRefused, NotAllowed, SignInNeeded, TookTooLong: as in `finished`.
    """

    async def once(_state: _State) -> T | None:
        try:
            return _sound(await get(*args, **kwargs))
        except ResourceNotFoundError as error:
            if is_web_page(error):
                raise
            return None

    return await _patiently(once, what, KINDS[kind], scale)


async def listed(
    pages: Callable[..., AsyncIterable[T]],
    *args: Any,
    what: str,
    scale: float,
    kind: KindName = "call",
    **kwargs: Any,
) -> list[T]:
    """Everything that a list method yields, all pages; after a page that fails, all from the first again.

    Raises:
        AzureRefused, NotAllowed, SignInNeeded, TookTooLong: as in `finished`.
    """

    async def once(_state: _State) -> list[T]:
        items = [_sound(item) async for item in pages(*args, **kwargs)]
        if any(item is None for item in items):
            raise DecodeError("a list has an entry that is nothing")
        return items

    return await _patiently(once, what, KINDS[kind], scale)


async def until(
    look: Callable[[], Awaitable[T | None]],
    *,
    what: str,
    scale: float,
    kind: KindName = "call",
    typical: float | None = None,
) -> T:
    """Look until there is something: the first answer of `look` that is not None.

    For what has no operation to poll, such as a resource that another process is changing.

    Raises:
        TookTooLong: nothing until the deadline of the kind.
        VhdliftError: what `look` raises.
    """
    loop = asyncio.get_running_loop()
    began = loop.time()
    pace = Pace(KINDS[kind].typical if typical is None else typical, scale)
    deadline = _deadline(KINDS[kind], scale)
    with awaiting(what, scale) as call:
        while True:
            answer = await look()
            if answer is not None:
                return answer
            elapsed = loop.time() - began - call.asked
            if elapsed > deadline:
                raise TookTooLong(f"{what} took longer than {spoken(deadline + call.asked)}")
            await asyncio.sleep(pace.pause(elapsed))


@dataclass
class _State:
    """What is being waited for right now, for the sentence of a passed deadline."""

    call: Call
    polling: Polling | None = None
    busy: str = ""

    def spoken(self) -> str:
        if self.busy:
            return f"the last answer was: {self.busy}"
        try:
            return f"its last state was {self.polling.status()}" if self.polling else "Azure gave no answer"
        except (AttributeError, ValueError):
            return "Azure gave no answer"


async def _patiently(once: Callable[[_State], Awaitable[T]], what: str, kind: Kind, scale: float) -> T:
    """Run `once`, again while the resource is busy or out of reach, within patience and deadline.

    Patience begins with the first refusal, and not while an operation was still going well.
    """
    loop = asyncio.get_running_loop()
    refused: float | None = None
    deadline = _deadline(kind, scale)
    pace = Pace(kind.typical, scale)
    async with _limit(what, scale, deadline) as state:
        while True:
            try:
                return await once(state)
            except (AzureError, *UNREADABLE_ERRORS) as error:
                refusal = translated(error, what)
                now = loop.time() - state.call.asked
                refused = now if refused is None else refused
                waited = now - refused
                left = kind.patience * scale - waited
                wish = _wish(error)
                helps = is_busy(refusal, deleting=kind.deletes, insisting=kind.insists, creating=kind.creates)
                if left <= 0 or not helps or wish > LONGEST_RETRY_AFTER:
                    raise refusal from error
                assert isinstance(refusal, AzureRefused)
                state.busy = refusal.sentence
                if wish:
                    await state.call.obey(wish, f"{refusal.status} {refusal.code}")
                else:
                    await state.call.busy(waited, left, refusal.sentence, refusal.code)
                await asyncio.sleep(wish or pace.pause(waited))


@asynccontextmanager
async def _limit(what: str, scale: float, deadline: float) -> AsyncIterator[_State]:
    """A deadline that waits at the service's own wish put off.

    Raises:
        TookTooLong: it struck; says the last known state.
    """
    try:
        async with asyncio.timeout(deadline) as limit:
            with awaiting(what, scale, limit) as call:
                state = _State(call)
                yield state
    except TimeoutError as error:
        if not limit.expired():
            raise
        all_told = spoken(deadline + call.asked)
        raise TookTooLong(f"{what} took longer than {all_told}; {state.spoken()}") from error


def _sound(answer: T) -> T:
    """The answer, if what all resources have is of the right kind in it: the SDKs take it as it comes.

    Raises:
        DecodeError: it is not.
    """
    for name, right in _RIGHT_KINDS.items():
        value = getattr(answer, name, None)
        if value is not None and not right(value):
            raise DecodeError(f"its {name} is of the wrong kind")
    return answer


async def _unbroken(request: Awaitable[T]) -> T:
    """Await a request that changes something; when we are cancelled, still see how it ended.

    A request that was sent and then abandoned may create its resource after an undo has looked and
    found nothing, so the cancellation waits for the answer, for `_LAST_ANSWER` seconds at most.
    """
    sent = asyncio.ensure_future(request)
    try:
        return await asyncio.shield(sent)
    except asyncio.CancelledError:
        await asyncio.wait({sent}, timeout=_LAST_ANSWER)
        sent.cancel()
        raise


def _deadline(kind: Kind, scale: float) -> float:
    return max(kind.deadline * scale, min(_SHORTEST_DEADLINE, kind.deadline / 60))


def _wish(error: Exception) -> float:
    """Seconds that the service asked for in an error's headers; 0 for none."""
    response = error.response if isinstance(error, HttpResponseError) else None
    return retry_after(getattr(response, "headers", {})) or 0.0
