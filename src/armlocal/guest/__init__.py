"""The guest double: what would happen inside the target machine, on real bytes and over real HTTPS.

It stands in for the CustomScriptExtension's handler, which fetches the script by its SAS, and for the
program in that script, whose phases it does as the PowerShell would. A machine that is stopped or deleted
takes its guest with it.
"""

from __future__ import annotations

import asyncio
import hashlib
import logging
import shutil
from typing import TYPE_CHECKING, Any

import httpx
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from armlocal.guest.agent import Agent
from armlocal.guest.errors import PhaseError, ScriptError
from armlocal.guest.handler import HandlerError, download, failed_command, read_settings, script_of
from armlocal.guest.telling import Job
from armlocal.guest.values import read_head
from armlocal.guest.wishes import Wishes, read_wish
from armlocal.parts import CommandResult, ExtensionResult

if TYPE_CHECKING:
    import ssl
    from collections.abc import Callable
    from pathlib import Path

    from starlette.requests import Request

    from armlocal.state import Resource

__all__ = ["GuestDouble"]
log = logging.getLogger(__name__)

_HANDLER_SECONDS = 90 * 60.0
"""The service gives an extension 90 minutes; at small scales `_LEAST_SECONDS` are added for real bytes."""
_LEAST_SECONDS = 10.0
_LOG = r"C:\ProgramData\vhdlift\agent.log"
_TOO_LONG = (
    "Provisioning of VM extension has timed out. Extension provisioning has taken too long to complete. The "
    "extension did not report a message."
)


class GuestDouble:
    """The guests of all machines, by the lower-case id of the VM."""

    def __init__(self, folder: Path, trust: ssl.SSLContext, scale: Callable[[], float]) -> None:
        """A double.

        Args:
            folder: for the guests' disks.
            trust: what its requests trust.
            scale: the stand-in's time scale now; a script brings its own.
        """
        self.wishes = Wishes()
        self._folder = folder
        self._scale = scale
        self._jobs: dict[str, Job] = {}
        self._agents: dict[str, Agent] = {}
        self._running: dict[str, asyncio.Task[None]] = {}
        self._client = httpx.AsyncClient(verify=trust, trust_env=False, timeout=60)
        # At its usual level this logger writes down every address, signatures included.
        logging.getLogger("httpx").setLevel(logging.WARNING)

    async def run_extension(
        self, vm: Resource, settings: dict[str, Any], protected_settings: dict[str, Any]
    ) -> ExtensionResult:
        """Does what the handler does; returns when the script's bootstrap is over."""
        try:
            command = read_settings(settings, protected_settings)
            async with asyncio.timeout(_HANDLER_SECONDS * self._scale() + _LEAST_SECONDS):
                files = await download(self._client, command.uris, self._scale())
                agent = await self._bootstrap(vm, script_of(command, files))
        except HandlerError as error:
            return ExtensionResult(ok=False, message=str(error))
        except TimeoutError:
            return ExtensionResult(ok=False, message=_TOO_LONG)
        except PhaseError as error:
            stdout = f"bootstrap failed: {error}"
            return ExtensionResult(ok=False, stdout=stdout, message=str(failed_command("")))
        self._start(vm.key, agent)
        return ExtensionResult(ok=True, stdout="the agent works on as a scheduled task")

    async def run_command(self, vm: Resource, script: str) -> CommandResult:
        """Does what a script does with the guest's own files; there is no PowerShell for anything else."""
        agent = self._agents.get(vm.key)
        if "agent.ps1" in script and "-Resume" in script:
            return self._resume(vm.key, agent)
        if "agent.log" not in script:
            return CommandResult(1, error="there is no PowerShell on a stand-in")
        if agent is None:
            return CommandResult(1, error=f"Cannot find path '{_LOG}' because it does not exist.")
        return CommandResult(0, "\r\n".join(self._jobs[vm.key].log) + "\r\n")

    def _resume(self, vm_id: str, agent: Agent | None) -> CommandResult:
        if agent is None:
            return CommandResult(1, error="The argument to the -File parameter does not exist.")
        task = self._running.get(vm_id)
        if task is not None and not task.done():
            return CommandResult(0, "the agent is at work: nothing to resume\r\n")
        if "finish" in self._jobs[vm_id].done:
            return CommandResult(1, "the work is done: nothing to resume\r\n")
        self._jobs[vm_id].attempts.clear()
        self._start(vm_id, agent)
        return CommandResult(0, "the agent works again\r\n")

    async def stop(self, vm_id: str) -> None:
        """The machine is off or gone: whatever runs on it ends."""
        task = self._running.pop(vm_id.lower(), None)
        if task is not None:
            task.cancel()
            await asyncio.wait([task])

    async def ended(self, vm_id: str) -> None:
        """Waits until the guest's program has come to its end by itself."""
        task = self._running.get(vm_id.lower())
        if task is not None:
            await asyncio.wait([task])

    async def reset(self) -> None:
        """Ends everything on all machines, and every wish."""
        for vm_id in list(self._running):
            await self.stop(vm_id)
        self._jobs.clear()
        self._agents.clear()
        self.wishes.all.clear()
        shutil.rmtree(self._folder, ignore_errors=True)

    async def close(self) -> None:
        """Ends everything, for good."""
        await self.reset()
        await self._client.aclose()

    def routes(self) -> list[Route]:
        """The knob under `/_control/`."""
        return [Route("/_control/guest", self._control, methods=["GET", "POST", "DELETE"])]

    async def _bootstrap(self, vm: Resource, script: bytes) -> Agent:
        """Runs the part of the script that the extension waits for.

        Raises:
            HandlerError: PowerShell could not run it.
            PhaseError: it ran, and failed.
        """
        try:
            values = read_head(script)
        except ScriptError as error:
            raise failed_command(str(error)) from None
        await self.stop(vm.key)
        job = self._jobs.get(vm.key)
        if job is None or job.run_id != values["RUN_ID"]:
            job = self._jobs[vm.key] = Job(values["RUN_ID"])
        folder = self._folder / f"{vm.name}-{hashlib.sha256(vm.key.encode()).hexdigest()[:8]}"
        agent = Agent(self._client, values, job, folder, self.wishes, vm.key)
        await agent.bootstrap()
        return agent

    def _start(self, vm_id: str, agent: Agent) -> None:
        task = asyncio.create_task(agent.run(), name=f"guest of {vm_id}")
        self._running[vm_id], self._agents[vm_id] = task, agent
        task.add_done_callback(_log_failure)

    async def _control(self, request: Request) -> Response:
        if request.method == "POST":
            try:
                given = await request.json()
                rows = given if isinstance(given, list) else [given]
                self.wishes.all += [read_wish(row) for row in rows]
            except (ValueError, TypeError, AttributeError) as error:
                return JSONResponse({"error": str(error)}, 400)
        elif request.method == "DELETE":
            self.wishes.all.clear()
        return JSONResponse([vars(wish) for wish in self.wishes.all])


def _log_failure(task: asyncio.Task[None]) -> None:
    if not task.cancelled() and task.exception() is not None:
        log.error("the guest double broke: %r", task.exception())
