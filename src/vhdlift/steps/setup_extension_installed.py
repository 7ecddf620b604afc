"""The CustomScriptExtension that starts the setup script on the target VM."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from functools import partial
from typing import TYPE_CHECKING, Any

from vhdlift.azure import machine
from vhdlift.azure.ownership import Resource, delete_ours, is_ours, settled
from vhdlift.azure.polling import state_of
from vhdlift.azure.storage import SCRIPT_CONTAINER, blob_read_url, sas_life
from vhdlift.azure.waiting import finished, found
from vhdlift.errors import AzureRefused, Leftover, VhdliftError
from vhdlift.steps.guest_report import clean
from vhdlift.steps.guest_watch import signatures_end
from vhdlift.steps.setup_script_uploaded import SetupScriptUploaded
from vhdlift.steps.vm_created import virtual_machine

if TYPE_CHECKING:
    from collections.abc import Sequence

    from vhdlift.steps.base import Context, Made

# The service gives an extension 90 minutes, downloads included.
_SCRIPT_LIFE = timedelta(hours=24)
_TAIL = 1500
# Of the signatures' whole life, which has a day to spare. The steps in between take minutes.
_STILL_YOUNG = 0.75


class SetupExtensionInstalled:
    """The script only starts the work here: what it does for hours is followed by `vhd_exported`."""

    name = "setup_extension_installed"
    title = "Start the setup script on the VM"
    needs = ("public_ip_verified", "setup_script_uploaded", "dns_records_created", "dns_delegation_verified")

    async def do(self, c: Context) -> Made:
        """Install the extension and wait for the script's first phase.

        The handler runs one and the same request once only, so an extension of this run that is there
        already is waited for, and its failure is final.

        A script whose signatures have aged is rendered and uploaded once more before that.

        Raises:
            AzureRefused: the script failed; the sentence ends with the end of what it said.
        """
        extension = _extension(c)
        there = await settled(c.azure, replace(extension, kind="extension"))
        made: Made = {}
        if there is None or not is_ours(there.tags, c.run.id):
            made = await _fresh_script(c)
            await _install(c, extension)
        elif state_of(there) in {"failed", "canceled"}:
            raise await _with_output(
                c, AzureRefused(f"{extension.what} failed", "VMExtensionProvisioningError")
            )
        return {"extension_id": extension.id, **made}

    async def undo(self, c: Context) -> Sequence[Leftover]:
        """Delete the extension; one that stays on a VM of this run goes with it, and is no leftover.

        An agent that no longer answers keeps an extension from being deleted, but not its VM.
        """
        left = await delete_ours(c.azure, _extension(c), c.run.id)
        vm = virtual_machine(c)
        if left and is_ours(getattr(await _look_at(c, vm), "tags", None), c.run.id):
            return []
        return left


async def _fresh_script(c: Context) -> Made:
    """A new script when the signatures in the one that is uploaded have aged, as in a run that was parked."""
    end = signatures_end(c)
    if end is None or end - datetime.now(UTC) > sas_life(int(c.facts["source_disk_bytes"])) * _STILL_YOUNG:
        return {}
    return await SetupScriptUploaded().do(c)


async def _install(c: Context, extension: Resource) -> Any:
    names = c.names
    url = await blob_read_url(
        c.azure,
        names.group,
        names.script_account,
        endpoint=c.facts["script_endpoint"],
        container=SCRIPT_CONTAINER,
        blob=names.script_blob,
        life=_SCRIPT_LIFE,
    )
    # A number of 31 bits that belongs to the run, as the handler's `timestamp` is a 32-bit integer.
    stamp = int(names.short, 16) & 0x7FFFFFFF
    body = machine.setup_extension(c.run.spec.location, c.run.tags, url, names.script_blob, stamp)
    await c.ledger(extension.id)
    try:
        await finished(
            c.azure.compute.virtual_machine_extensions.begin_create_or_update,
            names.group,
            names.vm,
            machine.EXTENSION,
            body,
            what=f"running {extension.what}",
            kind="extension",
            scale=c.azure.scale,
        )
    except AzureRefused as refusal:
        raise await _with_output(c, refusal) from refusal


def _extension(c: Context) -> Resource:
    extensions = c.azure.compute.virtual_machine_extensions
    of = (c.names.group, c.names.vm, machine.EXTENSION)
    return Resource(
        id=f"{virtual_machine(c).id}/extensions/{machine.EXTENSION}",
        what=f"the setup extension of {virtual_machine(c).what}",
        get=partial(extensions.get, *of),
        begin_delete=partial(extensions.begin_delete, *of),
        kind="extension_delete",
    )


async def _with_output(c: Context, refusal: AzureRefused) -> AzureRefused:
    """The refusal with the end of the script's output, which the VM's instance view keeps."""
    try:
        said = await _output(c)
    except VhdliftError as problem:
        said = f"(could not be read: {problem.sentence})"
    sentence = clean(refusal.sentence, 2 * _TAIL)
    if said and said not in sentence:
        sentence += f". The script's last output: {said}"
    hint = (
        "The whole output is on the VM in C:\\WindowsAzure\\Logs\\Plugins; --on-failure keep leaves the VM."
    )
    return AzureRefused(sentence, refusal.code, refusal.status, hint)


async def _output(c: Context) -> str:
    there = await _look_at(c, virtual_machine(c))
    view = there.properties.instance_view if there and there.properties else None
    for extension in (view.extensions if view else None) or []:
        if extension.name == machine.EXTENSION:
            told = [*(extension.substatuses or []), *(extension.statuses or [])]
            return clean("\n".join(str(s.message) for s in told if s.message), _TAIL)
    return ""


async def _look_at(c: Context, vm: Resource) -> Any:
    return await found(vm.get, expand="instanceView", what=f"reading {vm.what}", scale=c.azure.scale)
