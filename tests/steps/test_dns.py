"""DNS: a zone that was there stays, a record that was there comes back."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from tests.azure.conftest import SUBSCRIPTION, Answer, arm_error
from tests.steps.conftest import RUN_ID, World
from tests.steps.shelf import NETWORK, SERVERS
from vhdlift.errors import AzureRefused
from vhdlift.steps.dns_records_created import DnsRecordsCreated
from vhdlift.steps.dns_zone_ready import DnsZoneReady

ZONE = f"{NETWORK}/dnsZones/example.org"
ELSEWHERE = (
    f"/subscriptions/{SUBSCRIPTION}/resourceGroups/dns-rg/providers/Microsoft.Network/dnsZones/example.org"
)
RECORDS = [f"{ELSEWHERE}/A/{service}.lab1" for service in ("pin", "drop", "web")]
FACTS = {"zone_resource_group": "dns-rg", "address": "52.246.249.159"}
THEIRS: dict[str, Any] = {
    "properties": {
        "TTL": 60,
        "ARecords": [{"ipv4Address": "192.0.2.1"}, {"ipv4Address": "192.0.2.2"}],
        "metadata": {"owner": "them", "note": "x" * 300},
    }
}


def essence(world: World, path: str) -> dict[str, Any]:
    kept = world.shelf.at(path)
    assert kept is not None
    return {k: v for k, v in kept["properties"].items() if k in {"TTL", "ARecords", "metadata"}}


async def test_zone_is_made_when_there_is_none(world: World) -> None:
    """A missing zone is made in the target's group with the run's tag; an undo removes it."""
    made = await DnsZoneReady().do(world.context)
    assert made["zone_created"] is True
    assert made["zone_resource_group"] == "lab1-rg"
    assert made["name_servers"] == SERVERS
    assert world.entered == [ZONE]
    assert made == await DnsZoneReady().do(world.context)
    assert await DnsZoneReady().undo(world.context) == []
    assert world.shelf.ids() == []


async def test_group_that_is_not_everywhere_yet_is_waited_for(world: World) -> None:
    """As in a region that has not heard of a group that was made a moment ago."""
    unknown = Answer(404, arm_error("ResourceGroupNotFound", "Resource group 'lab1-rg' could not be found."))
    what = {"properties": {"zoneType": "Public", "nameServers": SERVERS}, "tags": {"vhdlift-run": RUN_ID}}
    zone = {"id": ZONE, "name": "example.org", **what}
    world.shelf.on(f"PUT {ZONE}", unknown, Answer(201, zone))
    assert (await DnsZoneReady().do(world.context))["zone_created"] is True


async def test_zone_that_exists_anywhere_is_used_and_kept(world: World) -> None:
    """A zone in another group is found, not made again, and survives the undo."""
    world.shelf.put(ELSEWHERE, {"location": "global"})
    world.shelf.put(f"{ELSEWHERE}/TXT/mail", {"properties": {"TTL": 60}})
    made = await DnsZoneReady().do(world.context)
    assert made["zone_created"] is False
    assert made["zone_resource_group"] == "dns-rg"
    assert await DnsZoneReady().undo(world.context) == []
    assert world.shelf.ids() == [ELSEWHERE, f"{ELSEWHERE}/TXT/mail"]


async def test_two_zones_of_one_name_are_not_guessed_between(world: World) -> None:
    """With two zones of that name the group has to be said."""
    world.shelf.put(ELSEWHERE, {"location": "global"})
    world.shelf.put(ZONE, {"location": "global"})
    with pytest.raises(AzureRefused) as refused:
        await DnsZoneReady().do(world.context)
    assert "--dns-resource-group" in refused.value.hint
    made = await DnsZoneReady().do(world.with_spec(dns_resource_group="dns-rg"))
    assert made["zone_id"] == ELSEWHERE


async def test_zone_with_others_records_is_a_leftover(world: World) -> None:
    """A zone of this run into which somebody else has put something is not deleted, but named."""
    await DnsZoneReady().do(world.context)
    world.shelf.put(f"{ZONE}/TXT/mail", {"properties": {"TTL": 60}})
    left = await DnsZoneReady().undo(world.context)
    assert [each.resource_id for each in left] == [ZONE]
    assert "mail (TXT)" in left[0].reason
    assert world.shelf.at(ZONE) is not None


async def test_records_point_to_the_address(world: World) -> None:
    """Each service has its record, with 300 seconds to live; an undo removes all three."""
    world.shelf.put(ELSEWHERE, {"location": "global"})
    made = await DnsRecordsCreated().do(world.with_facts(**FACTS))
    assert made["hosts"]["pin"] == "pin.lab1.example.org"
    assert made["overwritten"] == []
    assert sorted(world.entered) == sorted(RECORDS)
    for path in RECORDS:
        kept = essence(world, path)
        assert kept["TTL"] == 300
        assert kept["ARecords"] == [{"ipv4Address": "52.246.249.159"}]
        assert kept["metadata"]["vhdlift-run"] == RUN_ID
    assert await DnsRecordsCreated().undo(world.context) == []
    assert world.shelf.ids() == [ELSEWHERE]


async def test_overwritten_record_comes_back_without_any_facts(world: World) -> None:
    """What a record overwrote is put back from the record itself, also after `do` was repeated."""
    world.shelf.put(ELSEWHERE, {"location": "global"})
    world.shelf.put(RECORDS[0], THEIRS)
    first = await DnsRecordsCreated().do(world.with_facts(**FACTS))
    again = await DnsRecordsCreated().do(world.with_facts(**FACTS))
    assert first == again
    assert first["overwritten"][0]["host"] == "pin.lab1.example.org"
    assert all(len(v) <= 256 for v in essence(world, RECORDS[0])["metadata"].values())
    assert essence(world, RECORDS[0])["ARecords"] == [{"ipv4Address": "52.246.249.159"}]
    assert await DnsRecordsCreated().undo(world.context) == []
    assert essence(world, RECORDS[0]) == THEIRS["properties"]
    assert world.shelf.at(RECORDS[1]) is None


async def test_new_address_keeps_the_first_original(world: World) -> None:
    """A second write of this run with another address does not take our own record for the original."""
    world.shelf.put(ELSEWHERE, {"location": "global"})
    world.shelf.put(RECORDS[0], THEIRS)
    await DnsRecordsCreated().do(world.with_facts(**FACTS))
    await DnsRecordsCreated().do(world.with_facts(**{**FACTS, "address": "198.51.100.9"}))
    assert essence(world, RECORDS[0])["ARecords"] == [{"ipv4Address": "198.51.100.9"}]
    await DnsRecordsCreated().undo(world.context)
    assert essence(world, RECORDS[0]) == THEIRS["properties"]


@pytest.mark.parametrize("there", [True, False])
async def test_record_of_another_run_comes_back_only_with_its_address(there: bool, world: World) -> None:
    """An address that was given back may be anybody's tomorrow: then what that run overwrote comes back."""
    world.shelf.put(ELSEWHERE, {"location": "global"})
    world.shelf.put(RECORDS[0], THEIRS)
    first = replace(
        world.with_facts(**FACTS), run=replace(world.context.run, id="01JD0000000000000000000001")
    )
    await DnsRecordsCreated().do(first)
    theirs = essence(world, RECORDS[0])
    await DnsRecordsCreated().do(world.with_facts(**{**FACTS, "address": "198.51.100.9"}))
    ip = {
        "id": f"{NETWORK}/publicIPAddresses/lab0-ip",
        "name": "lab0-ip",
        "tags": {"vhdlift-run": first.run.id},
    }
    everything = f"GET /subscriptions/{SUBSCRIPTION}/resources"
    world.shelf.on(everything, Answer(body={"value": [ip] if there else []}))
    assert await DnsRecordsCreated().undo(world.context) == []
    assert essence(world, RECORDS[0]) == (theirs if there else THEIRS["properties"])
    assert (world.shelf.at(RECORDS[1]) is not None) == there


