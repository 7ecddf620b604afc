"""Why a VM says nothing: what Azure knows about it, asked when its reports stay away."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from vhdlift.azure.power import power_code
from vhdlift.azure.waiting import asked, found
from vhdlift.errors import VhdliftError
from vhdlift.steps.guest_report import clean
from vhdlift.steps.vm_created import virtual_machine

if TYPE_CHECKING:
    from vhdlift.steps.base import Context

_SAID, _CONSOLE = 200, 600


async def why_silent(c: Context) -> str:
    """Power state, agent, extension and the end of the console of the target VM, in sentences.

    Never raises for what Azure answers: what it does not say is said.
    """
    vm = virtual_machine(c)
    try:
        there = await found(vm.get, expand="instanceView", what=f"reading {vm.what}", scale=c.azure.scale)
    except VhdliftError as error:
        return f"Azure did not say how it is: {error}."
    if there is None:
        return "The VM is gone."
    view = there.properties.instance_view if there.properties else None
    words = [f"Its power state is {power_code(there) or 'not known'}", *_agent(view), *_extensions(view)]
    return "; ".join(words) + "." + await _console(c, there)


def _agent(view: Any) -> list[str]:
    statuses = (view.vm_agent.statuses if view and view.vm_agent else None) or []
    return [f"its agent says {clean(s.message or s.display_status or '', _SAID)}" for s in statuses]


def _extensions(view: Any) -> list[str]:
    words = []
    for extension in (view.extensions if view else None) or []:
        states = [clean(s.display_status, _SAID) for s in extension.statuses or [] if s.display_status]
        words.append(f"its extension {extension.name}: {', '.join(states) or 'no status'}")
    return words


async def _console(c: Context, vm: Any) -> str:
    """The end of its serial console, where boot diagnostics are on; Windows writes there when it crashes."""
    profile = vm.properties.diagnostics_profile if vm.properties else None
    if not (profile and profile.boot_diagnostics and profile.boot_diagnostics.enabled):
        return ""
    what = "reading its boot diagnostics"
    machines = c.azure.compute.virtual_machines
    place = (c.names.group, c.names.vm)
    try:
        told = await asked(
            machines.retrieve_boot_diagnostics_data, *place, what=what, kind="probe", scale=c.azure.scale
        )
        end = await _end_of(c, told.serial_console_log_blob_uri or "", what)
    except VhdliftError as error:
        return f" Its console could not be read: {clean(error.sentence, _SAID)}."
    return f" The end of its console:\n{end}" if end else " Its console is empty."


async def _end_of(c: Context, url: str, what: str) -> str:
    """The end of the log at a signed address, which is a secret."""
    if not url:
        return ""
    try:
        blob = c.azure.blob_at(url)
    except ValueError:
        raise VhdliftError(f"{what}: Azure gave no address of a blob") from None
    async with blob:

        async def download() -> bytes:
            size = int((await blob.get_blob_properties()).size or 0)
            if not size:
                return b""
            stream = await blob.download_blob(offset=max(0, size - 4 * _CONSOLE), length=4 * _CONSOLE)
            return bytes(await stream.readall())

        raw = await asked(download, what=what, kind="probe", scale=c.azure.scale)
    return clean(raw.decode("utf-8", "replace"), _CONSOLE)
