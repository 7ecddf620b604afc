"""What goes out: the outbox, the scrubber, heartbeats, and what must not hold up the work."""

from __future__ import annotations

import json

import pytest

from tests.guest.pwsh.cloud import Cloud
from tests.guest.pwsh.machine import AGENT, BEGUN, HIDDEN, Machine, guest_function
from tests.guest.pwsh.test_state_machine import changed


def test_a_receiver_that_is_away_holds_up_nothing_and_misses_nothing(machine: Machine, cloud: Cloud) -> None:
    """Refused posts wait on the disk and come in order, each once, when it is back."""
    cloud.refusals = 1
    done = machine.run()
    assert done.code == 0, done.said + machine.log()
    numbers = [body["guest_sequence"] for body in cloud.bodies()]
    assert numbers == list(range(1, len(numbers) + 1))
    assert "the webhook answered 503" in machine.log()


def test_posts_outlive_the_process(machine: Machine, cloud: Cloud) -> None:
    """A kill while the receiver is away: the next agent posts what the first one could not."""
    cloud.refusals = 1000
    assert machine.run(changed("Stop-Now"), GUEST_PHASE="clean").killed
    assert cloud.posts == []
    cloud.refusals = 0
    assert machine.run().code == 0
    assert cloud.bodies()[0]["guest_sequence"] == 1


def test_a_full_outbox_drops_heartbeats_and_nothing_else(machine: Machine, cloud: Cloud) -> None:
    """The oldest go first."""
    body = BEGUN + (
        "for ($n = 1; $n -le 210; $n++) {\n"
        "    $state = $(if ($n % 20 -eq 0) { 'done' } else { 'progress' })\n"
        "    Add-ToOutbox -Sequence $n -Body ([ordered]@{ details = [ordered]@{ state = $state } })\n"
        "}\n"
    )
    assert machine.run(body).code == 0
    files = sorted((machine.folder / "data/vhdlift/outbox").glob("*.json"))
    states = [json.loads(f.read_text())["details"]["state"] for f in files]
    assert (len(files), states.count("done")) == (200, 10)
    assert files[0].name == "00000011.json"


def test_without_an_address_nothing_is_posted(machine: Machine, cloud: Cloud) -> None:
    """Nor kept for it."""
    machine.seal(webhook_url="")
    assert machine.run().code == 0
    assert cloud.posts == []
    assert list((machine.folder / "data/vhdlift/outbox").glob("*")) == []


@pytest.mark.parametrize(
    "leak",
    [
        "throw $script:Values['SNAPSHOT_URL']",
        "throw ('GET ' + [Uri]::EscapeDataString($script:Values['AZURE_SAS_TOKEN']) + ' failed')",
        "Stop-Final -Message ('https://x.example/y?sig=NotOurs123 and ' + $script:Values['WEBHOOK_URL'])",
        "Write-Log -Message $script:Values['WEBHOOK_SECRET']; throw 'x'",
    ],
)
def test_no_message_tells_a_secret(machine: Machine, cloud: Cloud, leak: str) -> None:
    """Neither the values, however they are written, nor what looks like a signature."""
    assert machine.run(changed(leak), GUEST_PHASE="shrink").code == 1
    told = cloud.told() + machine.log() + json.dumps(machine.state())
    assert HIDDEN not in told
    assert "NotOurs123" not in told
    assert "c2VjcmV0" not in told
    assert "***" in told


def test_long_work_tells_how_far_it_is(machine: Machine, cloud: Cloud) -> None:
    """Every minute, here 60 ms: a program that takes two seconds, and a command that does."""
    slow = machine.folder / "system/System32/chkdsk.exe"
    slow.write_text("#!/bin/sh\nsleep 2\n")
    assert machine.run().code == 0
    beats = [one for one in cloud.reports if one["phase"] == "clean" and one["state"] == "progress"]
    assert len(beats) >= 2
    assert "chkdsk is at work" in beats[0]["message"]


def test_a_command_of_windows_is_waited_for_with_heartbeats(machine: Machine, cloud: Cloud) -> None:
    """The real `Invoke-Slowly`, with a command that every PowerShell has; its error is the phase's."""
    text = guest_function("Invoke-Slowly")
    change = (
        "Invoke-Slowly -Command 'Start-Sleep' -Parameters @{ Milliseconds = 1500 } -Verb 'sleeping' | "
        "Out-Null; "
        "Invoke-Slowly -Command 'Get-Item' -Parameters @{ LiteralPath = '/no/such/file' } -Verb 'looking'"
    )
    assert machine.run(text + changed(change), GUEST_PHASE="shrink").code == 1
    told = [one["message"] for one in cloud.reports if one["phase"] == "shrink"]
    assert any(message.startswith("sleeping for") for message in told)
    assert told[-1].startswith("Get-Item: ")
    assert "/no/such/file" in told[-1]


def test_a_container_that_is_away_for_a_while_stops_no_phase(machine: Machine, cloud: Cloud) -> None:
    """The progress blob is told where it can be; that it could not is in the log."""
    body = AGENT.replace(
        "Start-Agent",
        "function Send-ProgressBlob { param($Progress)\n"
        "if ($Progress['phase'] -eq 'clean') { throw 'away' } }\n"
        "Start-Agent",
    )
    assert machine.run(body).code == 0
    assert "the progress blob was not written: away" in machine.log()
    assert "old1.vhd.json" in cloud.blobs
