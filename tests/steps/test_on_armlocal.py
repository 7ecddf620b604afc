"""The steps of the target VM against the stand-in, which keeps ARM's own rules about what is in use."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import pytest
from azure.mgmt.dns.models import ARecord, RecordSet, Zone

from tests.localcloud import LocalCloud, serving
from tests.steps.conftest import RUN_ID
from vhdlift.azure.clients import Azure, open_clients
from vhdlift.azure.preflight import check, complete_spec
from vhdlift.errors import AzureRefused, Leftover
from vhdlift.model import Run
from vhdlift.settings import load_settings
from vhdlift.steps import STEPS
from vhdlift.steps.base import Context

TARGET = (
    "resource_group_ready",
    "network_created",
    "public_ip_created",
    "security_group_created",
    "interface_created",
    "dns_zone_ready",
    "dns_delegation_verified",
    "dns_records_created",
    "vm_created",
    "public_ip_verified",
)


@pytest.fixture(scope="module")
def cloud(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LocalCloud]:
    with serving(tmp_path_factory.mktemp("armlocal"), "--port", "0", "--time-scale", "0.01") as cloud:
        yield cloud


@dataclass
class Lab:
    """The stand-in, clients for it, and a run that does its steps one after the other."""

    cloud: LocalCloud
    azure: Azure
    context: Context
    facts: dict[str, Any] = field(default_factory=dict)

    async def do(self, *names: str) -> None:
        for name in names:
            self.facts |= await STEPS[name].do(replace(self.context, facts=dict(self.facts)))

    async def undo(self) -> Sequence[Leftover]:
        """All of it in reverse, with nothing remembered."""
        left: list[Leftover] = []
        for name in reversed(TARGET):
            left += await STEPS[name].undo(self.context)
        return left


@pytest.fixture
async def lab(cloud: LocalCloud) -> AsyncIterator[Lab]:
    cloud.reset()
    given = {"vm_name": "lab1", "resource_group": "lab1-rg"}
    settings = load_settings(given, env={**cloud.env, "VHDLIFT_ADMIN_PASSWORD": "Correct-Horse-9-Battery"})
    spec = await complete_spec(settings)
    run = Run(RUN_ID, spec, "2026-01-01T00:00:00+00:00", "0.1.0")

    async def nothing(*_: Any) -> None:
        return None

    async with open_clients(settings) as azure:
        yield Lab(cloud, azure, Context(run, azure, settings, {}, nothing, nothing, nothing))


async def test_starting_world_can_be_exported(lab: Lab) -> None:
    """Nothing speaks against the stand-in's own source VM; its VHD is to be smaller than its disk."""
    report = await check(lab.context.settings, lab.context.run.spec)
    assert {finding.severity for finding in report.findings} <= {"notice"}
    assert "target-size" in {finding.code for finding in report.findings}


async def test_all_that_is_made_goes_again_without_any_facts(lab: Lab) -> None:
    """Made, and taken back by names and tags alone, while a deleted VM still reserves its interface."""
    before = lab.cloud.left()
    await lab.do(*TARGET)
    made = {row["id"].lower() for row in lab.cloud.left()} - {row["id"].lower() for row in before}
    assert len(made) >= 8
    assert await lab.undo() == []
    assert lab.cloud.left() == before


async def test_done_twice_is_done_once(lab: Lab) -> None:
    """Every step repeated gives the same facts and nothing more."""
    await lab.do(*TARGET)
    first, there = dict(lab.facts), lab.cloud.left()
    await lab.do(*TARGET)
    assert lab.facts == first
    assert lab.cloud.left() == there
    await lab.undo()


async def test_zone_record_and_group_of_others_survive(lab: Lab) -> None:
    """What was there before is there afterwards, with the content it had."""
    names = lab.context.names
    await lab.azure.resources.resource_groups.create_or_update("theirs", {"location": "uksouth"})
    await lab.azure.dns.zones.create_or_update("theirs", names.zone, Zone(location="global"))
    body = RecordSet(ttl=60, a_records=[ARecord(ipv4_address="192.0.2.1")], metadata={"owner": "them"})
    place = ("theirs", names.zone, names.record("drop"), "A")
    await lab.azure.dns.record_sets.create_or_update(*place, body)
    before = lab.cloud.left()
    await lab.do(*TARGET)
    ours = await lab.azure.dns.record_sets.get(*place)
    assert [a.ipv4_address for a in ours.a_records or []] == [lab.facts["address"]]
    assert await lab.undo() == []
    again = await lab.azure.dns.record_sets.get(*place)
    assert (again.ttl, again.metadata) == (60, {"owner": "them"})
    assert [a.ipv4_address for a in again.a_records or []] == ["192.0.2.1"]
    assert [row["id"] for row in lab.cloud.left()] == [row["id"] for row in before]


async def test_borrowed_security_group_survives(lab: Lab) -> None:
    """A group that was there keeps its rules and loses ours."""
    names = lab.context.names
    groups: Any = lab.azure.network.network_security_groups
    await lab.azure.resources.resource_groups.create_or_update(names.group, {"location": "uksouth"})
    rule = {
        "name": "theirs",
        "properties": {
            "priority": 100,
            "direction": "Inbound",
            "access": "Deny",
            "protocol": "*",
            "sourcePortRange": "*",
            "destinationPortRange": "3389",
            "sourceAddressPrefix": "*",
            "destinationAddressPrefix": "*",
        },
    }
    poller = await groups.begin_create_or_update(
        names.group, names.nsg, {"location": "uksouth", "properties": {"securityRules": [rule]}}
    )
    await poller.result()
    await lab.do(*TARGET)
    assert lab.facts["security_group_borrowed"] is True
    assert await lab.undo() == []
    kept = await groups.get(names.group, names.nsg)
    assert [r.name for r in kept.security_rules] == ["theirs"]


async def test_refused_size_names_others(lab: Lab) -> None:
    """A size that Azure has no room for comes with the nearest that it offers."""
    lab.cloud.fault(
        "PUT Microsoft.Compute/virtualMachines", status=409, code="SkuNotAvailable", message="No room for it."
    )
    with pytest.raises(AzureRefused) as refused:
        await lab.do(*TARGET)
    assert refused.value.code == "SkuNotAvailable"
    assert refused.value.hint.startswith("The nearest sizes that fit: Standard_D4")
    assert await lab.undo() == []
