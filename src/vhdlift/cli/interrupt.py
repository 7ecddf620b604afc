"""Ctrl-C: the run is not lost, and the message says both ways on.

The first Ctrl-C parks the run: the database notes that it waits for its user, and the steps under way are
left where they stand. The second ends the process at once, as a kill does; what the engine needs to go on is
in the database already.
"""

from __future__ import annotations

import asyncio
import signal
from typing import TYPE_CHECKING, Any, TypeVar

from vhdlift.errors import ExitCode, VhdliftError

if TYPE_CHECKING:
    from collections.abc import Coroutine

T = TypeVar("T")


class Interrupted(VhdliftError):
    """The user, or the pipeline, stopped this command while a run was under way."""

    exit_code = ExitCode.INTERRUPTED


def run_unless_interrupted(work: Coroutine[Any, Any, T], run_id: str) -> T:
    """The result of `work`, in an event loop of its own.

    The first Ctrl-C cancels it, the second leaves it standing, so the process must end at once (`main` does).

    Args:
        work: what to wait for.
        run_id: the run that `work` works on.

    Raises:
        Interrupted: Ctrl-C; the hint names the ways on.
    """
    loop = asyncio.new_event_loop()
    result = loop.run_until_complete(_first(work))
    if result.cancelled() or not result.done():
        raise interrupted(run_id)
    loop.run_until_complete(loop.shutdown_asyncgens())
    loop.run_until_complete(loop.shutdown_default_executor())
    loop.close()
    return result.result()


def interrupted(run_id: str) -> Interrupted:
    """What to say when `run_id` was under way."""
    return Interrupted(
        f"Interrupted: run {run_id} is not finished.",
        f"Go on with `vhdlift resume {run_id}`, or end it with `vhdlift cancel {run_id}`.",
    )


async def _first(work: Coroutine[Any, Any, T]) -> asyncio.Task[T]:
    """The task of `work`, done or cancelled; or under way still, when Ctrl-C came twice."""
    loop = asyncio.get_running_loop()
    at_once = asyncio.Event()
    task, stopped = loop.create_task(work), loop.create_task(at_once.wait())

    def interrupt() -> None:
        if task.cancelling():
            at_once.set()
        task.cancel()

    loop.add_signal_handler(signal.SIGINT, interrupt)
    try:
        await asyncio.wait({task, stopped}, return_when=asyncio.FIRST_COMPLETED)
    finally:
        loop.remove_signal_handler(signal.SIGINT)
        stopped.cancel()
    return task
