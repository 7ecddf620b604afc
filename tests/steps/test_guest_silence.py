"""A guest that is slow, silent or dead: told while there is time, and with the reason when there is none."""

from __future__ import annotations

import asyncio
import json
from contextlib import suppress
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from tests.azure.conftest import Answer
from tests.steps.conftest import RUN_ID, World
from tests.steps.shelf import COMPUTE, GROUP
from vhdlift.errors import GuestFailed
from vhdlift.steps.base import Context
from vhdlift.steps.vhd_exported import VhdExported

VM = f"{COMPUTE}/virtualMachines/lab1"
CONSOLE = "/diagnostics/bootlogs/console.log"
QUICK = VhdExported(look_seconds=2.5, least_seconds=0.4)
SIZE = 2**20
VIEW = {
    "statuses": [{"code": "PowerState/deallocated"}],
    "vmAgent": {"statuses": [{"displayStatus": "Not Ready", "message": "VM status blob is found but stale"}]},
    "extensions": [
        {"name": "CustomScriptExtension", "statuses": [{"displayStatus": "Provisioning succeeded"}]}
    ],
}


@dataclass
class Guest:
    """What the guest left in the container, and what Azure says of its VM."""

    world: World
    context: Context

    def progress(self, sequence: int, phase: str, **more: Any) -> None:
        """From now on this is its report."""
        told = {"schema": 1, "run_id": RUN_ID, "sequence": sequence, "phase": phase, "state": "progress"}
        self._leave("old1.vhd.progress.json", {**told, **more})

    def manifest(self) -> None:
        """Its result is there."""
        told = {"schema": 1, "run_id": RUN_ID, "name": "old1.vhd", "sha256": "ab" * 32}
        self._leave("old1.vhd.json", {**told, "size": SIZE + 512, "virtual_size": SIZE})

    def vm(self, **properties: Any) -> None:
        """Its VM as Azure tells it."""
        body = {"id": VM, "properties": {"instanceView": VIEW, **properties}}
        self.world.shelf.on(f"GET {VM}", Answer(body=body))

    def _leave(self, name: str, body: dict[str, Any]) -> None:
        path = f"/{self.context.names.export_account}/vhdusb/{name}"
        self.world.shelf.on(f"GET {path}", blob(body))


@pytest.fixture
def guest(world: World) -> Guest:
    account = world.context.names.export_account
    path = f"{GROUP}/providers/Microsoft.Storage/storageAccounts/{account}"
    world.shelf.on(f"POST {path}/listKeys", Answer(body={"keys": [{"keyName": "key1", "value": "a2V5a2V5"}]}))
    facts = {"export_account": account, "export_endpoint": f"{world.shelf.url}/{account}/"}
    return Guest(world, world.with_facts(**facts))


def blob(body: Any) -> Answer:
    """A blob as it is read by range, whose size JSON has in the server's own spelling."""
    size = len(json.dumps(body))
    headers = {"Content-Range": f"bytes 0-{size - 1}/{size}", "x-ms-blob-type": "BlockBlob", "ETag": '"1"'}
    return Answer(206, body, headers)


def silent_for(context: Context, minutes: int) -> Context:
    """The same, with a guest that may be silent for so long; multiplied by the scale of time."""
    return replace(context, settings=context.settings.model_copy(update={"silence_minutes": minutes}))


async def warning_of(guest: Guest, context: Context) -> tuple[str, dict[str, Any]]:
    """Follow the guest until a warning is told; the warning and its details."""
    work = asyncio.create_task(QUICK.do(context))
    warning = await asyncio.wait_for(guest.world.warned.get(), 20)
    work.cancel()
    with suppress(asyncio.CancelledError, GuestFailed):
        await work
    return warning


async def test_silence_is_told_before_it_ends_the_run(guest: Guest) -> None:
    """A third of the time that a silent guest is given is over: a warning with all that is known."""
    guest.vm()
    guest.progress(1, "download", percent=40.0)
    said, details = await warning_of(guest, guest.context)
    assert "last report was download: progress (40 %)" in said
    assert "power state is deallocated" in said
    assert "agent says VM status blob is found but stale" in said
    assert "CustomScriptExtension: Provisioning succeeded" in said
    assert details["phase"] == "download"
    assert details["given_up_after_seconds"] == round(60 * guest.context.azure.scale)


async def test_silence_is_told_once_and_then_ends_the_run_with_the_reason(guest: Guest) -> None:
    """The failure says again what is known, as it may have changed."""
    guest.vm()
    guest.progress(1, "download")
    with pytest.raises(GuestFailed) as failed:
        await QUICK.do(silent_for(guest.context, 5))
    assert guest.world.warned.qsize() == 1
    assert "last report was download" in failed.value.sentence
    assert "power state is deallocated" in failed.value.sentence
    assert "--silence-minutes" in failed.value.hint


