"""DNS zones and the A records of the services: found, made, overwritten with care, given back.

An A record that was there before is kept in the metadata of the one that overwrites it, so that it can be
put back even when the process and its database are gone. Every change is guarded by the record's ETag.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from azure.mgmt.dns.models import ARecord, RecordSet, Zone

from vhdlift.azure.delegation import check_ns_delegation, check_ns_delegation_with_retries
from vhdlift.azure.failures import incomplete
from vhdlift.azure.ownership import tagged
from vhdlift.azure.waiting import asked, found, listed
from vhdlift.errors import AzureRefused, VhdliftError
from vhdlift.model import EXPIRES_TAG, RUN_TAG, VERSION_TAG

if TYPE_CHECKING:
    from collections.abc import Mapping

    from vhdlift.azure.clients import Azure
    from vhdlift.model import Run

__all__ = [
    "RecordPlace",
    "addresses",
    "check_ns_delegation",
    "check_ns_delegation_with_retries",
    "create_zone",
    "find_zone",
    "foreign_records",
    "group_of",
    "put_address",
    "take_back",
    "zones_named",
]

TTL_SECONDS = 300
_ADDRESS = "vhdlift-address"
_ORIGINAL = "vhdlift-original-"
# Metadata values share the limits of tags (256 characters), so a remembered record is kept in pieces.
_PIECE = 200
_ATTEMPTS = 5
_PUBLIC_IP = "microsoft.network/publicipaddresses"
_CHANGED_MEANWHILE = 412


@dataclass(frozen=True)
class RecordPlace:
    """Where a record set of type A lies; `name` is relative to the zone."""

    group: str
    zone: str
    name: str

    @property
    def what(self) -> str:
        """As it reads in a sentence."""
        return f"the record {self.name}.{self.zone}"


async def zones_named(azure: Azure, domain: str, group: str | None) -> list[Any]:
    """The public zones of that name: in `group`, or anywhere in the subscription."""
    what = f"looking for the DNS zone {domain}"
    if group:
        zone = await found(azure.dns.zones.get, group, domain, what=what, scale=azure.scale)
        return [zone] if zone is not None else []
    zones = await listed(azure.dns.zones.list, what=what, scale=azure.scale)
    return [z for z in zones if (z.name or "").lower() == domain.lower() and z.zone_type != "Private"]


async def find_zone(azure: Azure, domain: str, group: str | None) -> Any | None:
    """The zone of that name, or None.

    Raises:
        AzureRefused: there are several, and nothing says which one counts.
    """
    zones = await zones_named(azure, domain, group)
    if len(zones) > 1:
        groups = ", ".join(sorted(group_of(z.id) for z in zones))
        hint = "Say which with --dns-resource-group."
        raise AzureRefused(
            f"There are {len(zones)} DNS zones {domain}, in {groups}", "ZoneNotClear", 409, hint
        )
    return zones[0] if zones else None


async def create_zone(azure: Azure, domain: str, group: str, tags: Mapping[str, str]) -> Any:
    """A new zone, or the one that came into being since we looked."""
    what = f"creating the DNS zone {domain}"
    body = Zone(location="global", tags=dict(tags))
    zones = azure.dns.zones
    try:
        return await asked(
            zones.create_or_update,
            group,
            domain,
            body,
            if_none_match="*",
            what=what,
            kind="network",
            scale=azure.scale,
        )
    except AzureRefused as refusal:
        if refusal.status != _CHANGED_MEANWHILE:
            raise
    return await asked(zones.get, group, domain, what=what, scale=azure.scale)


async def foreign_records(azure: Azure, domain: str, group: str) -> list[str]:
    """The record sets of a zone beside its own SOA and NS, as `name (type)`."""
    what = f"listing the records of {domain}"
    records = await listed(
        azure.dns.record_sets.list_by_dns_zone, group, domain, what=what, scale=azure.scale
    )
    kinds = [(r.name or "", (r.type or "").rpartition("/")[2].upper()) for r in records]
    return [f"{name} ({kind})" for name, kind in kinds if name != "@" or kind not in {"SOA", "NS"}]


async def put_address(azure: Azure, place: RecordPlace, address: str, run: Run) -> dict[str, Any] | None:
    """Make the A record point to `address` alone; returns what it overwrote (plain data), or None.

    A record that this run wrote before keeps what it remembers, so this may be repeated.

    Raises:
        AzureRefused: Azure refused, or the record kept changing under our hands.
    """
    records = azure.dns.record_sets
    for _ in range(_ATTEMPTS):
        there = await _record(azure, place)
        if _is_done(there, address, run.id):
            return remembered(there)
        body = RecordSet(
            ttl=TTL_SECONDS,
            a_records=[ARecord(ipv4_address=address)],
            metadata={
                **_metadata(there, run.id),
                EXPIRES_TAG: run.expires,
                VERSION_TAG: run.version,
                _ADDRESS: address,
            },
        )
        guard = {"if_match": there.etag} if there is not None else {"if_none_match": "*"}
        what = f"writing {place.what}"
        of = (place.group, place.zone, place.name, "A", body)
        try:
            done = await asked(records.create_or_update, *of, **guard, what=what, scale=azure.scale)
        except AzureRefused as refusal:
            if refusal.status != _CHANGED_MEANWHILE:
                raise
        else:
            return remembered(done)
    raise AzureRefused(f"{place.what} is being changed by somebody else", "PreconditionFailed", 412)


async def addresses(azure: Azure, domain: str, group: str) -> list[Any]:
    """All A records of a zone."""
    of = (group, domain, "A")
    what = f"listing the A records of {domain}"
    return await listed(azure.dns.record_sets.list_by_type, *of, what=what, scale=azure.scale)


async def take_back(azure: Azure, place: RecordPlace, run_id: str) -> None:
    """Put back what our record overwrote, or delete it; anything else of that name stays as it is.

    A record that we wrote and that somebody has pointed elsewhere since, metadata and all, is theirs. What
    ours overwrote may be of another run, whose address is gone: then what that one overwrote is put back.

    Raises:
        VhdliftError: our record could not be removed.
    """
    records, what = azure.dns.record_sets, f"giving back {place.what}"
    of = (place.group, place.zone, place.name, "A")
    for _ in range(_ATTEMPTS):
        there = await _record(azure, place)
        if there is None or not _is_as_written(there, run_id):
            return
        original = await _still_valid(azure, remembered(there))
        guard = {"if_match": there.etag}
        try:
            if original is not None:
                body = RecordSet.from_dict(original)
                await asked(records.create_or_update, *of, body, **guard, what=what, scale=azure.scale)
            else:
                await asked(records.delete, *of, **guard, what=what, scale=azure.scale)
        except AzureRefused as refusal:
            if refusal.status != _CHANGED_MEANWHILE:
                raise
    raise VhdliftError(f"{place.what} is still there")


async def _still_valid(azure: Azure, original: dict[str, Any] | None) -> dict[str, Any] | None:
    """The record set, or what is left below it of runs that still have an address."""
    while original is not None:
        metadata = dict(original.get("properties", {}).get("metadata") or {})
        other = metadata.get(RUN_TAG)
        if not other or await _has_address(azure, other):
            return original
        original = _remembered(metadata, f"of run {other}")
    return None


async def _has_address(azure: Azure, run_id: str) -> bool:
    """Whether a public IP address of that run is there."""
    return any(one.type == _PUBLIC_IP for one in await tagged(azure, run_id))


def remembered(record: Any) -> dict[str, Any] | None:
    """The record set that this one overwrote, as ARM's own JSON, or None.

    Raises:
        VhdliftError: somebody changed what was remembered.
    """
    return _remembered(record.metadata or {}, record.name)


def _remembered(metadata: Mapping[str, str], name: str) -> dict[str, Any] | None:
    names = [n for n in metadata if n.startswith(_ORIGINAL)]
    if not names:
        return None
    text = "".join(metadata[f"{_ORIGINAL}{i}"] for i in range(len(names)) if f"{_ORIGINAL}{i}" in metadata)
    try:
        value = json.loads(text)
    except ValueError:
        value = None
    if not isinstance(value, dict):
        raise VhdliftError(f"What the record {name} overwrote can no longer be read from its metadata")
    return value


def group_of(resource_id: str) -> str:
    """The resource group in an ARM id.

    Raises:
        AzureRefused: it is no id.
    """
    _, there, group = resource_id.lower().partition("/resourcegroups/")
    if not there or not group:
        raise incomplete("reading the DNS zone", "id")
    return resource_id[-len(group) :].partition("/")[0]


async def _record(azure: Azure, place: RecordPlace) -> Any | None:
    of = (place.group, place.zone, place.name, "A")
    return await found(azure.dns.record_sets.get, *of, what=f"reading {place.what}", scale=azure.scale)


def _is_done(record: Any | None, address: str, run_id: str) -> bool:
    if record is None or (record.metadata or {}).get(RUN_TAG) != run_id or record.ttl != TTL_SECONDS:
        return False
    return [a.ipv4_address for a in record.a_records or []] == [address]


def _is_as_written(record: Any, run_id: str) -> bool:
    metadata = record.metadata or {}
    wrote, now = metadata.get(_ADDRESS), [a.ipv4_address for a in record.a_records or []]
    return metadata.get(RUN_TAG) == run_id and (wrote is None or now == [wrote])


def _metadata(record: Any | None, run_id: str) -> dict[str, str]:
    """Ours, with what it overwrites; what it remembers already stays."""
    if record is None:
        return {RUN_TAG: run_id}
    if (record.metadata or {}).get(RUN_TAG) == run_id:
        return dict(record.metadata)
    text = json.dumps(_plain(record), separators=(",", ":"))
    pieces = [text[i : i + _PIECE] for i in range(0, len(text), _PIECE)]
    return {RUN_TAG: run_id, **{f"{_ORIGINAL}{i}": piece for i, piece in enumerate(pieces)}}


def _plain(record: Any) -> dict[str, Any]:
    """A record set as the JSON that makes it again: what the service adds is left out."""
    kept = {"TTL", "metadata", "ARecords", "targetResource"}
    properties = record.serialize().get("properties")
    if not properties:
        raise incomplete(f"reading the record {record.name or ''}".rstrip(), "properties")
    return {"properties": {key: value for key, value in properties.items() if key in kept and value}}
