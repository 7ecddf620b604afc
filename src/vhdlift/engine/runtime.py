"""What the durable functions need and must not store: settings, database, steps, and who wants to stop.

One per process, because a durable function is found again by its name and can be handed nothing but data.
"""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Awaitable, Callable, Coroutine, Iterator, Mapping, Sequence
from contextlib import AbstractAsyncContextManager, contextmanager, suppress
from dataclasses import dataclass, field
from functools import wraps
from typing import TYPE_CHECKING, Any, Literal, TypeVar

import structlog

from vhdlift import redaction
from vhdlift.engine.database import DatabaseLost
from vhdlift.engine.wakes import Wakes

if TYPE_CHECKING:
    from vhdlift.engine.store import Store
    from vhdlift.settings import Settings
    from vhdlift.steps.base import Step

T = TypeVar("T")
log = structlog.get_logger("vhdlift.engine")

Why = Literal["failed", "cancelled"]
AtWork = tuple[asyncio.AbstractEventLoop, asyncio.Task[Any]]
OpenClients = Callable[["Settings"], AbstractAsyncContextManager[Any]]
LOOK_SECONDS = 1.0


class BrokenOff(BaseException):
    """Work ends in the middle of a durable function, which so has no outcome yet.

    DBOS would keep a bare cancellation as the function's error, and never take it up again; what is no
    `Exception` it keeps nothing of.
    """


def kept_from_history(work: Callable[..., Awaitable[T]]) -> Callable[..., Coroutine[Any, Any, T]]:
    """A part of a durable function that breaks it off when the run database is lost.

    As an error of the part it would be written down as soon as the database is back, and what had gone well
    for hours would be undone.

    Raises:
        BrokenOff: the database is lost.
    """

    @wraps(work)
    async def or_broken_off(*args: Any, **kwargs: Any) -> T:
        try:
            return await work(*args, **kwargs)
        except DatabaseLost as problem:
            log.warning("database_lost", reason=problem.sentence)
            raise BrokenOff from problem

    return or_broken_off


@dataclass
class Runtime:
    """The process's side of its runs.

    Attributes:
        settings: secrets and addresses.
        store: the run database.
        steps: every step that any stored plan may name.
        open_clients: opens Azure's clients for one step.
        inventory: `await inventory(azure, run_id, told)` lists what carries the run's tag, and which of the
            ids in `told` are still there.
        wakes: rings when a run has news.
    """

    settings: Settings
    store: Store
    steps: Mapping[str, Step]
    open_clients: OpenClients
    inventory: Callable[[Any, str, Sequence[str]], Any]
    wakes: Wakes = field(default_factory=Wakes)
    _stops: dict[str, Why] = field(default_factory=dict)
    _allowed: set[str] = field(default_factory=set)
    _own: dict[str, Settings] = field(default_factory=dict)
    _at_work: dict[str, set[AtWork]] = field(default_factory=dict)
    _guard: threading.Lock = field(default_factory=threading.Lock)

    def settings_of(self, run_id: str) -> Settings:
        """The settings that a run works with: its own where it was given any."""
        return self._own.get(run_id, self.settings)

    def give_settings(self, run_id: str, settings: Settings) -> None:
        """Let this run work with settings of its own."""
        self._own[run_id] = settings

    def stop(self, run_id: str, why: Why) -> None:
        """Ask the steps of a run that are under way to end; the first reason counts."""
        self._stops.setdefault(run_id, why)
        self.wakes.ring(run_id)

    def stopping(self, run_id: str) -> Why | None:
        """Why the run is to end, if it is."""
        return self._stops.get(run_id)

    async def until_stopped(self, run_id: str) -> Why:
        """Returns when the run is to end."""
        while True:
            count = self.wakes.count(run_id)
            if (why := self.stopping(run_id)) is not None:
                return why
            await self.wakes.wait(run_id, count, LOOK_SECONDS)

    def allow(self, run_id: str) -> None:
        """This process has the right to work on the run.

        Why it was to end is forgotten: the history tells of a failed step again, the database of a cancel.
        """
        self._stops.pop(run_id, None)
        self._allowed.add(run_id)

    @contextmanager
    def at_work(self, run_id: str) -> Iterator[None]:
        """Note that the current task is a durable function of this run, for `break_off`.

        Raises:
            BrokenOff: this process has no right to work on the run, or has lost it.
        """
        if run_id not in self._allowed:
            raise BrokenOff
        task = asyncio.current_task()
        assert task is not None
        entry = asyncio.get_running_loop(), task
        with self._guard:
            self._at_work.setdefault(run_id, set()).add(entry)
        try:
            with redaction.owned_by(run_id):
                yield
        finally:
            with self._guard:
                self._at_work[run_id].discard(entry)

    def is_at_work(self, run_id: str) -> bool:
        """Whether a durable function of this run is being carried out in this process."""
        with self._guard:
            return bool(self._at_work.get(run_id))

    def break_off(self, run_id: str) -> None:
        """Leave everything that is under way for this run where it stands, as if the process had died.

        Nothing of it begins here any more until the process is allowed to.
        """
        self._allowed.discard(run_id)
        with self._guard:
            entries = list(self._at_work.get(run_id, ()))
        for loop, task in entries:
            with suppress(RuntimeError):
                loop.call_soon_threadsafe(task.cancel)

    def forget(self, run_id: str) -> None:
        """Nothing of this run happens here any more."""
        self._allowed.discard(run_id)
        self._stops.pop(run_id, None)
        self._own.pop(run_id, None)
        redaction.let_go(run_id)
        self.wakes.forget(run_id)
        with self._guard:
            if not self._at_work.get(run_id):
                self._at_work.pop(run_id, None)


_current: list[Runtime] = []


def install(runtime: Runtime) -> None:
    """Make this the process's runtime."""
    _current[:] = [runtime]


def remove() -> None:
    """Leave the process without one."""
    _current.clear()


def installed() -> bool:
    """Whether the process has a runtime."""
    return bool(_current)


def current() -> Runtime:
    """The process's runtime; a durable function runs only while there is one."""
    return _current[0]