async def test_each_silence_is_told(guest: Guest) -> None:
    """A guest that spoke in between and falls silent again is warned of again."""
    guest.vm()
    work = asyncio.create_task(QUICK.do(silent_for(guest.context, 5)))
    for sequence in (1, 2):
        guest.progress(sequence, "download", bytes=sequence)
        said, _ = await asyncio.wait_for(guest.world.warned.get(), 20)
        assert "download" in said
    guest.manifest()
    await work


async def test_the_setting_says_how_long_a_silence_may_be(guest: Guest) -> None:
    """`silence_minutes`, multiplied by the scale of time."""
    work = asyncio.create_task(QUICK.do(silent_for(guest.context, 1440)))
    await asyncio.sleep(1.6 * 60 * guest.context.azure.scale)
    assert not work.done()
    assert guest.world.warned.empty()
    guest.manifest()
    await work


async def test_the_end_of_the_console_is_told_where_boot_diagnostics_are_on(guest: Guest) -> None:
    """Windows writes there when it crashes; the address of the log is a secret, and not told."""
    guest.vm(diagnosticsProfile={"bootDiagnostics": {"enabled": True}})
    log = "x" * 9000 + " A bugcheck has occurred: 0x7B"
    head = {"Content-Length": str(len(log)), "x-ms-blob-type": "AppendBlob", "ETag": '"1"'}
    guest.world.shelf.on(f"HEAD {CONSOLE}", Answer(headers=head))
    guest.world.shelf.on(f"GET {CONSOLE}", blob(log))
    told = {"serialConsoleLogBlobUri": f"{guest.world.shelf.url}{CONSOLE}?sp=r&sig=c2VjcmV0"}
    guest.world.shelf.on(f"POST {VM}/retrieveBootDiagnosticsData", Answer(body=told))
    said, _ = await warning_of(guest, guest.context)
    assert said.rstrip('"').endswith("A bugcheck has occurred: 0x7B")
    assert "sig=" not in said
    assert len(said) < 1500


@pytest.mark.parametrize(
    "told", [{}, {"serialConsoleLogBlobUri": "nonsense"}, {"serialConsoleLogBlobUri": 7}]
)
async def test_a_console_that_cannot_be_read_spoils_nothing(guest: Guest, told: dict[str, Any]) -> None:
    """The rest of what is known is told all the same."""
    guest.vm(diagnosticsProfile={"bootDiagnostics": {"enabled": True}})
    guest.world.shelf.on(f"POST {VM}/retrieveBootDiagnosticsData", Answer(body=told))
    said, _ = await warning_of(guest, guest.context)
    assert "power state is deallocated" in said
    assert "console" in said


async def test_an_azure_that_does_not_say_is_told_too(guest: Guest) -> None:
    """Silence is told also when nobody says why."""
    denied = {"error": {"code": "AuthorizationFailed", "message": "The client has no authorization."}}
    guest.world.shelf.on(f"GET {VM}", Answer(403, denied))
    said, _ = await warning_of(guest, guest.context)
    assert "Azure did not say how it is" in said
    assert "AuthorizationFailed" in said


async def test_vm_that_is_gone_is_said(guest: Guest) -> None:
    """A deleted VM explains the silence."""
    with pytest.raises(GuestFailed, match=r"never reported anything\. The VM is gone"):
        await QUICK.do(guest.context)


def ending(guest: Guest, left: timedelta) -> Context:
    """The same, with signatures that end soon."""
    facts = {**guest.context.facts, "sas_expires": (datetime.now(UTC) + left).isoformat()}
    return replace(guest.context, facts=facts)


async def test_signatures_that_end_soon_are_told_with_the_time_left(guest: Guest) -> None:
    """Hours before: what ends when, where the guest is, and what can be done."""
    guest.progress(7, "upload", percent=12.5)
    said, details = await warning_of(guest, ending(guest, timedelta(hours=3)))
    assert "end in 180 minutes" in said or "end in 3 hours" in said
    assert "upload: progress (12.5 %)" in said
    assert "vhdlift cancel" in said
    assert 0 < details["seconds_left"] <= 3 * 3600


async def test_signatures_that_end_soon_are_told_once_for_each_limit(guest: Guest) -> None:
    """Four hours before and one hour before, not at every look."""
    work = asyncio.create_task(QUICK.do(silent_for(ending(guest, timedelta(hours=3)), 1440)))
    for sequence in range(1, 6):
        guest.progress(sequence, "upload", bytes=sequence)
        await asyncio.sleep(0.1)
    guest.manifest()
    await work
    assert guest.world.warned.qsize() == 1


async def test_signatures_of_a_day_are_not_told(guest: Guest) -> None:
    """Nothing is about to end."""
    guest.manifest()
    await QUICK.do(ending(guest, timedelta(hours=20)))
    assert guest.world.warned.empty()


async def test_signatures_that_ended_explain_the_silence(guest: Guest) -> None:
    """A guest that cannot write any more cannot say so."""
    guest.vm()
    guest.progress(7, "upload")
    with pytest.raises(GuestFailed, match="it cannot write any more"):
        await QUICK.do(ending(guest, -timedelta(minutes=5)))
