"""The source VM: inspected, stopped, and given back as it was found, whatever happens between."""

from __future__ import annotations

import shlex
from typing import Any

import pytest

from tests.azure.conftest import SUBSCRIPTION, Answer, arm_error
from tests.steps.conftest import World
from vhdlift.azure.power import not_given_back
from vhdlift.azure.snapshot import snapshot_of
from vhdlift.errors import AzureRefused, TookTooLong, VhdliftError
from vhdlift.model import GIVEN_BACK
from vhdlift.steps.source_inspected import SourceInspected
from vhdlift.steps.source_restarted import SourceRestarted
from vhdlift.steps.source_stopped import SourceStopped

OLD = f"/subscriptions/{SUBSCRIPTION}/resourceGroups/old-rg/providers/Microsoft.Compute"
VM = f"{OLD}/virtualMachines/old1"
DISK = f"{OLD}/disks/old1-os"


def vm(
    power: str = "running", *, os_disk: Any = None, resources: Any = None, provisioning: str = "Succeeded"
) -> Answer:
    statuses = [{"code": "ProvisioningState/succeeded"}]
    if power:
        statuses.append({"code": f"PowerState/{power}"})
    disk = {"osType": "Windows", "name": "old1-os", "createOption": "FromImage", "managedDisk": {"id": DISK}}
    return Answer(
        body={
            "id": VM,
            "name": "old1",
            "location": "ukwest",
            "properties": {
                "provisioningState": provisioning,
                "storageProfile": {"osDisk": {**disk, **(os_disk or {})}},
                "instanceView": {"statuses": statuses},
            },
            "resources": resources,
        }
    )


def disk(**more: Any) -> Answer:
    properties = {"hyperVGeneration": "V2", "diskSizeGB": 2, "diskSizeBytes": 2147483648, **more}
    return Answer(body={"id": DISK, "name": "old1-os", "location": "ukwest", "properties": properties})


def powers(world: World, *states: str) -> None:
    """The power states that reading the VM tells, in turn, the last for ever; all actions succeed."""
    world.shelf.on(f"GET {VM}", *[vm(state) for state in states])
    for action in ("start", "deallocate", "powerOff"):
        world.shelf.on(f"POST {VM}/{action}", Answer(200))


def sent(world: World) -> list[str]:
    """The actions that were sent to the VM."""
    return [seen.path.split("?")[0].rpartition("/")[2] for seen in world.shelf.of("POST", "old1")]


async def test_inspection_tells_what_the_other_steps_need(world: World) -> None:
    """The facts are those of the VM and its disk; nothing is changed."""
    world.shelf.on(f"GET {VM}", vm())
    world.shelf.on(f"GET {DISK}", disk())
    assert await SourceInspected().do(world.context) == {
        "source_id": VM,
        "source_power_state": "running",
        "source_disk_id": DISK,
        "source_disk_bytes": 2147483648,
        "source_location": "ukwest",
        "source_generation": "V2",
    }
    assert {seen.method for seen in world.shelf.seen} == {"GET"}


ADE = {"properties": {"type": "AzureDiskEncryption"}}
REFUSED: list[tuple[str, Answer, Answer]] = [
    ("not Windows", vm(os_disk={"osType": "Linux"}), disk()),
    ("ephemeral", vm(os_disk={"diffDiskSettings": {"option": "Local"}}), disk()),
    ("not a managed disk", vm(os_disk={"managedDisk": None}), disk()),
    ("Azure Disk Encryption", vm(os_disk={"encryptionSettings": {"enabled": True}}), disk()),
    ("Azure Disk Encryption", vm(resources=[ADE]), disk()),
    ("Azure Disk Encryption", vm(), disk(encryptionSettingsCollection={"enabled": True})),
    (
        "confidential",
        vm(),
        disk(securityProfile={"securityType": "ConfidentialVM_DiskEncryptedWithPlatformKey"}),
    ),
    ("power state", vm(""), disk()),
]


@pytest.mark.parametrize(("reason", "machine", "os_disk"), REFUSED)
async def test_what_cannot_boot_elsewhere_is_refused(
    reason: str, machine: Answer, os_disk: Answer, world: World
) -> None:
    """Each reason why the disk cannot become a bootable VHD is named before anything is touched."""
    world.shelf.on(f"GET {VM}", machine)
    world.shelf.on(f"GET {DISK}", os_disk)
    with pytest.raises(VhdliftError, match=reason):
        await SourceInspected().do(world.context)


async def test_all_reasons_are_told_at_once(world: World) -> None:
    """Two reasons are two reasons in one sentence."""
    world.shelf.on(f"GET {VM}", vm(os_disk={"osType": "Linux"}, resources=[ADE]))
    world.shelf.on(f"GET {DISK}", disk())
    with pytest.raises(VhdliftError, match=r"not Windows; .*BitLocker"):
        await SourceInspected().do(world.context)


async def test_missing_source_is_named(world: World) -> None:
    """A source VM that does not exist is told by name."""
    with pytest.raises(AzureRefused, match="reading the VM old1"):
        await SourceInspected().do(world.context)


