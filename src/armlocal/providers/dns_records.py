"""Record sets of DNS zones: one resource for each type and name, answered at once."""

from __future__ import annotations

import ipaddress
import re
from typing import TYPE_CHECKING, Any

from armlocal.errors import ArmError
from armlocal.providers.base import Call, Reply
from armlocal.state import make_resource

if TYPE_CHECKING:
    from armlocal.providers.base import Routes
    from armlocal.state import Resource, World

Json = dict[str, Any]
TYPE = "Microsoft.Network/dnszones"
HEADERS = {"Cache-Control": "private", "X-Powered-By": "ASP.NET"}
FIELDS = {
    "A": "ARecords",
    "AAAA": "AAAARecords",
    "CNAME": "CNAMERecord",
    "NS": "NSRecords",
    "SOA": "SOARecord",
    "TXT": "TXTRecords",
}
"""The record types there are here, and the property that holds their records."""

_OFFICIAL = {name.lower(): name for name in ("TTL", "metadata", *FIELDS.values())}
_LABEL = r"(\*|[a-z0-9_]([a-z0-9_-]{0,61}[a-z0-9_])?)"
_NAME = re.compile(rf"(@|{_LABEL}(\.{_LABEL})*)$", re.IGNORECASE)
_LONGEST_TTL = 2147483647


def lower_type(text: str) -> str:
    """An id as Azure DNS writes it: `dnszones` in lower case."""
    return re.sub("/dnszones/", "/dnszones/", text, flags=re.IGNORECASE)


def check_etag(call: Call, resource: Resource | None, kind: str) -> None:
    """If-Match and If-None-Match.

    Args:
        call: the request.
        resource: what is there.
        kind: "Zone" or "Record set".

    Raises:
        ArmError: 412 as recorded in `CanDeleteWithExplicitETag` [10], `CanCreateWithDefaultETag` [3] and
            `test_dns_zone_update_if_match` [4].
    """
    wanted = call.headers.get("if-match")
    if wanted and (resource is None or wanted not in ("*", resource.body["etag"])):
        message = f"The {kind} {call.id.name} has been modified (etag mismatch)."
        raise ArmError(412, "PreconditionFailed", message, bare=True)
    if call.headers.get("if-none-match") == "*" and resource is not None:
        message = f"The {kind} {call.id.name} exists already and hence cannot be created again."
        raise ArmError(412, "PreconditionFailed", message, bare=True)


def _bad(message: str) -> ArmError:
    return ArmError(400, "BadRequest", message, bare=True)


def _kind(call: Call) -> str:
    return call.type.rsplit("/", 1)[-1].upper()


def add_record(world: World, zone: Resource, kind: str, name: str, properties: Json) -> Resource:
    """Puts a record set into a zone, in place of one that is there; only its etag is new then."""
    record_id = f"{zone.id}/{kind}/{name}"
    old = world.find(record_id)
    if old is not None:
        record_id = old.id
    fqdn = f"{zone.name}." if name == "@" else f"{name}.{zone.name}."
    metadata = {"metadata": properties["metadata"]} if properties.get("metadata") else {}
    body = {
        "id": lower_type(record_id),
        "etag": world.new_guid(),
        "properties": {
            **metadata,
            "fqdn": fqdn,
            **{k: v for k, v in properties.items() if k != "metadata"},
            "targetResource": {},
            "provisioningState": "Succeeded",
        },
    }
    return world.add(make_resource(record_id, f"{TYPE}/{kind}", body))


async def put(call: Call) -> Reply:
    """Makes a record set, or replaces it whole."""
    world, kind, name = call.world, _kind(call), call.id.name
    old = world.find(call.id.text)
    check_etag(call, old, "Record set")
    properties = _properties(call, kind)
    zone = world.resources[call.id.parent.key]
    _check_alone(world, zone, kind, name)
    if kind == "SOA" and (old is None or name != "@"):
        raise _bad("The SOA record set of a zone is '@', and there is one only.")
    record = add_record(world, zone, kind, name, properties)
    return _shown(call, record, 201 if old is None else 200)


