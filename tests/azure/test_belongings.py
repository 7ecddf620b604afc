"""What belongs to runs is found by tags, metadata and descriptions, and expires by Azure's clock."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest

from tests.azure.conftest import SUBSCRIPTION, Answer, Arm, arm_error, group_path
from vhdlift.azure.belongings import Belongings, Survey, survey
from vhdlift.azure.clients import Azure
from vhdlift.model import short_of

RUN, OTHER = "01JD0000000000000000000000", "01JD0000000000000000000001"
ROOT = f"/subscriptions/{SUBSCRIPTION}"
IP = f"{group_path()}/providers/Microsoft.Network/publicIPAddresses/lab1-ip"
SNAPSHOT = f"{group_path()}/providers/Microsoft.Compute/snapshots/old1-1"
ZONE = f"{group_path()}/providers/Microsoft.Network/dnsZones/example.org"
NSG = f"{group_path()}/providers/Microsoft.Network/networkSecurityGroups/lab1-nsg"
OVER = "2026-01-31T00:00:00Z"


def tags(run: str = RUN, **more: str) -> dict[str, str]:
    return {"vhdlift-run": run, "vhdlift-expires": OVER, **more}


def rule(name: str, description: str) -> dict[str, Any]:
    return {"name": name, "properties": {"description": description}}


@pytest.fixture
def empty(arm: Arm) -> Arm:
    """A subscription in which nothing is."""
    for path in ("resources", "resourcegroups"):
        arm.on(f"GET {ROOT}/{path}", Answer(body={"value": []}))
    arm.on(f"GET {ROOT}/providers/Microsoft.Network/dnszones", Answer(body={"value": []}))
    arm.on(f"GET {ROOT}/providers/Microsoft.Network/networkSecurityGroups", Answer(body={"value": []}))
    return arm


def has(arm: Arm, *items: dict[str, Any], **headers: str) -> None:
    arm.on(f"GET {ROOT}/resources", Answer(body={"value": list(items)}, headers=headers))


async def test_tags_that_the_list_leaves_out_are_read(empty: Arm, azure: Azure) -> None:
    """The service's reference says that a list by tag may come without the tags."""
    has(empty, {"id": IP})
    types = [{"resourceType": "publicIPAddresses", "apiVersions": ["2025-01-01"]}]
    empty.on(f"GET {ROOT}/providers/Microsoft.Network", Answer(body={"resourceTypes": types}))
    empty.on(f"GET {IP}", Answer(body={"id": IP, "tags": tags()}))
    runs = (await survey(azure)).runs
    assert [thing.id for thing in runs[RUN].things] == [IP]


async def test_records_and_rules_are_found_without_tags(empty: Arm, azure: Azure) -> None:
    """Those that say whose they are; a rule's name has to fit its run too."""
    empty.on(
        f"GET {ROOT}/providers/Microsoft.Network/dnszones",
        Answer(body={"value": [{"id": ZONE, "name": "example.org"}]}),
    )
    mine = {"name": "pin.lab1", "properties": {"metadata": tags()}}
    theirs = {"name": "www", "properties": {"metadata": {"owner": "them"}}}
    empty.on(f"GET {ZONE}/A", Answer(body={"value": [mine, theirs]}))
    name, said = f"vhdlift-{short_of(RUN)}-443", f"vhdlift-run={RUN} vhdlift-expires={OVER}"
    rules = [rule(name, f"Made by vhdlift. {said}"), rule("copied", said), rule("theirs", "")]
    body = {"value": [{"id": NSG, "properties": {"securityRules": rules}}]}
    empty.on(f"GET {ROOT}/providers/Microsoft.Network/networkSecurityGroups", Answer(body=body))
    found = (await survey(azure)).runs
    assert list(found) == [RUN]
    assert [place.name for place in found[RUN].records] == ["pin.lab1"]
    assert [place.name for place in found[RUN].rules] == [name]


