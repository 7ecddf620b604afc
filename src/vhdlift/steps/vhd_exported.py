"""Follows the program on the target VM through the files it writes beside the artefact.

Nothing has to reach the VM from outside, and the VM has to reach nothing but the storage account.
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from vhdlift.azure.artefact import open_container, read_report
from vhdlift.azure.failures import is_passing
from vhdlift.azure.patience import spoken
from vhdlift.errors import AzureRefused, GuestFailed, Leftover, TookTooLong
from vhdlift.steps.guest_log import with_log
from vhdlift.steps.guest_report import LIMIT_BYTES, Manifest, read_manifest, read_progress
from vhdlift.steps.guest_silence import why_silent
from vhdlift.steps.guest_watch import Watch, ended_signatures

if TYPE_CHECKING:
    from collections.abc import Sequence

    from vhdlift.azure.artefact import Container
    from vhdlift.steps.base import Context, Made

_LEAST_HOURS, _PASSES, _SLOWEST_BYTES_PER_SECOND = 6, 3, 20e6
_WARNED_AT = 1 / 3


class VhdExported:
    """Done when the manifest of this run is there, which the guest uploads last."""

    name = "vhd_exported"
    title = "Follow the export on the VM"
    needs = ("setup_extension_installed",)

    def __init__(self, look_seconds: float = 10.0, least_seconds: float = 30.0) -> None:
        """Waits.

        Args:
            look_seconds: between two looks, at scale 1.
            least_seconds: no wait for the guest is shorter, whatever the scale: its bytes are real.
        """
        self._look_seconds = look_seconds
        self._least_seconds = least_seconds

    async def do(self, c: Context) -> Made:
        """Tell each change of the guest's progress until its result is there.

        Raises:
            GuestFailed: the guest gave up, or fell silent; the sentence says where.
            TookTooLong: it speaks, and does not come to an end.
            ArtefactWrong: what it left as its manifest cannot be used.
        """
        account, endpoint = c.facts["export_account"], c.facts["export_endpoint"]
        async with open_container(c.azure, c.names.group, account, endpoint, "artefact") as container:
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
        watch = Watch()
        scale = c.azure.scale
        deadline = max(_longest_seconds(c.facts.get("source_disk_bytes")) * scale, self._least_seconds)
        while True:
            try:
                manifest = await _look(c, container, watch)
            except GuestFailed as failure:
                reported = watch.progress.log_tail if watch.progress else ""
                raise await with_log(c, failure, reported) from None
            except AzureRefused as problem:
                if not is_passing(problem):
                    raise
                await watch.lose(c, problem)
            else:
                if manifest is not None:
                    return manifest
            await watch.warn_of_expiry(c)
            await self._mind_silence(c, watch)
            if watch.followed_for() > deadline:
                sentence = f"The export has not ended after {spoken(deadline)}; {watch.last()}"
                raise TookTooLong(f"{sentence}. {await why_silent(c)}{ended_signatures(c)}")
            await asyncio.sleep(self._look_seconds * scale)

    async def _mind_silence(self, c: Context, watch: Watch) -> None:
        """Look at a VM that says nothing: warn after a third of the time that it is given.

        Raises:
            GuestFailed: all of that time is over.
        """
        longest = max(c.settings.silence_minutes * 60 * c.azure.scale, self._least_seconds)
        silent = watch.silent_for()
        if silent > longest:
            raise await _gone_silent(c, watch)
        if silent > longest * _WARNED_AT and not watch.warned_silent:
            await watch.warn_of_silence(c, await why_silent(c), longest)


async def _look(c: Context, container: Container, watch: Watch) -> Manifest | None:
    """Tell what the guest reports; its result, once that is there."""
    raw = await read_report(c.azure, container, f"{c.names.artefact}.progress.json", LIMIT_BYTES)
    try:
        if raw is not None:
            await watch.tell(c, read_progress(raw, c.run.id))
    except GuestFailed as failure:
        manifest = await _manifest(c, container)
        if manifest is None:
            raise
        # What it still had to do is worth less than the VHD, which will be read back.
        await c.warn(f"{failure.sentence}; its result is there all the same", {})
        return manifest
    return await _manifest(c, container)


async def _manifest(c: Context, container: Container) -> Manifest | None:
    raw = await read_report(c.azure, container, c.names.manifest, LIMIT_BYTES)
    return None if raw is None else read_manifest(raw, c.run.id, c.names.artefact)


async def _gone_silent(c: Context, watch: Watch) -> GuestFailed:
    sentence = f"The target VM has said nothing for {spoken(watch.silent_for())}; {watch.last()}"
    hint = "--silence-minutes lets it be silent for longer; --on-failure keep leaves the VM to be looked at."
    return GuestFailed(f"{sentence}. {await why_silent(c)}{ended_signatures(c)}", hint)


def _longest_seconds(disk_bytes: int | None) -> float:
    """Six hours, and three passes over the disk at 20 MB/s."""
    return _LEAST_HOURS * 3600 + _PASSES * (disk_bytes or 0) / _SLOWEST_BYTES_PER_SECOND