def _properties(call: Call, kind: str) -> Json:
    """The properties by their official names, checked.

    Raises:
        ArmError: 400, without a wrapper.
    """
    given = {
        _OFFICIAL.get(k.lower(), k): v
        for k, v in (call.body.get("properties") or {}).items()
        if v is not None
    }
    properties = {k: given[k] for k in ("metadata", "TTL", FIELDS[kind]) if k in given}
    if not _NAME.match(call.id.name):
        raise _bad(f"The domain name '{call.id.name}' is invalid.")
    ttl = properties.get("TTL")
    if not isinstance(ttl, int) or not 1 <= ttl <= _LONGEST_TTL:
        raise _bad(f"The value '{ttl}' for field 'TTL' is invalid. It must be between 1 and {_LONGEST_TTL}.")
    if kind in ("A", "AAAA"):
        properties[FIELDS[kind]] = _addresses(kind, properties)
    return properties


def _addresses(kind: str, properties: Json) -> list[Json]:
    field, family = (
        ("ipv4Address", ipaddress.IPv4Address) if kind == "A" else ("ipv6Address", ipaddress.IPv6Address)
    )
    rows = properties.get(FIELDS[kind]) or []
    for row in rows:
        try:
            family(row.get(field))
        except ValueError:
            raise _bad(f"The value '{row.get(field)}' is not a valid {field}.") from None
    return [{field: row[field]} for row in rows]


def _check_alone(world: World, zone: Resource, kind: str, name: str) -> None:
    """A CNAME has its name to itself."""
    for other in world.children(zone.id):
        other_kind = other.type.rsplit("/", 1)[-1]
        if other.name.lower() == name.lower() and other_kind != kind and "CNAME" in (kind, other_kind):
            message = (
                f"The record set '{name}' of type {kind} cannot be there beside the one of type {other_kind}."
            )
            raise ArmError(409, "Conflict", message, bare=True)


def _found(call: Call) -> Resource:
    """The record set in the path. Source of its 404: `test_dns_if_none_match` [8]."""
    record = call.world.find(call.id.text)
    if record is None:
        message = (
            f"The resource record '{call.id.name}' does not exist in resource group '{call.group}' "
            f"of subscription '{call.id.subscription}'."
        )
        raise ArmError(404, "NotFound", message, bare=True)
    return record


def _shown(call: Call, record: Resource, status: int) -> Reply:
    return Reply(status, _render(call, record), {**HEADERS, "ETag": record.body["etag"]})


def _render(call: Call, record: Resource) -> Json:
    """The record set; the preview version says one thing more."""
    if not call.api_version.startswith("2023"):
        return record.body
    return {**record.body, "properties": {**record.properties, "trafficManagementProfile": {}}}


async def get(call: Call) -> Reply:
    """The record set."""
    return _shown(call, _found(call), 200)


async def patch(call: Call) -> Reply:
    """Changes what the body names, and leaves the rest."""
    record = _found(call)
    check_etag(call, record, "Record set")
    given = {_OFFICIAL.get(k.lower(), k): v for k, v in (call.body.get("properties") or {}).items()}
    kept = {k: v for k, v in record.properties.items() if k in ("metadata", "TTL", FIELDS[_kind(call)])}
    call.body = {"properties": {**kept, **given}}
    zone = call.world.resources[call.id.parent.key]
    return _shown(
        call, add_record(call.world, zone, _kind(call), record.name, _properties(call, _kind(call))), 200
    )


async def delete(call: Call) -> Reply:
    """Takes a record set away; 204 when there is none."""
    record = call.world.find(call.id.text)
    check_etag(call, record, "Record set")
    if record is None:
        return Reply(204, headers=HEADERS)
    if record.name == "@" and _kind(call) in ("NS", "SOA"):
        raise _bad(f"The record set '@' of type {_kind(call)} cannot be deleted.")
    call.world.remove(record.id)
    return Reply(200, headers=HEADERS)


async def list_records(call: Call) -> Reply:
    """The record sets of a zone, of one type or (`recordsets`, `all`) of every type."""
    zone, kind = call.id.parent, call.id.last_type
    type_ = f"{TYPE}/{kind}" if kind.upper() in FIELDS else None
    found = call.world.children(zone.text, type_)
    return Reply(200, {"value": [_render(call, record) for record in found]}, HEADERS)


ROUTES: Routes = {
    **{f"PUT Microsoft.Network/dnsZones/{kind}": put for kind in FIELDS},
    **{f"GET Microsoft.Network/dnsZones/{kind}": get for kind in FIELDS},
    **{f"PATCH Microsoft.Network/dnsZones/{kind}": patch for kind in FIELDS},
    **{f"DELETE Microsoft.Network/dnsZones/{kind}": delete for kind in FIELDS},
    **{f"LIST Microsoft.Network/dnsZones/{kind}": list_records for kind in (*FIELDS, "recordsets", "all")},
}
