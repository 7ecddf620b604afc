"""DNS zones and record sets answer in Azure DNS's own manner, as recorded."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
import pytest_asyncio
from azure.core.exceptions import HttpResponseError, ResourceNotFoundError

from tests.armlocal.armworld import Arm, running_arm

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path

    from tests.armlocal.conftest import Certificates

ZONE = "example.org"
RECORD: dict[str, Any] = {"properties": {"TTL": 300, "ARecords": [{"ipv4Address": "203.0.113.9"}]}}


@pytest_asyncio.fixture
async def arm(certificates: Certificates, tmp_path: Path) -> AsyncIterator[Arm]:
    async with running_arm(certificates, tmp_path) as started:
        await started.make_group()
        yield started


async def make_zone(arm: Arm, group: str = "lab") -> Any:
    return await arm.dns.zones.create_or_update(group, ZONE, {"location": "global"})


def zone_path(arm: Arm) -> str:
    return arm.id("lab", f"Microsoft.Network/dnsZones/{ZONE}")


async def test_a_zone_is_there_at_once_with_four_servers_and_two_record_sets(arm: Arm) -> None:
    answer = await arm.http.put(zone_path(arm), json={"location": "global"})
    zone = answer.json()
    assert answer.status_code == 201
    assert zone["type"] == "Microsoft.Network/dnszones"
    assert "/Microsoft.Network/dnszones/" in zone["id"]
    assert len(zone["properties"]["nameServers"]) == 4
    assert zone["properties"]["numberOfRecordSets"] == 2
    assert zone["properties"]["maxNumberOfRecordsPerRecordSet"] is None
    assert answer.headers["etag"] == zone["etag"]
    assert (await arm.http.put(zone_path(arm), json={"location": "global"})).status_code == 200


async def test_slashes_are_escaped(arm: Arm) -> None:
    await make_zone(arm)
    text = (await arm.http.get(zone_path(arm))).text
    assert '"id":"\\/subscriptions\\/' in text


async def test_zones_of_one_name_in_two_groups_have_different_servers(arm: Arm) -> None:
    await arm.make_group("other")
    first, second = await make_zone(arm), await make_zone(arm, "other")
    assert not set(first.name_servers) & set(second.name_servers)


async def test_a_zone_is_global(arm: Arm) -> None:
    refused = await arm.http.put(zone_path(arm), json={"location": "uksouth"})
    assert refused.json()["error"]["code"] == "LocationNotAvailableForResourceType"


async def test_a_zone_that_is_there_cannot_be_created_again(arm: Arm) -> None:
    await make_zone(arm)
    refused = await arm.http.put(zone_path(arm), json={"location": "global"}, headers={"If-None-Match": "*"})
    message = f"The Zone {ZONE} exists already and hence cannot be created again."
    assert (refused.status_code, refused.json()) == (412, {"code": "PreconditionFailed", "message": message})


async def test_an_old_etag_of_a_zone_is_a_412_without_wrapper(arm: Arm) -> None:
    await make_zone(arm)
    refused = await arm.http.put(zone_path(arm), json={"location": "global"}, headers={"If-Match": "old"})
    message = f"The Zone {ZONE} has been modified (etag mismatch)."
    assert (refused.status_code, refused.json()) == (412, {"code": "PreconditionFailed", "message": message})


async def test_a_record_set_comes_changes_and_goes(arm: Arm) -> None:
    await make_zone(arm)
    path = f"{zone_path(arm)}/A/pin"
    made = await arm.http.put(path, json={"properties": {**RECORD["properties"], "metadata": {"run": "1"}}})
    assert made.status_code == 201
    assert made.json()["properties"] == {
        "metadata": {"run": "1"},
        "fqdn": f"pin.{ZONE}.",
        "TTL": 300,
        "ARecords": [{"ipv4Address": "203.0.113.9"}],
        "targetResource": {},
        "provisioningState": "Succeeded",
    }
    changed = await arm.http.put(path, json=RECORD)
    assert changed.status_code == 200
    assert changed.json()["etag"] != made.json()["etag"]
    assert "metadata" not in changed.json()["properties"]
    assert (await arm.http.delete(path)).status_code == 200
    assert (await arm.http.delete(path)).status_code == 204


async def test_a_missing_record_set_is_a_404_without_wrapper(arm: Arm) -> None:
    await make_zone(arm)
    missing = await arm.http.get(f"{zone_path(arm)}/A/none")
    message = (
        "The resource record 'none' does not exist in resource group 'lab' "
        f"of subscription '{arm.world.subscription_id}'."
    )
    assert (missing.status_code, missing.json()) == (404, {"code": "NotFound", "message": message})
    with pytest.raises(ResourceNotFoundError):
        await arm.dns.record_sets.get("lab", ZONE, "none", "A")


async def test_a_record_set_that_somebody_changed_is_not_deleted_by_its_old_etag(arm: Arm) -> None:
    await make_zone(arm)
    sets = arm.dns.record_sets
    old = await sets.create_or_update("lab", ZONE, "pin", "A", RECORD)
    await sets.create_or_update("lab", ZONE, "pin", "A", RECORD)
    with pytest.raises(HttpResponseError) as refused:
        await sets.delete("lab", ZONE, "pin", "A", if_match=old.etag)
    assert refused.value.status_code == 412
    assert "The Record set pin has been modified (etag mismatch)." in str(refused.value)


async def test_a_record_set_of_a_zone_that_is_gone_says_so(arm: Arm) -> None:
    refused = await arm.http.delete(f"{zone_path(arm)}/A/pin")
    assert (refused.status_code, refused.json()["error"]["code"]) == (404, "ParentResourceNotFound")
    missing = await arm.http.get(zone_path(arm))
    assert f"'Microsoft.Network/dnszones/{ZONE}'" in missing.json()["error"]["message"]


@pytest.mark.parametrize(
    "properties",
    [{"TTL": 0, "ARecords": []}, {"ARecords": []}, {"TTL": 60, "ARecords": [{"ipv4Address": "1.2.3"}]}],
)
async def test_a_record_set_that_cannot_be_is_refused(arm: Arm, properties: dict[str, Any]) -> None:
    await make_zone(arm)
    refused = await arm.http.put(f"{zone_path(arm)}/A/pin", json={"properties": properties})
    assert (refused.status_code, refused.json()["code"]) == (400, "BadRequest")


async def test_the_sets_of_the_zone_itself_stay(arm: Arm) -> None:
    zone = await make_zone(arm)
    servers = await arm.dns.record_sets.get("lab", ZONE, "@", "NS")
    assert [r.nsdname for r in servers.ns_records] == zone.name_servers
    with pytest.raises(HttpResponseError):
        await arm.dns.record_sets.delete("lab", ZONE, "@", "NS")


async def test_a_cname_has_its_name_to_itself(arm: Arm) -> None:
    await make_zone(arm)
    cname = {"properties": {"TTL": 60, "CNAMERecord": {"cname": "elsewhere.example.net"}}}
    assert (await arm.http.put(f"{zone_path(arm)}/CNAME/pin", json=cname)).status_code == 201
    assert (await arm.http.put(f"{zone_path(arm)}/A/pin", json=RECORD)).status_code == 409


async def test_lists_of_zones_and_of_record_sets(arm: Arm) -> None:
    await make_zone(arm)
    await arm.dns.record_sets.create_or_update("lab", ZONE, "pin", "A", RECORD)
    assert [z.name async for z in arm.dns.zones.list()] == [ZONE]
    assert [z.name async for z in arm.dns.zones.list_by_resource_group("lab")] == [ZONE]
    everything = [(r.type, r.name) async for r in arm.dns.record_sets.list_by_dns_zone("lab", ZONE)]
    kinds = [(kind.rsplit("/", 1)[-1], name) for kind, name in everything]
    assert kinds == [("NS", "@"), ("SOA", "@"), ("A", "pin")]
    assert [r.name async for r in arm.dns.record_sets.list_by_type("lab", ZONE, "A")] == ["pin"]


async def test_a_zone_goes_with_its_record_sets_by_an_operation_of_dns_own_style(arm: Arm) -> None:
    await make_zone(arm)
    arm.world.scale = 2
    going = await arm.http.delete(zone_path(arm))
    assert going.status_code == 202
    assert (
        "/resourceGroups/lab/providers/Microsoft.Network/dnsOperationStatuses/"
        in (going.headers["azure-asyncoperation"])
    )
    running = await arm.http.get(going.headers["azure-asyncoperation"])
    assert (running.status_code, running.json()) == (202, {"status": "InProgress"})
    assert await arm.end(going.headers["azure-asyncoperation"]) == {"status": "Succeeded"}
    assert [r for r in arm.world.resources.values() if "dns" in r.type.lower()] == []
