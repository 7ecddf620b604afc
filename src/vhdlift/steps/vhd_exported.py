"""Follows the program on the target VM through the files it writes beside the artefact.

Nothing has to reach the VM from outside, and the VM has to reach nothing but the storage account.
"""

from __future__ import annotations

import asyncio
import time
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from vhdlift.azure.artefact import open_container, read_report
from vhdlift.azure.failures import NO_CONNECTION
from vhdlift.azure.power import power_code
from vhdlift.azure.waiting import found
from vhdlift.errors import AzureRefused, GuestFailed, Leftover, TookTooLong, VhdliftError
from vhdlift.steps.guest_report import LIMIT_BYTES, Manifest, Progress, clean, read_manifest, read_progress
from vhdlift.steps.vm_created import virtual_machine

if TYPE_CHECKING:
    from collections.abc import Sequence

    from vhdlift.azure.artefact import Container
    from vhdlift.steps.base import Context, Made

_LEAST_HOURS, _PASSES, _SLOWEST_BYTES_PER_SECOND = 6, 3, 20e6


class VhdExported:
    """Done when the manifest of this run is there, which the guest uploads last."""

    name = "vhd_exported"
    title = "Follow the export on the VM"
    needs = ("setup_extension_installed",)

    def __init__(
        self, look_seconds: float = 10.0, silence_seconds: float = 15 * 60.0, least_seconds: float = 30.0
    ) -> None:
        """Waits, in seconds at scale 1.

        Args:
            look_seconds: between two looks.
            silence_seconds: without a word from the guest, before its VM is looked at.
            least_seconds: no wait for the guest is shorter, whatever the scale: its bytes are real.
        """
        self._look_seconds = look_seconds
        self._silence_seconds = silence_seconds
        self._least_seconds = least_seconds

    async def do(self, c: Context) -> Made:
        """Tell each change of the guest's progress until its result is there.

        Raises:
            GuestFailed: the guest gave up, or fell silent; the sentence says where.
            TookTooLong: it speaks, and does not come to an end.
            ArtefactWrong: what it left as its manifest cannot be used.
        """
        account, endpoint = c.facts["export_account"], c.facts["export_endpoint"]
        async with open_container(c.azure, c.names.group, account, endpoint) as container:
            manifest = await self._follow(c, container)
        return {
            "artefact_url": f"{container.url}/{c.names.artefact}",
            "artefact_size": manifest.size,
            "sha256": manifest.sha256.lower(),
            "guest_timings": dict(manifest.timings),
        }

    async def undo(self, c: Context) -> Sequence[Leftover]:  # noqa: ARG002
        """Nothing: the artefact goes with its account."""
        return []

    async def _follow(self, c: Context, container: Container) -> Manifest:
        watch = _Watch()
        scale = c.azure.scale
        deadline = max(_longest_seconds(c.facts.get("source_disk_bytes")) * scale, self._least_seconds)
        while True:
            try:
                manifest = await _look(c, container, watch)
            except AzureRefused as problem:
                if problem.code != NO_CONNECTION:
                    raise
                await watch.lose(c, problem)
            else:
                if manifest is not None:
                    return manifest
            if watch.silent_for() > max(self._silence_seconds * scale, self._least_seconds):
                raise await _gone_silent(c, watch)
            if watch.followed_for() > deadline:
                raise TookTooLong(
                    f"The export has not ended after {deadline / 3600:.1f} hours; {watch.last()}"
                )
            await asyncio.sleep(self._look_seconds * scale)


async def _look(c: Context, container: Container, watch: _Watch) -> Manifest | None:
    """Tell what the guest reports; its result, once that is there."""
    raw = await read_report(c.azure, container, f"{c.names.artefact}.progress.json", LIMIT_BYTES)
    if raw is not None:
        await watch.tell(c, read_progress(raw, c.run.id))
    raw = await read_report(c.azure, container, c.names.manifest, LIMIT_BYTES)
    return None if raw is None else read_manifest(raw, c.run.id, c.names.artefact)


@dataclass
class _Watch:
    """What the guest said last, and when that was by our clock: the VM's may be wrong."""

    began: float = field(default_factory=time.monotonic)
    heard: float = field(default_factory=time.monotonic)
    progress: Progress | None = None
    told_phases: int = 0

    async def tell(self, c: Context, now: Progress) -> None:
        """Pass on what is new, phases that ended between two looks included."""
        if now == self.progress:
            return
        self.heard = time.monotonic()
        before, self.progress = self.progress, now
        for end in now.history[self.told_phases :]:
            if (end.phase, end.state) != (now.phase, now.state):
                details = {"phase": end.phase, "phase_state": end.state, "seconds": end.seconds}
                await c.progress(f"{end.phase}: {end.state}", details)
        self.told_phases = max(self.told_phases, len(now.history))
        if now.state == "failed":
            raise _gave_up(now)
        if before is None or before.details() != now.details() or before.message != now.message:
            said = clean(now.message, 500)
            await c.progress(f"{now.phase}: {said or now.state}", now.details())

    async def lose(self, c: Context, problem: AzureRefused) -> None:
        """We do not hear, which says nothing about the guest: it works on, whatever our network does."""
        self.heard = time.monotonic()
        await c.progress(f"Its reports cannot be read for now: {problem.sentence}", {})

    def silent_for(self) -> float:
        """Seconds since the last change."""
        return time.monotonic() - self.heard

    def followed_for(self) -> float:
        """Seconds since the first look."""
        return time.monotonic() - self.began

    def last(self) -> str:
        """Where the guest was, for a sentence."""
        if self.progress is None:
            return "it never reported anything"
        return f"its last report was {self.progress.phase}: {self.progress.state}"


def _gave_up(progress: Progress) -> GuestFailed:
    said = clean(progress.message, 500)
    tail = clean(progress.log_tail, 2000)
    sentence = f"The target VM gave up in the phase {progress.phase}"
    sentence += f": {said}" if said else ""
    return GuestFailed(sentence + (f"\nThe end of its log:\n{tail}" if tail else ""))


async def _gone_silent(c: Context, watch: _Watch) -> GuestFailed:
    minutes = watch.silent_for() / 60
    sentence = f"The target VM has said nothing for {minutes:.0f} minutes; {watch.last()}"
    hint = "`az vm boot-diagnostics get-boot-log` shows its console; --on-failure keep leaves it as it is."
    return GuestFailed(f"{sentence}. {await _look_at(c)}", hint)


async def _look_at(c: Context) -> str:
    """What Azure knows about the VM: its power state, its agent and the end of the extension."""
    vm = virtual_machine(c)
    try:
        there = await found(vm.get, expand="instanceView", what=f"reading {vm.what}", scale=c.azure.scale)
    except VhdliftError as error:
        return f"Azure did not say how it is: {error}."
    if there is None:
        return "The VM is gone."
    view = there.properties.instance_view if there.properties else None
    agents = (view.vm_agent.statuses if view and view.vm_agent else None) or []
    words = [f"Its power state is {power_code(there) or 'not known'}"]
    words += [f"its agent says {clean(s.message or s.display_status or '', 200)}" for s in agents]
    for extension in (view.extensions if view else None) or []:
        states = [s.display_status for s in extension.statuses or [] if s.display_status]
        words.append(f"its extension {extension.name}: {', '.join(states) or 'no status'}")
    return "; ".join(words) + "."


def _longest_seconds(disk_bytes: int | None) -> float:
    """Six hours, and three passes over the disk at 20 MB/s."""
    return _LEAST_HOURS * 3600 + _PASSES * (disk_bytes or 0) / _SLOWEST_BYTES_PER_SECOND
