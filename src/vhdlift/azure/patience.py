"""For how long Azure is waited for, and who is told of it: every number of patience is here or in `KINDS`.

Times are seconds at scale 1 (`time_scale`), but for what the service itself asks for: that is never scaled.

| what happens | what we do |
|---|---|
| 408, 429, 500, 502, 503, 504, a lost connection, silence | the request again, `TRIES` times, in 91 s |
| an answer asks for a wait (Retry-After) | that wait, in place of the usual pause |
| all of that in vain, or a busy resource | the call again, for 5 minutes (deletions: 10; `Kind.patience`) |
| an operation cannot be asked about | asked again as long; the operation goes on meanwhile |
| an operation or a call does not end | given up at `Kind.deadline`, which throttling puts off |
| a token is not accepted | one new token, and the request once more |
| no token, and this process has had none | an error at once: the user is not signed in |
| no token, and this process has had one | as a lost connection |
| locked, not allowed, a longer Retry-After | an error at once |
| wrong certificate, other host, answer too large | an error at once |

Who wants to hear of waits (`heard_by`) is told of those that are worth telling, each once.
"""

from __future__ import annotations

import asyncio
from contextlib import contextmanager
from contextvars import ContextVar
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Generator, Mapping

    Listener = Callable[[str, dict[str, Any]], Awaitable[None]]

TRIES = 8
"""Tries of one request after the first."""

BACKOFF, LONGEST_BACKOFF = 0.5, 30.0
"""The first pause between tries, doubled each time, and the longest."""

READ_SECONDS, LEAST_READ_SECONDS = 120.0, 20.0
"""Silence after which an answer is given up; the second is the least at any scale."""

LONGEST_RETRY_AFTER = 15 * 60.0
"""Seconds of a service's Retry-After that are still obeyed; a longer one is an error at once."""

LONGEST_EXTENSION = 60 * 60.0
"""Seconds by which the waits that the service asks for put off one call's deadline, in all."""

WORTH_TELLING = 20.0
"""Waits shorter than this are not told."""

_MARGIN = 1.0

_LISTENER: ContextVar[Listener | None] = ContextVar("who hears of waits", default=None)
_CALL: ContextVar[Call | None] = ContextVar("the call that is being awaited", default=None)


@contextmanager
def heard_by(listener: Listener) -> Generator[None, None, None]:
    """Until the block ends, tell `listener` of each long wait: a sentence and details.

    The details are `waiting_seconds`, the seconds still to wait (at most), and `code`, the reason.
    """
    token = _LISTENER.set(listener)
    try:
        yield
    finally:
        _LISTENER.reset(token)


class Call:
    """One call that is being awaited: what for, and what the service asked for meanwhile.

    Attributes:
        what: what is being done: `creating the VM lab1`.
        begun: the service took the request; what is asked now is how it stands.
        asked: seconds of waits that the service asked for so far.
    """

    def __init__(self, what: str, scale: float, limit: asyncio.Timeout | None = None) -> None:
        self.what = what
        self.begun = False
        self.asked = 0.0
        self._scale = scale
        self._limit = limit
        self._outer = _CALL.get()
        self._wishes = 0
        self._covered = False
        self._busy: set[str] = set()

    async def obey(self, seconds: float, reason: str) -> None:
        """The service asks for a wait: put the deadline off, and tell. The caller waits.

        Args:
            seconds: how long.
            reason: status and code: `429 TooManyRequests`.
        """
        self.put_off(seconds)
        if seconds < WORTH_TELLING * self._scale:
            return
        self._wishes += 1
        again = " again" if self._wishes > 1 else ""
        when = "while" if self.begun else "before"
        said = f"Azure asks{again} to wait {spoken(seconds)} {when} {self.what} ({reason})"
        more = {"times": self._wishes} if again else {}
        await _tell(said, {"waiting_seconds": _whole(seconds), "code": reason.rpartition(" ")[2], **more})

    async def busy(self, waited: float, left: float, sentence: str, code: str) -> None:
        """The call could not be done so far; told once for each reason, when it has lasted a while.

        Args:
            waited: seconds so far.
            left: seconds for which it will still be tried.
            sentence: what the service said.
            code: its code.
        """
        if waited < WORTH_TELLING * self._scale or code in self._busy:
            return
        self._busy.add(code)
        said = f"Waiting for Azure, for {spoken(left)} at most: {sentence}"
        await _tell(said, {"waiting_seconds": _whole(left), "code": code})

    def cover(self, seconds: float) -> None:
        """Put the deadline off if it would strike within so many seconds; once, for one last look.

        An operation that never ends asks for a wait with every answer.
        """
        if self._covered:
            return
        when = self._limit.when() if self._limit is not None else None
        missing = asyncio.get_running_loop().time() + seconds + _MARGIN - when if when is not None else 0.0
        if seconds and missing > 0:
            self._covered = True
            self.put_off(missing)

    def end(self) -> None:
        """Let go of the deadline, and with it of the task and its result.

        Timers and connections that were made during the call keep its context, and so the call, for minutes.
        """
        self._limit = None

    def put_off(self, seconds: float) -> None:
        """Put the deadline off, that of an enclosing wait too."""
        more = min(seconds, LONGEST_EXTENSION - self.asked)
        if more > 0:
            self.asked += more
            when = self._limit.when() if self._limit is not None and not self._limit.expired() else None
            if self._limit is not None and when is not None:
                self._limit.reschedule(when + more)
        if self._outer is not None:
            self._outer.put_off(seconds)


