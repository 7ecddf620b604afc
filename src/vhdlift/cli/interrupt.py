"""Ctrl-C: the run is not lost, and the message says both ways on.

An interrupted process stops as a killed one does: nothing is wound up. What the engine needs to go on is in
the database already, and a tidy ending would only keep who interrupts waiting for Azure's answers.
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

    After Ctrl-C the work is left standing where it was, so the process must end at once (`main` does).

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
    """The task of `work`, done; or under way still, when Ctrl-C came first."""
    loop = asyncio.get_running_loop()
    stop = asyncio.Event()
    task, stopped = loop.create_task(work), loop.create_task(stop.wait())
    loop.add_signal_handler(signal.SIGINT, stop.set)
    try:
        await asyncio.wait({task, stopped}, return_when=asyncio.FIRST_COMPLETED)
    finally:
        loop.remove_signal_handler(signal.SIGINT)
        stopped.cancel()
    return task