async def test_a_page_that_fails_loses_none_before_it(empty: Arm, azure: Azure) -> None:
    """The list is read again from its start."""
    first, second = {"id": ZONE, "name": "example.org"}, {"id": f"{ZONE}2", "name": "example.org2"}
    path = f"{ROOT}/providers/Microsoft.Network/dnszones"
    more = f"{empty.url}{path}/more"
    empty.on(f"GET {path}", Answer(body={"value": [first], "nextLink": more}))
    busy = Answer(409, arm_error("Conflict", "Busy."))
    empty.on(f"GET {path}/more", busy, Answer(body={"value": [second]}))
    for zone in (first, second):
        empty.on(
            f"GET {zone['id']}/A",
            Answer(body={"value": [{"name": "pin", "properties": {"metadata": tags()}}]}),
        )
    records = (await survey(azure)).runs[RUN].records
    assert [place.zone for place in records] == ["example.org", "example.org2"]


async def test_one_run_is_looked_for_alone(empty: Arm, azure: Azure) -> None:
    """Whatever a lax list adds."""
    has(empty, {"id": IP, "tags": tags(OTHER)}, {"id": SNAPSHOT, "tags": tags()})
    assert list((await survey(azure, RUN)).runs) == [RUN]


async def test_the_time_is_azure_s(empty: Arm, azure: Azure) -> None:
    """A clock of ours that is years ahead must not remove anything."""
    has(empty, Date="Wed, 01 Jan 2020 00:00:00 GMT")
    empty.on(
        f"GET {ROOT}/resourcegroups",
        Answer(body={"value": []}, headers={"Date": "Wed, 01 Jan 2020 00:00:02 GMT"}),
    )
    assert (await survey(azure)).now.isoformat() == "2020-01-01T00:00:02+00:00"


async def test_the_source_vm_is_told_by_tags(empty: Arm, azure: Azure) -> None:
    """A power state that there is not is no wish."""
    source = {"vhdlift-source": "old-rg/old1"}
    power = {"id": SNAPSHOT, "tags": tags(**{"vhdlift-source-power": "running"})}
    has(empty, {"id": IP, "tags": tags(**source)}, power)
    found = (await survey(azure)).runs[RUN].source
    assert found is not None
    assert (found.group, found.name, found.wanted) == ("old-rg", "old1", "running")
    given = {"id": SNAPSHOT, "tags": tags(**source, **{"vhdlift-source-power": "given back"})}
    has(empty, given)
    again = (await survey(azure)).runs[RUN].source
    assert again is not None
    assert again.wanted is None


async def test_where_could_not_be_looked_is_told(empty: Arm, azure: Azure) -> None:
    """Not being allowed to look is no proof of absence."""
    denied = Answer(403, arm_error("AuthorizationFailed", "No."))
    empty.on(f"GET {ROOT}/providers/Microsoft.Network/dnszones", denied)
    empty.on(f"GET {ROOT}/providers/Microsoft.Network/networkSecurityGroups", denied)
    unseen = (await survey(azure)).unseen
    assert [row.command for row in unseen] == ["az network dns zone list", "az network nsg list"]
    assert all("AuthorizationFailed" in row.reason for row in unseen)


@pytest.mark.parametrize(
    ("ends", "expires"),
    [
        ({OVER}, "2026-01-31T00:00:00+00:00"),
        ({OVER, "2027-01-31T00:00:00Z"}, "2027-01-31T00:00:00+00:00"),
        ({OVER, "never"}, None),
        ({OVER, ""}, None),
        ({OVER, "soon"}, None),
    ],
)
def test_the_latest_expiry_counts_and_what_cannot_be_read_is_none(
    ends: set[str], expires: str | None
) -> None:
    """Whoever keeps one resource for longer keeps the run; a run that says nothing clear is kept."""
    told = Belongings(RUN, ends=ends).expires
    assert (told.isoformat() if told else None) == expires


def test_every_text_about_the_expiry_is_kept() -> None:
    """Each thing of a run has its say."""
    found = Survey(datetime.now(UTC))
    found.of(RUN, OVER)
    assert found.of(RUN, "never").expires is None