async def test_record_changed_since_is_left_alone(world: World) -> None:
    """A record that somebody else has rewritten is not ours any more."""
    world.shelf.put(ELSEWHERE, {"location": "global"})
    await DnsRecordsCreated().do(world.with_facts(**FACTS))
    world.shelf.put(RECORDS[2], THEIRS)
    assert await DnsRecordsCreated().undo(world.context) == []
    assert essence(world, RECORDS[2]) == THEIRS["properties"]


async def test_record_pointed_elsewhere_since_is_left_alone(world: World) -> None:
    """The portal keeps our metadata when somebody edits the address; the address is theirs all the same."""
    world.shelf.put(ELSEWHERE, {"location": "global"})
    await DnsRecordsCreated().do(world.with_facts(**FACTS))
    theirs = world.shelf.at(RECORDS[2])
    assert theirs is not None
    theirs["properties"]["ARecords"] = [{"ipv4Address": "203.0.113.9"}]
    assert await DnsRecordsCreated().undo(world.context) == []
    assert world.shelf.ids() == [ELSEWHERE, RECORDS[2]]


async def test_change_under_our_hands_is_seen_by_the_etag(world: World) -> None:
    """A write that meets a changed record looks again instead of overwriting unseen."""
    world.shelf.put(ELSEWHERE, {"location": "global"})
    stale = {"code": "PreconditionFailed", "message": "The Record set has been modified (etag mismatch)."}
    world.shelf.on(
        f"PUT {RECORDS[0]}", Answer(412, stale), Answer(200, {"etag": "x", "properties": {"TTL": 300}})
    )
    await DnsRecordsCreated().do(world.with_facts(**FACTS))
    assert len(world.shelf.of("PUT", "/A/pin.lab1")) == 2