@contextmanager
def awaiting(what: str, scale: float, limit: asyncio.Timeout | None = None) -> Generator[Call, None, None]:
    """The call that waits in this block belong to.

    Args:
        what: as in `Call`.
        scale: multiplies `WORTH_TELLING`.
        limit: the deadline that waits put off.
    """
    call = Call(what, scale, limit)
    token = _CALL.set(call)
    try:
        yield call
    finally:
        _CALL.reset(token)
        call.end()


async def asked_to_wait(seconds: float, reason: str) -> None:
    """As `Call.obey`, for the call that is being awaited here, if there is one."""
    call = _CALL.get()
    if call is not None:
        await call.obey(seconds, reason)


def cover(seconds: float) -> None:
    """The service wants to be asked again in so many seconds: no deadline is to strike before."""
    call = _CALL.get()
    if call is not None and seconds <= LONGEST_RETRY_AFTER:
        call.cover(seconds)


def retry_after(headers: Mapping[str, str]) -> float | None:
    """Seconds that an answer's headers ask to wait, or None; what cannot be read asks for nothing.

    A date is compared with the answer's own, so that a wrong clock of ours does not matter.
    """
    lower = {str(name).lower(): str(value).strip() for name, value in headers.items()}
    for name, unit in (("retry-after", 1.0), ("retry-after-ms", 0.001), ("x-ms-retry-after-ms", 0.001)):
        seconds = _seconds(lower.get(name, ""), lower.get("date", ""))
        if seconds is not None:
            return seconds * unit
    return None


def _seconds(value: str, now: str) -> float | None:
    try:
        seconds = float(value)
    except ValueError:
        then, today = date_of(value), date_of(now) or datetime.now(UTC)
        return max(0.0, (then - today).total_seconds()) if then is not None else None
    return max(0.0, seconds) if seconds == seconds else None  # noqa: PLR0124 - not a number


def date_of(value: str) -> datetime | None:
    """The time that an HTTP header tells, or None."""
    try:
        date = parsedate_to_datetime(value)
    except (ValueError, TypeError):
        return None
    return date if date.tzinfo is not None else date.replace(tzinfo=UTC)


def spoken(seconds: float) -> str:
    """A time in words, as long as people say it: `5 minutes`, `90 seconds`."""
    minutes = round(seconds / 60)
    if minutes > 1 and seconds >= 2 * 60:
        return f"{minutes} minutes"
    return "1 second" if _whole(seconds) == 1 else f"{_whole(seconds)} seconds"


def _whole(seconds: float) -> int:
    return max(1, round(seconds))


async def _tell(said: str, details: dict[str, Any]) -> None:
    listener = _LISTENER.get()
    if listener is not None:
        await listener(said, details)
