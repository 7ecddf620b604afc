"""What survives: kills in every phase, failures, restarts of Windows, a broken state, a second agent."""

from __future__ import annotations

import json
from typing import Any

import pytest

from tests.guest.pwsh.cloud import Cloud
from tests.guest.pwsh.machine import AGENT, BEGUN, Machine
from tests.guest.pwsh.test_whole_job import ALL, expected

# The phase GUEST_PHASE runs as `{change}` says, with its own work in $global:OwnWork.
CHANGED = """
foreach ($phase in $script:Phases) {
    if ($phase['name'] -eq $env:GUEST_PHASE) {
        $global:OwnWork = $phase['work']
        $phase['work'] = { #{change} }
    }
}
"""


def changed(change: str) -> str:
    return CHANGED.replace("#{change}", change) + AGENT


@pytest.mark.parametrize("phase", ALL)
@pytest.mark.parametrize(
    "change", ["Stop-Now", "& $global:OwnWork | Out-Null; Stop-Now"], ids=["first", "last"]
)
def test_a_kill_in_a_phase_costs_nothing_but_time(
    machine: Machine, cloud: Cloud, phase: str, change: str
) -> None:
    """Before its work and after it, when nothing is noted yet: the next agent ends with the same bytes."""
    assert machine.run(changed(change), GUEST_PHASE=phase).killed
    done = machine.run()
    assert done.code == 0, done.said + machine.log()
    state = machine.state()
    assert (state["status"], state["done"]) == ("done", ALL)
    assert state["attempts"] == {name: 2 if name == phase else 1 for name in ALL}
    assert cloud.blobs["old1.vhd"].content == expected(machine)
    assert json.loads(cloud.blobs["old1.vhd.json"].content)["run_id"] == "01RUN"


def test_a_kill_while_the_image_is_mounted_is_cleared_away(machine: Machine, cloud: Cloud) -> None:
    """Registry loaded, letters given, image attached: the next attempt takes all of it down first."""
    body = AGENT.replace("Start-Agent", "function Set-UsbRegistry { Stop-Now }\nStart-Agent")
    assert machine.run(body).killed
    assert (machine.folder / "world/attached").exists()
    assert (machine.folder / "world/hive").exists()
    done = machine.run()
    assert done.code == 0, done.said + machine.log()
    assert cloud.blobs["old1.vhd"].content == expected(machine)


def test_a_download_that_is_there_is_not_repeated(machine: Machine, cloud: Cloud) -> None:
    """Killed before its end was noted; how it goes on in the middle is shown with its C#."""
    assert machine.run(changed("& $global:OwnWork | Out-Null; Stop-Now"), GUEST_PHASE="download").killed
    read = len(cloud.reads)
    assert machine.run().code == 0
    assert len(cloud.reads) == read


def test_three_attempts_and_no_more(machine: Machine, cloud: Cloud) -> None:
    """Each failure is told, the last with the end of the log; the task stays, and starts nothing again."""
    failing = changed("throw 'the disk is full'")
    assert machine.run(failing, GUEST_PHASE="tools").code == 1
    told = [one["state"] for one in cloud.reports if one["phase"] == "tools"]
    assert told == ["started", "progress", "started", "progress", "started", "failed"]
    last = cloud.reports[-1]
    assert (last["message"], last["attempt"]) == ("the disk is full", 3)
    assert "tools started: attempt 3 of 3" in last["log_tail"]
    assert b"the disk is full" in cloud.blobs["old1.vhd.guest.log"].content
    assert (machine.folder / "world/task-vhdlift").exists()
    reports = len(cloud.reports)
    assert machine.run().code == 0
    assert len(cloud.reports) == reports


def test_three_kills_are_three_attempts(machine: Machine, cloud: Cloud) -> None:
    """A phase that takes the machine down is not tried for ever."""
    for _ in range(3):
        assert machine.run(changed("Stop-Now"), GUEST_PHASE="clean").killed
    assert machine.run(changed("Stop-Now"), GUEST_PHASE="clean").code == 1
    assert "given up after 3 attempts" in cloud.reports[-1]["message"]


def test_what_cannot_be_mended_fails_at_once(machine: Machine, cloud: Cloud) -> None:
    assert machine.run(changed("Stop-Final -Message 'no'"), GUEST_PHASE="inspect").code == 1
    assert (cloud.reports[-1]["state"], cloud.reports[-1]["attempt"]) == ("failed", 1)


@pytest.mark.parametrize("phase", ["hyperv", "services"])
def test_an_optional_phase_ends_nothing(machine: Machine, cloud: Cloud, phase: str) -> None:
    assert machine.run(changed("throw 'broken'"), GUEST_PHASE=phase).code == 0
    skipped = [one["phase"] for one in cloud.reports if one["state"] == "skipped"]
    assert phase in skipped
    assert "old1.vhd.json" in cloud.blobs