@pytest.mark.parametrize(("how", "action"), [("deallocate", "deallocate"), ("poweroff", "powerOff")])
async def test_running_source_is_stopped_as_asked(how: str, action: str, world: World) -> None:
    """The option decides whether the VM is deallocated or only powered off."""
    powers(world, "running", "deallocated")
    assert (await SourceStopped().do(world.with_spec(source_stop=how)))["source_was_stopped"]
    assert sent(world) == [action]


@pytest.mark.parametrize("state", ["stopped", "deallocated"])
async def test_resting_source_is_left_alone(state: str, world: World) -> None:
    """A VM that does not run is not touched."""
    powers(world, state)
    assert not (await SourceStopped().do(world.context))["source_was_stopped"]
    assert sent(world) == []


async def test_source_that_an_earlier_try_stopped_counts_as_stopped(world: World) -> None:
    """After a crash the step finds the VM at rest, and the run goes on with the same facts."""
    powers(world, "deallocated")
    repeated = world.with_facts(source_power_state="running")
    assert (await SourceStopped().do(repeated))["source_was_stopped"]
    assert sent(world) == []


async def test_source_is_not_stopped_when_not_wanted(world: World) -> None:
    """With `--source-stop none` the VM is neither read nor stopped nor started."""
    context = world.with_spec(source_stop="none")
    await SourceStopped().do(context)
    await SourceRestarted().do(context)
    assert await SourceStopped().undo(context) == []
    assert world.shelf.seen == []


async def test_stop_under_way_is_waited_for(world: World) -> None:
    """A repeated step does not send a second stop while the first is under way."""
    powers(world, "deallocating", "deallocating", "deallocated")
    await SourceStopped().do(world.context)
    assert sent(world) == []


async def test_stop_is_seen_by_the_power_state(world: World) -> None:
    """The VM itself tells that it is at rest, however long the service asks to be left alone."""
    powers(world, "running", "running", "deallocating", "deallocated")
    operation = {"Azure-AsyncOperation": f"{world.shelf.url}/operations/1", "Retry-After": "36"}
    world.shelf.on(f"POST {VM}/deallocate", Answer(202, headers=operation))
    assert (await SourceStopped().do(world.context))["source_was_stopped"]
    assert world.shelf.of("GET", "/operations/") == []


async def test_stop_that_a_proxy_answered_is_asked_for_again(world: World) -> None:
    """Success that Azure knows nothing of: the VM runs on."""
    powers(world, "running", "running", "deallocated")
    assert (await SourceStopped().do(world.context))["source_was_stopped"]
    assert sent(world) == ["deallocate", "deallocate"]


async def test_start_that_a_proxy_answered_is_asked_for_again(world: World) -> None:
    powers(world, "deallocated", "deallocated", "running")
    assert await SourceStopped().undo(world.with_facts(source_power_state="running")) == []
    assert sent(world) == ["start", "start"]


async def test_stop_that_did_not_stop_is_an_error(world: World) -> None:
    """A VM that runs again after its stop would give a snapshot of a running disk."""
    powers(world, "running")
    with pytest.raises(AzureRefused, match="still runs"):
        await SourceStopped().do(world.context)


NOW = [
    (("deallocated", "running"), ["start"]),
    (("stopped", "running"), ["start"]),
    (("stopping", "stopped", "running"), ["start"]),
    (("deallocating", "deallocated", "running"), ["start"]),
    (("starting", "running"), []),
    (("running",), []),
]


@pytest.mark.parametrize(("states", "actions"), NOW)
async def test_running_source_runs_again(states: tuple[str, ...], actions: list[str], world: World) -> None:
    """Whatever state the undo finds, a VM that ran is started, once, after what is under way is over."""
    powers(world, *states)
    assert await SourceStopped().undo(world.with_facts(source_power_state="running")) == []
    assert sent(world) == actions


@pytest.mark.parametrize("wanted", ["stopped", "deallocated"])
async def test_source_that_did_not_run_is_not_started(wanted: str, world: World) -> None:
    """A VM that was off stays off."""
    powers(world, wanted)
    assert await SourceStopped().undo(world.with_facts(source_power_state=wanted)) == []
    assert sent(world) == []


async def test_nothing_recorded_is_nothing_to_give_back(world: World) -> None:
    """A source that was never inspected was never stopped."""
    assert await SourceStopped().undo(world.context) == []
    assert world.shelf.seen == []


async def test_source_that_was_given_back_is_its_owners(world: World) -> None:
    """A clean-up days after the run does not start a VM that its owner has stopped since."""
    powers(world, "deallocated")
    facts = {"source_power_state": "running", "source_power_state_now": "running"}
    assert await SourceStopped().undo(world.with_facts(**facts)) == []
    assert sent(world) == []


async def test_lost_place_is_told(world: World) -> None:
    """A VM that was stopped and is deallocated now is told as such: Azure has no way back."""
    powers(world, "deallocated")
    (left,) = await SourceStopped().undo(world.with_facts(source_power_state="stopped"))
    assert left.resource_id == VM
    assert "deallocated now" in left.reason


