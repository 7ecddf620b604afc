"""The agent: one phase after the other, each tried up to three times, all of it told."""

from __future__ import annotations

import asyncio
import time
from contextlib import asynccontextmanager, suppress
from typing import TYPE_CHECKING

from armlocal.guest import phases, services, shrink
from armlocal.guest.errors import PhaseError
from armlocal.guest.telling import Job, Teller
from armlocal.guest.wire import Wire
from armlocal.guest.work import Skipped, Work
from fixedvhd import DiskError

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Awaitable, Callable
    from pathlib import Path

    import httpx

    from armlocal.guest.values import Values
    from armlocal.guest.wishes import Wish, Wishes

    PhaseWork = Callable[[Work], Awaitable[str]]

ATTEMPTS = 3
HEARTBEAT = 20.0
"""Seconds at scale 1 between two reports of a phase that takes long."""
_LEAST_HEARTBEAT = 0.1
_PAUSE = 30.0

_PHASES: tuple[tuple[str, PhaseWork, float], ...] = (
    ("preflight", phases.preflight, 2.0),
    ("tools", phases.tools, 2.0),
    ("hyperv", services.hyperv, 0.0),
    ("download", phases.download, 60.0),
    ("verify_source", phases.verify_source, 2.0),
    ("inspect", shrink.inspect, 2.0),
    ("clean", shrink.clean, 2.0),
    ("shrink", shrink.shrink, 5.0),
    ("usb_prep", phases.usb_prep, 2.0),
    ("finalize_vhd", shrink.finalize_vhd, 2.0),
    ("verify_result", phases.verify_result, 20.0),
    ("upload", phases.upload, 60.0),
    ("services", services.services, 0.0),
    ("finish", phases.finish, 2.0),
)


class Agent:
    """The guest's program on one machine, for one run."""

    def __init__(
        self, client: httpx.AsyncClient, values: Values, job: Job, folder: Path, wishes: Wishes, vm_id: str
    ) -> None:
        self._values = values
        self._job = job
        self._folder = folder
        self._wishes = wishes
        self._vm_id = vm_id
        self._wire = Wire(client, values)
        self._teller = Teller(client, self._wire, values, job)

    async def bootstrap(self) -> None:
        """What runs inside the extension.

        Raises:
            PhaseError: it was asked to fail.
        """
        began = time.monotonic()
        self._folder.mkdir(parents=True, exist_ok=True)
        await self._teller.tell("bootstrap", "started", "the setup script runs")
        try:
            await self._suffer(self._wishes.take("bootstrap", self._vm_id))
        except PhaseError as error:
            await self._teller.tell("bootstrap", "failed", str(error))
            raise
        if "bootstrap" not in self._job.done:
            self._job.close("bootstrap", "done", time.monotonic() - began)
        await self._teller.tell("bootstrap", "done", "the agent works on as a scheduled task")

    async def run(self) -> None:
        """All phases that are not done yet, until the last one or until one has failed for good."""
        for name, work, least in _PHASES:
            if name not in self._job.done and not await self._phase(name, work, least):
                break
        await self._teller.finish()

    async def _phase(self, name: str, do: PhaseWork, least: float) -> bool:
        """Whether the phase is done."""
        for attempt in range(1, ATTEMPTS + 1):
            self._job.attempts[name] = attempt
            await self._teller.tell(name, "started", f"attempt {attempt} of {ATTEMPTS}")
            began = time.monotonic()
            try:
                message = await self._attempt(name, do, least)
            except PhaseError as error:
                if error.final or attempt == ATTEMPTS:
                    self._job.close(name, "failed", time.monotonic() - began)
                    await self._teller.tell(name, "failed", str(error))
                    return False
                await self._teller.tell(name, "progress", f"attempt {attempt} of {ATTEMPTS} failed: {error}")
                await asyncio.sleep(_PAUSE * attempt * self._values.scale)
                continue
            state = "skipped" if isinstance(message, Skipped) else "done"
            self._job.close(name, state, time.monotonic() - began)
            await self._teller.tell(name, state, message)
            return True
        return False

    async def _attempt(self, name: str, do: PhaseWork, least: float) -> str:
        wish = self._wishes.take(name, self._vm_id)
        lies = wish is not None and wish.kind == "lie"
        work = Work(
            values=self._values,
            wire=self._wire,
            folder=self._folder,
            facts=self._job.facts,
            least=least,
            lies=lies,
            probe=self._teller.write_last,
            began=time.monotonic(),
        )
        await self._suffer(wish, work)
        work.began = time.monotonic()
        async with self._heartbeat(name, work):
            try:
                message = await do(work)
            except (DiskError, OSError) as error:
                raise PhaseError(str(error), final=isinstance(error, DiskError)) from None
            await work.wait_for()
        if name == "upload":
            await phases.send_manifest(work, self._job)
        return message

    async def _suffer(self, wish: Wish | None, work: Work | None = None) -> None:
        """What was wished for happens, before the phase's own work."""
        if wish is None or wish.kind == "lie":
            return
        if wish.kind == "fail":
            raise PhaseError(wish.message, final=wish.final)
        if wish.kind == "silent":
            await asyncio.Event().wait()
        if work is None:
            await asyncio.sleep(wish.seconds * self._values.scale)
            return
        async with self._heartbeat(wish.phase, work):
            await asyncio.sleep(wish.seconds * self._values.scale)

    @asynccontextmanager
    async def _heartbeat(self, name: str, work: Work) -> AsyncIterator[None]:
        """While inside, the phase is told about now and then; a report that was begun is ended."""
        over = asyncio.Event()
        task = asyncio.create_task(self._beat(name, work, over))
        try:
            yield
        finally:
            over.set()
            await task

    async def _beat(self, name: str, work: Work, over: asyncio.Event) -> None:
        pause = max(_LEAST_HEARTBEAT, HEARTBEAT * self._values.scale)
        while True:
            with suppress(TimeoutError):
                await asyncio.wait_for(over.wait(), pause)
            if over.is_set():
                return
            await self._teller.tell(name, "progress", work.sentence(), work.done, work.total)
