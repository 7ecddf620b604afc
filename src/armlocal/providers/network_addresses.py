"""Public IP addresses: Standard and static, as all new ones are since Basic was retired."""

from __future__ import annotations

import ipaddress
from typing import TYPE_CHECKING, Any

from armlocal.errors import ArmError
from armlocal.providers.base import Call, Reply
from armlocal.providers.network_common import (
    Write,
    begin_delete,
    begin_write,
    check_match,
    configurations_with,
    getter,
    lister,
    place,
    tagger,
)
from armlocal.providers.regions import check_region
from armlocal.state import make_resource

if TYPE_CHECKING:
    from armlocal.providers.base import Routes
    from armlocal.state import Resource, World

Json = dict[str, Any]
TYPE = "Microsoft.Network/publicIPAddresses"
POOL = tuple(
    str(address)
    for block in ("203.0.113.0/24", "198.51.100.0/24")
    for address in ipaddress.ip_network(block).hosts()
)
"""The addresses that are given out: those that RFC 5737 keeps for documentation."""


async def put(call: Call) -> Reply:
    """Makes or changes one; the address is there when the operation is over, in GET only."""
    world = call.world
    old = world.find(call.id.text)
    check_match(call, old)
    check_region(call)
    sku = {"name": "Basic", "tier": "Regional", **(call.body.get("sku") or {})}
    given = call.body.get("properties") or {}
    _check_kind(call, sku, given)
    _check_label(call, given)
    if old is not None:
        call.refuse_if_busy(old)
    settings = _settings(call, given, old)
    changed = old is None or settings != {k: v for k, v in old.properties.items() if k != "provisioningState"}
    address = old or world.add(make_resource(call.id.text, TYPE, {"etag": ""}))
    _fill(address, call.body, sku, settings)

    def done() -> None:
        address.properties.setdefault("ipAddress", _free_address(world))

    write = Write("PutPublicIpAddressOperation", "public_ip_put", (1, 2), changed, done)
    headers = await begin_write(call, write, address)
    return Reply(201 if old is None else 200, render(world, address), headers)


def _check_kind(call: Call, sku: Json, given: Json) -> None:
    """Refuses Basic (skypilot-org/skypilot#7977, 2025) and dynamic Standard (pulumi-azure-native#1597)."""
    version = given.get("publicIPAddressVersion", "IPv4")
    if sku["name"] == "Basic":
        message = (
            f"Cannot create more than 0 {version} Basic SKU public IP addresses for this "
            "subscription in this region."
        )
        raise ArmError(400, f"{version}BasicSkuPublicIpCountLimitReached", message, details=[])
    if given.get("publicIPAllocationMethod", "Dynamic") != "Static":
        message = f"Standard sku publicIp {call.id.text} must have AllocationMethod set to Static."
        raise ArmError(400, "StandardSkuPublicIPAddressesMustBeStatic", message, details=[])


def _label(properties: Json) -> str:
    return str((properties.get("dnsSettings") or {}).get("domainNameLabel") or "").lower()


def _check_label(call: Call, given: Json) -> None:
    """A name under cloudapp.azure.com is one address's only."""
    label, location = _label(given), str(call.body["location"])
    for other in call.world.of_type(TYPE):
        if (
            label
            and other.key != call.id.key
            and (_label(other.properties), other.location) == (label, location)
        ):
            fqdn = other.properties["dnsSettings"]["fqdn"]
            message = f"DNS record {fqdn} is already used by another public IP."
            raise ArmError(400, "DnsRecordInUse", message, details=[])


def _settings(call: Call, given: Json, old: Resource | None) -> Json:
    """The properties but the state; what Azure made itself is kept."""
    made = ("provisioningState", "resourceGuid", "ipAddress", "ipConfiguration")
    asked = {k: v for k, v in given.items() if k not in made and v is not None}
    kept: Json = {"resourceGuid": call.world.new_guid()}
    if old is not None:
        kept = {k: old.properties[k] for k in ("resourceGuid", "ipAddress") if k in old.properties}
    settings = {
        **kept,
        "publicIPAddressVersion": "IPv4",
        "publicIPAllocationMethod": "Static",
        "idleTimeoutInMinutes": 4,
        "ipTags": [],
        "ddosSettings": {"protectionMode": "VirtualNetworkInherited"},
        **asked,
    }
    if _label(settings):
        fqdn = f"{_label(settings)}.{call.body['location']}.cloudapp.azure.com"
        settings["dnsSettings"] = {**settings["dnsSettings"], "fqdn": fqdn}
    return settings


def _fill(address: Resource, body: Json, sku: Json, settings: Json) -> None:
    place(address, body)
    address.body["sku"] = sku
    if body.get("zones"):
        address.body["zones"] = body["zones"]
    address.body["properties"] = {"provisioningState": address.state or "Updating", **settings}


def _free_address(world: World) -> str:
    """The next address of the pool that nobody has.

    Raises:
        ArmError: 400, all are given out.
    """
    taken = {address.properties.get("ipAddress") for address in world.of_type(TYPE)}
    for candidate in POOL:
        if candidate not in taken:
            return candidate
    message = f"Cannot create more than {len(POOL)} public IP addresses for this subscription in this region."
    raise ArmError(400, "PublicIPCountLimitReached", message, details=[])


async def delete(call: Call) -> Reply:
    """Takes an address away, unless an interface has it. Source: `test_delete_dependent_resources` [19]."""
    address = call.world.find(call.id.text)
    if address is None:
        return Reply(204)
    check_match(call, address)
    users = configurations_with(call.world, "publicIPAddress", address.id)
    if users:
        message = (
            f"Public IP address {address.id} can not be deleted since it is still allocated to "
            f"resource {users[0]}. "
            "In order to delete the public IP, disassociate/detach the Public IP address from the resource.  "
            "To learn how to do this, see aka.ms/deletepublicip."
        )
        raise ArmError(400, "PublicIPAddressCannotBeDeleted", message, details=[])
    call.refuse_if_busy(address)
    return await begin_delete(call, address, "public_ip_delete", "DeletePublicIpAddressOperation", 10)


def render(world: World, address: Resource) -> Json:
    """The address as GET shows it, with the IP configuration that has it."""
    users = configurations_with(world, "publicIPAddress", address.id)
    used = {"ipConfiguration": {"id": users[0]}} if users else {}
    return {**address.body, "properties": address.properties | used}


ROUTES: Routes = {
    f"PUT {TYPE}": put,
    f"GET {TYPE}": getter(render),
    f"LIST {TYPE}": lister(render),
    f"PATCH {TYPE}": tagger(render),
    f"DELETE {TYPE}": delete,
}
