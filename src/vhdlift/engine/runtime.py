"""What the durable functions need and must not store: settings, database, steps, and who wants to stop.

One per process, because a durable function is found again by its name and can be handed nothing but data.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Literal

if TYPE_CHECKING:
    from vhdlift.engine.store import Store
    from vhdlift.settings import Settings
    from vhdlift.steps.base import Step

Why = Literal["failed", "cancelled"]
OpenClients = Callable[["Settings"], AbstractAsyncContextManager[Any]]
LOOK_SECONDS = 0.1


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
    """

    settings: Settings
    store: Store
    steps: Mapping[str, Step]
    open_clients: OpenClients
    inventory: Callable[[Any, str, Sequence[str]], Any]
    _stops: dict[str, Why] = field(default_factory=dict)

    def stop(self, run_id: str, why: Why) -> None:
        """Ask the steps of a run that are under way to end; the first reason counts."""
        self._stops.setdefault(run_id, why)

    def stopping(self, run_id: str) -> Why | None:
        """Why the run is to end, if it is."""
        return self._stops.get(run_id)

    async def until_stopped(self, run_id: str) -> Why:
        """Returns when the run is to end."""
        # The one who asks lives in another event loop than the steps, so there is no event to wait for.
        while (why := self.stopping(run_id)) is None:  # noqa: ASYNC110
            await asyncio.sleep(LOOK_SECONDS)
        return why


_current: list[Runtime] = []


def install(runtime: Runtime) -> None:
    """Make this the process's runtime."""
    _current[:] = [runtime]


def remove() -> None:
    """Leave the process without one."""
    _current.clear()


def current() -> Runtime:
    """The process's runtime; a durable function runs only while there is one."""
    return _current[0]
