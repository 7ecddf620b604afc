"""Extensions: put on a running machine, run by its guest, told about without their secrets."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
import pytest_asyncio
from azure.core.exceptions import HttpResponseError

from armlocal.parts import ExtensionResult
from tests.armlocal.machines import Machines, running_machines

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path

    from tests.armlocal.conftest import Certificates

SECRET = "https://x/y.ps1?sig=hidden"
BODY: dict[str, Any] = {
    "location": "uksouth",
    "properties": {
        "publisher": "Microsoft.Compute",
        "type": "CustomScriptExtension",
        "typeHandlerVersion": "1.10",
        "autoUpgradeMinorVersion": True,
        "settings": {"timestamp": 1},
        "protectedSettings": {"fileUris": [SECRET], "commandToExecute": "powershell -File y.ps1"},
    },
}


@pytest_asyncio.fixture
async def lab(certificates: Certificates, tmp_path: Path) -> AsyncIterator[Machines]:
    async with running_machines(certificates, tmp_path) as started:
        await started.make()
        yield started


async def test_the_guest_gets_both_kinds_of_settings_and_nobody_reads_the_protected(lab: Machines) -> None:
    answer = await lab.arm.http.put(f"{lab.vm}/extensions/setup", json=BODY)
    assert (answer.status_code, answer.json()["properties"]["provisioningState"]) == (201, "Creating")
    assert "location" not in answer.headers
    assert "retry-after" not in answer.headers
    await lab.arm.end(answer.headers["azure-asyncoperation"])
    assert lab.guest.seen == [("vm1", {"timestamp": 1}, BODY["properties"]["protectedSettings"])]
    read = await lab.arm.http.get(f"{lab.vm}/extensions/setup")
    whole = await lab.arm.http.get(lab.vm, params={"$expand": "instanceView"})
    assert read.json()["properties"]["provisioningState"] == "Succeeded"
    assert "hidden" not in answer.text + read.text + whole.text + repr(lab.arm.world.resources)


async def test_the_machine_lists_its_extensions_and_what_they_printed(lab: Machines) -> None:
    await lab.do("create_or_update", "t", "vm1", "setup", BODY, of="virtual_machine_extensions")
    lab.arm.world.resources[lab.vm.lower()].private["agent_from"] = 0.0
    whole = (await lab.arm.http.get(lab.vm, params={"$expand": "instanceView"})).json()
    assert [r["name"] for r in whole["resources"]] == ["setup"]
    view = whole["properties"]["instanceView"]["extensions"][0]
    assert view["substatuses"][0]["message"] == "started"
    assert view["statuses"][0]["code"] == "ProvisioningState/succeeded"
    found = await lab.arm.compute.virtual_machine_extensions.list("t", "vm1")
    assert [extension.name for extension in found.value] == ["setup"]


async def test_a_command_that_fails_fails_the_operation_and_the_extension_not_the_machine(
    lab: Machines,
) -> None:
    lab.guest.result = ExtensionResult(ok=False, message="Command execution finished, but failed")
    with pytest.raises(HttpResponseError) as caught:
        await lab.do("create_or_update", "t", "vm1", "setup", BODY, of="virtual_machine_extensions")
    assert caught.value.error is not None
    assert caught.value.error.code == "VMExtensionProvisioningError"
    assert "'setup' (publisher 'Microsoft.Compute' and type 'CustomScriptExtension')" in str(caught.value)
    assert "Error message: 'Command execution finished, but failed'." in str(caught.value)
    extension = (await lab.arm.http.get(f"{lab.vm}/extensions/setup")).json()
    machine = (await lab.arm.http.get(lab.vm)).json()
    states = [body["properties"]["provisioningState"] for body in (extension, machine)]
    assert states == ["Failed", "Succeeded"]


async def test_the_operation_waits_for_the_command(lab: Machines) -> None:
    lab.guest.seconds = 3
    answer = await lab.arm.http.put(f"{lab.vm}/extensions/setup", json=BODY)
    poll = await lab.arm.http.get(answer.headers["azure-asyncoperation"])
    assert poll.json()["status"] == "InProgress"
    assert (await lab.arm.end(answer.headers["azure-asyncoperation"]))["status"] == "Succeeded"


async def test_a_machine_that_does_not_run_takes_no_extension(lab: Machines) -> None:
    await lab.do("deallocate", "t", "vm1")
    answer = await lab.arm.http.put(f"{lab.vm}/extensions/setup", json=BODY)
    assert (answer.status_code, answer.json()["error"]["code"]) == (409, "OperationNotAllowed")
    assert (
        answer.json()["error"]["message"] == "Cannot modify extensions in the VM when the VM is not running."
    )


async def test_a_second_extension_of_the_same_handler_is_refused(lab: Machines) -> None:
    await lab.do("create_or_update", "t", "vm1", "setup", BODY, of="virtual_machine_extensions")
    answer = await lab.arm.http.put(f"{lab.vm}/extensions/other", json=BODY)
    assert (answer.status_code, answer.json()["error"]["code"]) == (400, "BadRequest")
    assert "VMExtension 'setup' with handler" in answer.json()["error"]["message"]


async def test_the_same_extension_again_is_an_update(lab: Machines) -> None:
    await lab.do("create_or_update", "t", "vm1", "setup", BODY, of="virtual_machine_extensions")
    answer = await lab.arm.http.put(f"{lab.vm}/extensions/setup", json=BODY)
    assert (answer.status_code, answer.json()["properties"]["provisioningState"]) == (200, "Updating")
    await lab.arm.end(answer.headers["azure-asyncoperation"])
    assert len(lab.guest.seen) == 2


async def test_a_deleted_extension_is_not_found_first_by_compute_and_then_by_arm(lab: Machines) -> None:
    await lab.do("create_or_update", "t", "vm1", "setup", BODY, of="virtual_machine_extensions")
    await lab.do("delete", "t", "vm1", "setup", of="virtual_machine_extensions")
    lab.arm.world.ghosts[f"{lab.vm}/extensions/setup".lower()] += 1000
    early = await lab.arm.http.get(f"{lab.vm}/extensions/setup")
    lab.arm.world.ghosts.clear()
    later = await lab.arm.http.get(f"{lab.vm}/extensions/setup")
    assert early.json() == {
        "error": {
            "code": "NotFound",
            "message": "The entity was not found in this Azure location.",
            "target": "extensionName",
        }
    }
    assert "'Microsoft.Compute/virtualMachines/vm1/extensions/setup'" in later.json()["error"]["message"]
    assert (await lab.arm.http.delete(f"{lab.vm}/extensions/setup")).status_code == 204


async def test_an_extension_of_no_machine_has_no_parent(lab: Machines) -> None:
    answer = await lab.arm.http.put(f"{lab.vm}x/extensions/setup", json=BODY)
    assert (answer.status_code, answer.json()["error"]["code"]) == (404, "ParentResourceNotFound")