async def test_every_write_is_guarded(world: World) -> None:
    """New records only if there is none, others only as they were read."""
    world.shelf.put(ELSEWHERE, {"location": "global"})
    there = world.shelf.put(RECORDS[0], THEIRS)
    guard = there["etag"]
    await DnsRecordsCreated().do(world.with_facts(**FACTS))
    headers = {
        seen.path.split("?")[0].rpartition("/")[2]: seen.headers for seen in world.shelf.of("PUT", "/A/")
    }
    assert headers["pin.lab1"]["if-match"] == guard
    assert headers["web.lab1"]["if-none-match"] == "*"


async def test_undo_without_a_zone_is_nothing(world: World) -> None:
    """No zone, no records, nothing left."""
    assert await DnsRecordsCreated().undo(world.context) == []


async def test_zone_made_by_another_meanwhile_is_taken(world: World) -> None:
    """A zone that came into being between look and create is used, and not ours."""
    theirs = {"id": ZONE, "name": "example.org", "tags": {}, "properties": {"nameServers": SERVERS}}
    world.shelf.on(f"PUT {ZONE}", Answer(412, {"code": "PreconditionFailed", "message": "exists already"}))
    world.shelf.on(f"GET {ZONE}", Answer(body=theirs))
    made = await DnsZoneReady().do(world.context)
    assert made["zone_created"] is False
    assert world.shelf.of("PUT")[0].headers["If-None-Match"] == "*"


async def test_record_that_never_rests_is_an_error(world: World) -> None:
    """A record that is changed again at each write is given up, not overwritten."""
    world.shelf.put(ELSEWHERE, {"location": "global"})
    world.shelf.on(f"PUT {RECORDS[0]}", Answer(412, {"code": "PreconditionFailed", "message": "modified"}))
    with pytest.raises(AzureRefused, match="changed by somebody else"):
        await DnsRecordsCreated().do(world.with_facts(**FACTS))


async def test_record_that_cannot_go_is_a_leftover_and_the_others_go(world: World) -> None:
    """One refused deletion names one record with its command."""
    world.shelf.put(ELSEWHERE, {"location": "global"})
    await DnsRecordsCreated().do(world.with_facts(**FACTS))
    world.shelf.on(f"DELETE {RECORDS[1]}", Answer(409, {"code": "ScopeLocked", "message": "locked"}))
    (left,) = await DnsRecordsCreated().undo(world.context)
    assert left.resource_id == RECORDS[1]
    assert "ScopeLocked" in left.reason
    assert left.command.endswith("--zone-name example.org --name drop.lab1")
    assert world.shelf.ids() == [ELSEWHERE, RECORDS[1]]


async def test_memory_that_was_tampered_with_is_an_error(world: World) -> None:
    """What cannot be read back is not guessed: the record stays, and is named."""
    world.shelf.put(ELSEWHERE, {"location": "global"})
    world.shelf.put(RECORDS[0], THEIRS)
    await DnsRecordsCreated().do(world.with_facts(**FACTS))
    kept = world.shelf.at(RECORDS[0])
    assert kept is not None
    kept["properties"]["metadata"]["vhdlift-original-1"] = "!"
    (left,) = await DnsRecordsCreated().undo(world.context)
    assert left.resource_id == RECORDS[0]
    assert "can no longer be read" in left.reason