def test_a_resume_by_hand_gives_all_attempts_again(machine: Machine, cloud: Cloud) -> None:
    """It starts the task and ends; the agent then goes on where it stopped."""
    assert machine.run(changed("throw 'x'"), GUEST_PHASE="shrink").code == 1
    done = machine.run("Request-Resume\nexit $script:ExitCode\n")
    assert (done.code, "the agent works again" in done.said) == (0, True)
    assert machine.deeds()[-1] == "started vhdlift"
    assert machine.run().code == 0
    assert machine.state()["attempts"]["shrink"] == 1
    assert cloud.blobs["old1.vhd"].content == expected(machine)
    over = machine.run("Request-Resume\nexit $script:ExitCode\n")
    assert (over.code, "nothing to resume" in over.said) == (1, True)


def test_a_restart_of_windows_is_no_attempt(machine: Machine, cloud: Cloud) -> None:
    """The agent ends after asking for it, and goes on with the same phase."""
    change = (
        "if (Test-Fact -Name 'seen') { return 'done' }; "
        "Set-Fact -Name 'seen' -Value 1; Stop-ForRestart -Message 'now'"
    )
    assert machine.run(changed(change), GUEST_PHASE="hyperv").code == 0
    assert (machine.state()["status"], machine.deeds()[-1]) == ("restarting", "restarted Windows")
    assert machine.run(changed(change), GUEST_PHASE="hyperv").code == 0
    assert machine.state()["attempts"]["hyperv"] == 1
    assert machine.state()["status"] == "done"


def test_hyperv_is_switched_on_over_a_restart(machine: Machine, cloud: Cloud) -> None:
    """Where it was asked for, and the edition has it: the phase asks once, and goes on afterwards."""
    machine.seal(hyper_v="on")
    (machine.folder / "world/feature").write_text("Disabled")
    assert machine.run().code == 0
    assert machine.state()["status"] == "restarting"
    assert machine.run().code == 0
    assert machine.state()["status"] == "done"
    assert [d for d in machine.deeds() if "enabled" in d or "restarted" in d] == [
        "enabled Microsoft-Hyper-V",
        "restarted Windows",
    ]
    (message,) = [
        one["message"] for one in cloud.reports if one["phase"] == "hyperv" and one["state"] == "done"
    ]
    assert message == "Hyper-V is on"


@pytest.mark.parametrize(
    ("compute", "said"),
    [
        ({"vmSize": "Standard_B2s"}, "Standard_B2s is not known to allow"),
        (
            {"vmSize": "Standard_D4s_v5", "securityProfile": {"securityType": "TrustedLaunch"}},
            "Trusted Launch",
        ),
    ],
)
def test_hyperv_is_left_alone_where_it_cannot_work(
    machine: Machine, cloud: Cloud, compute: dict[str, Any], said: str
) -> None:
    """`auto` asks Azure's metadata, and says why not."""
    machine.seal(hyper_v="auto")
    cloud.metadata = compute
    (machine.folder / "world/feature").write_text("Disabled")
    there = f"$script:MetadataUrl = '{cloud.url}/metadata'\n"
    assert machine.run(there + AGENT).code == 0
    (message,) = [
        one["message"] for one in cloud.reports if one["phase"] == "hyperv" and one["state"] == "skipped"
    ]
    assert said in message
    assert "enabled" not in str(machine.deeds())


def test_a_broken_state_is_replaced_by_the_one_before(machine: Machine, cloud: Cloud) -> None:
    """A power cut can leave a file of zeros."""
    assert machine.run(changed("Stop-Now"), GUEST_PHASE="clean").killed
    path = machine.folder / "data/vhdlift/state.json"
    path.write_bytes(bytes(path.stat().st_size))
    done = machine.run()
    assert done.code == 0, done.said + machine.log()
    assert "the one before is taken" in machine.log()
    assert cloud.blobs["old1.vhd"].content == expected(machine)


def test_a_second_agent_waits_for_the_first(machine: Machine) -> None:
    """The mutex is free when its owner was killed, and taken while it works."""
    body = BEGUN + (
        "$first = New-Object System.Threading.Mutex -ArgumentList $true, $script:MutexName\n"
        "$job = Start-ThreadJob -ArgumentList $script:MutexName -ScriptBlock {\n"
        "    (New-Object System.Threading.Mutex -ArgumentList $false, $args[0]).WaitOne(200)\n"
        "}\n"
        "Write-Output ('other got it: ' + ($job | Receive-Job -Wait))\n"
        "$first.ReleaseMutex()\n"
        "Write-Output ('free again: ' + (Enter-Mutex -Mutex $first -Seconds 1))\n"
    )
    said = machine.run(body).said
    assert "other got it: False" in said
    assert "free again: True" in said