async def test_source_without_a_place_gets_one_later(world: World) -> None:
    """A region that has no room for it just now is asked again: a VM that ran must run again."""
    powers(world, "deallocated", "running")
    full = Answer(409, arm_error("AllocationFailed", "No capacity."))
    world.shelf.on(f"POST {VM}/start", full, full, full, Answer(200))
    assert await SourceStopped().undo(world.with_facts(source_power_state="running")) == []


async def test_source_that_does_not_start_is_a_leftover(world: World) -> None:
    """The reason is Azure's, the command starts it."""
    powers(world, "deallocated")
    world.shelf.on(f"POST {VM}/start", Answer(409, arm_error("ScopeLocked", "A lock forbids it.")))
    (left,) = await SourceStopped().undo(world.with_facts(source_power_state="running"))
    assert "ScopeLocked" in left.reason
    assert left.command == f"az vm start --ids {VM}"


async def test_source_that_a_web_page_hides_is_a_leftover(world: World) -> None:
    """Only Azure's own word says that its owner has deleted it."""
    world.shelf.on(f"GET {VM}", Answer(404, "<html>Not found</html>"))
    (left,) = await SourceStopped().undo(world.with_facts(source_power_state="running"))
    assert "could not be read" in left.reason


async def test_snapshot_that_stays_remembers_that_the_source_was_given_back(world: World) -> None:
    """A clean-up by its tags, in a month, would start a VM that its owner has turned off since."""
    powers(world, "running")
    tags = {**world.context.run.tags, "vhdlift-source-power": "running"}
    snapshot = snapshot_of(world.context.azure, world.context.run).id
    world.shelf.on(
        f"GET {snapshot}", Answer(body={"id": snapshot, "name": "s", "location": "ukwest", "tags": tags})
    )
    world.shelf.on(f"PATCH {snapshot}", Answer(body={"id": snapshot, "name": "s", "location": "ukwest"}))
    assert await SourceStopped().undo(world.with_facts(source_power_state="running")) == []
    (patched,) = world.shelf.of("PATCH")
    assert patched.body["tags"]["vhdlift-source-power"] == GIVEN_BACK


async def test_source_is_undone_first() -> None:
    """The engine gives the source VM back before it undoes anything else."""
    assert SourceStopped.undo_first


async def test_restart_is_verified(world: World) -> None:
    """A start that Azure calls done while the VM is off is an error."""
    powers(world, "deallocated")
    with pytest.raises(TookTooLong, match="deallocated although"):
        await SourceRestarted().do(world.with_facts(source_power_state="running"))


async def test_restart_gives_the_recorded_state_back(world: World) -> None:
    """After the snapshot a VM that ran is started and seen running."""
    powers(world, "deallocated", "running")
    facts = await SourceRestarted().do(world.with_facts(source_power_state="running"))
    assert facts == {"source_power_state_now": "running"}
    assert sent(world) == ["start"]


async def test_source_that_the_run_stopped_is_started_without_another_look(world: World) -> None:
    """Its life is not spent on asking what is known: the start is the first request."""
    powers(world, "running")
    facts = {"source_power_state": "running", "source_was_stopped": True}
    assert await SourceRestarted().do(world.with_facts(**facts)) == {"source_power_state_now": "running"}
    assert world.shelf.seen[0].method == "POST"


async def test_source_that_was_off_is_never_started(world: World) -> None:
    """Whatever else the facts say, only a VM that ran is started."""
    powers(world, "deallocated")
    facts = {"source_power_state": "deallocated", "source_was_stopped": True}
    assert await SourceRestarted().do(world.with_facts(**facts)) == {"source_power_state_now": "deallocated"}
    assert sent(world) == []


async def test_running_is_not_believed_while_a_stop_may_be_under_way(world: World) -> None:
    """A stop that Azure has accepted need not show in the power state at once."""
    powers(world)
    accepted = [vm("running", provisioning="Updating")] * 2
    world.shelf.on(f"GET {VM}", *accepted, vm("deallocating"), vm("deallocated"), vm("running"))
    assert await SourceStopped().undo(world.with_facts(source_power_state="running")) == []
    assert sent(world) == ["start"]


async def test_change_that_leaves_the_vm_running_is_not_waited_for_to_its_end(world: World) -> None:
    """An extension may be installed for an hour."""
    powers(world)
    world.shelf.on(f"GET {VM}", vm("running", provisioning="Updating"))
    assert await SourceStopped().undo(world.with_facts(source_power_state="running")) == []
    assert sent(world) == []


async def test_vm_that_runs_after_a_failed_stop_is_started_to_be_as_it_was(world: World) -> None:
    """Azure calls it failed until another operation succeeds."""
    powers(world)
    world.shelf.on(f"GET {VM}", vm("running", provisioning="Failed"), vm("running"))
    assert await SourceStopped().undo(world.with_facts(source_power_state="running")) == []
    assert sent(world) == ["start"]


def test_the_command_that_starts_the_source_vm_is_one_for_a_shell(world: World) -> None:
    """Azure takes brackets in the name of a resource group."""
    left = not_given_back(world.context.azure, "office(uk)", "old1", "it is locked")
    assert shlex.split(left.command) == ["az", "vm", "start", "--ids", left.resource_id]
