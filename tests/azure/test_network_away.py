"""A network that is away for a while: waited for where work could be lost, told at once where not."""

from __future__ import annotations

import ssl
from typing import Any

import pytest
from azure.core.exceptions import ServiceRequestError

from tests.azure.conftest import Answer, Arm, settings_of, vm_path
from tests.steps.conftest import spec
from vhdlift.azure.clients import Azure, open_clients
from vhdlift.azure.failures import is_busy, translated
from vhdlift.azure.preflight import complete_spec, look
from vhdlift.azure.waiting import asked, found
from vhdlift.errors import AzureRefused, PreflightFailed

NOWHERE: Any = {"arm_endpoint": "https://127.0.0.1:1", "location": None}
LOST = Answer(drop=True)
# More than one call of the SDK tries by itself.
MANY = [LOST] * 20


async def test_a_call_outlasts_a_network_that_is_away_for_a_while(arm: Arm, azure: Azure) -> None:
    arm.on(f"GET {vm_path()}", *MANY, Answer(body={"name": "vm1"}))
    vm = await found(azure.compute.virtual_machines.get, "rg", "vm1", what="reading vm1", scale=azure.scale)
    assert vm is not None


async def test_a_question_of_a_waiting_person_is_answered_soon(arm: Arm, azure: Azure) -> None:
    arm.on(f"GET {vm_path()}", *MANY, Answer(body={"name": "vm1"}))
    get = azure.compute.virtual_machines.get
    with pytest.raises(AzureRefused) as caught:
        await asked(get, "rg", "vm1", what="reading vm1", kind="probe", scale=azure.scale)
    assert caught.value.code == "ConnectionFailed"
    assert len(arm.seen) < len(MANY)


async def test_an_azure_out_of_reach_is_one_finding(arm: Arm) -> None:
    """Not one for each of the questions that nobody could answer either."""
    settings = settings_of(arm, **NOWHERE)
    async with open_clients(settings) as azure:
        findings = (await look(azure, spec())).findings
    assert [finding.code for finding in findings] == ["not-reached"]
    assert "127.0.0.1:1" in findings[0].message


async def test_an_azure_out_of_reach_is_no_missing_source_vm(arm: Arm) -> None:
    settings = settings_of(
        arm, **NOWHERE, source_vm="old1", source_resource_group="old-rg", vm_name="lab1", domain="example.org"
    )
    with pytest.raises(PreflightFailed) as caught:
        await complete_spec(settings)
    assert [finding["code"] for finding in caught.value.findings] == ["not-reached"]


def test_a_certificate_that_is_not_trusted_is_not_waited_for() -> None:
    error = ServiceRequestError("x", error=ssl.SSLCertVerificationError("self-signed certificate"))
    assert not is_busy(translated(error, "reading vm1"), deleting=False)
