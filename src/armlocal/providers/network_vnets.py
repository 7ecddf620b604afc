"""Virtual networks and their subnets."""

from __future__ import annotations

import ipaddress
from typing import TYPE_CHECKING, Any

from armlocal.errors import ArmError
from armlocal.providers.base import Call, Reply, required
from armlocal.providers.network_common import (
    Write,
    begin_delete,
    begin_write,
    check_match,
    child_lister,
    configurations_with,
    getter,
    lister,
    place,
    referenced,
    refuse_while_updated,
    tagger,
)
from armlocal.providers.regions import check_region
from armlocal.state import make_resource

if TYPE_CHECKING:
    from armlocal.providers.base import Routes
    from armlocal.state import Resource, World

Json = dict[str, Any]
Network = ipaddress.IPv4Network | ipaddress.IPv6Network
TYPE = "Microsoft.Network/virtualNetworks"
SUBNET = TYPE + "/subnets"
GROUP_TYPE = "Microsoft.Network/networkSecurityGroups"
RETRY_PUT = (3, 10)
RETRY_DELETE = 10
SUBNET_DEFAULTS: Json = {
    "delegations": [],
    "privateEndpointNetworkPolicies": "Disabled",
    "privateLinkServiceNetworkPolicies": "Enabled",
}


async def put_vnet(call: Call) -> Reply:
    """Makes or changes a VNet, with the subnets in its body; those that are left out of a list go."""
    world = call.world
    old = world.find(call.id.text)
    check_match(call, old)
    check_region(call)
    if old is not None:
        refuse_while_updated(call, old)
    spaces = [
        _network(p, call.id.text)
        for p in required(call.body, "properties", "addressSpace", "addressPrefixes")
    ]
    wanted = _wanted_subnets(call, spaces)
    properties = _vnet_properties(call, old)
    changed = old is None or _differs(world, old, properties, wanted)
    vnet = old or world.add(make_resource(call.id.text, TYPE, {"etag": ""}))
    _fill(vnet, call.body, properties)
    subnets = _replace_subnets(world, vnet, wanted)
    write = Write("PutVirtualNetworkOperation", "vnet_put", RETRY_PUT, changed)
    headers = await begin_write(call, write, vnet, *subnets)
    return Reply(201 if old is None else 200, render_vnet(world, vnet), headers)


def _vnet_properties(call: Call, old: Resource | None) -> Json:
    given = {
        k: v
        for k, v in call.body["properties"].items()
        if k not in ("subnets", "provisioningState", "resourceGuid")
    }
    guid = call.world.new_guid() if old is None else old.properties["resourceGuid"]
    defaults = {
        "privateEndpointVNetPolicies": "Disabled",
        "virtualNetworkPeerings": [],
        "enableDdosProtection": False,
    }
    return {"resourceGuid": guid, **defaults, **given}


def _fill(vnet: Resource, body: Json, properties: Json) -> None:
    """The VNet as asked for; its state stays what it is."""
    place(vnet, body)
    state = vnet.properties.get("provisioningState", "Updating")
    vnet.body["properties"] = {"provisioningState": state, **properties}


def _wanted_subnets(call: Call, spaces: list[Network]) -> dict[str, Json] | None:
    """The subnets in the body by name, checked; None when the body does not speak of subnets.

    Raises:
        ArmError: 400 for prefixes that do not fit, and for taking away one in use.
    """
    listed = call.body["properties"].get("subnets")
    if listed is None:
        for subnet in call.world.children(call.id.text, SUBNET):
            _check_prefixes(call.id.name, subnet.name, _prefixes(subnet.properties, subnet.id), spaces, {})
        return None
    wanted: dict[str, Json] = {}
    taken: dict[str, list[Network]] = {}
    for row in listed:
        name = str(required(row, "name"))
        properties = _subnet_properties(call, row.get("properties") or {})
        prefixes = _prefixes(properties, f"{call.id.text}/subnets/{name}")
        _check_prefixes(call.id.name, name, prefixes, spaces, taken)
        taken[name] = prefixes
        wanted[name] = properties
    kept = {name.lower() for name in wanted}
    for subnet in call.world.children(call.id.text, SUBNET):
        if subnet.name.lower() not in kept:
            _refuse_in_use(call.world, subnet)
    return wanted


def _differs(world: World, old: Resource, properties: Json, wanted: dict[str, Json] | None) -> bool:
    if {k: v for k, v in old.properties.items() if k != "provisioningState"} != properties:
        return True
    return wanted is not None and wanted != {s.name: _settings(s) for s in world.children(old.id, SUBNET)}


def _settings(subnet: Resource) -> Json:
    return {k: v for k, v in subnet.properties.items() if k != "provisioningState"}


def _replace_subnets(world: World, vnet: Resource, wanted: dict[str, Json] | None) -> list[Resource]:
    """The VNet's subnets as they now are."""
    if wanted is not None:
        kept = {name.lower() for name in wanted}
        for subnet in world.children(vnet.id, SUBNET):
            if subnet.name.lower() not in kept:
                world.remove(subnet.id)
        for name, properties in wanted.items():
            _put_subnet(world, f"{vnet.id}/subnets/{name}", properties)
    return world.children(vnet.id, SUBNET)


def _put_subnet(world: World, subnet_id: str, properties: Json) -> Resource:
    subnet = world.find(subnet_id)
    if subnet is None:
        subnet = world.add(make_resource(subnet_id, SUBNET, {"etag": ""}))
    subnet.body["properties"] = {"provisioningState": "Updating", **properties}
    return subnet


def _subnet_properties(call: Call, given: Json) -> Json:
    """A subnet's properties as asked for.

    Raises:
        ArmError: 400, its security group is not there.
    """
    made = ("provisioningState", "ipConfigurations")
    properties = {**SUBNET_DEFAULTS, **{k: v for k, v in given.items() if k not in made and v is not None}}
    group = properties.get("networkSecurityGroup")
    if group:
        properties["networkSecurityGroup"] = {"id": referenced(call, group["id"], GROUP_TYPE).id}
    return properties


async def put_subnet(call: Call) -> Reply:
    """Makes or changes one subnet; its VNet is Updating meanwhile."""
    world = call.world
    vnet = world.resources[call.id.parent.key]
    old = world.find(call.id.text)
    check_match(call, old)
    refuse_while_updated(call, vnet)
    properties = _subnet_properties(call, call.body.get("properties") or {})
    spaces = [_network(p, vnet.id) for p in vnet.properties["addressSpace"]["addressPrefixes"]]
    others = {
        s.name: _prefixes(s.properties, s.id) for s in world.children(vnet.id, SUBNET) if s.key != call.id.key
    }
    _check_prefixes(vnet.name, call.id.name, _prefixes(properties, call.id.text), spaces, others)
    changed = old is None or _settings(old) != properties
    subnet = _put_subnet(world, call.id.text, properties)
    write = Write("PutSubnetOperation", "subnet_put", RETRY_PUT, changed)
    headers = await begin_write(call, write, vnet, subnet)
    return Reply(201 if old is None else 200, render_subnet(world, subnet), headers)


async def delete_vnet(call: Call) -> Reply:
    """Takes a VNet away, unless something is in one of its subnets."""
    vnet = call.world.find(call.id.text)
    if vnet is None:
        return Reply(204)
    check_match(call, vnet)
    for subnet in call.world.children(vnet.id, SUBNET):
        _refuse_in_use(call.world, subnet)
    refuse_while_updated(call, vnet)
    return await begin_delete(call, vnet, "vnet_delete", "DeleteVirtualNetworkOperation", RETRY_DELETE)


async def delete_subnet(call: Call) -> Reply:
    """Takes a subnet away, unless something is in it."""
    vnet, subnet = call.world.find(call.id.parent.text), call.world.find(call.id.text)
    if vnet is None or subnet is None:
        return Reply(204)
    check_match(call, subnet)
    _refuse_in_use(call.world, subnet)
    refuse_while_updated(call, vnet)
    return await begin_delete(
        call, subnet, "subnet_delete", "DeleteSubnetOperation", RETRY_DELETE, inside=vnet
    )


def _refuse_in_use(world: World, subnet: Resource) -> None:
    """Lets no subnet go that something is in. Source: `test_delete_dependent_resources` [20]."""
    users = configurations_with(world, "subnet", subnet.id)
    if users:
        message = (
            f"Subnet {subnet.name} is in use by {users[0]} and cannot be deleted. In order to "
            "delete the subnet, "
            "delete all the resources within the subnet. See aka.ms/deletesubnet."
        )
        raise ArmError(400, "InUseSubnetCannotBeDeleted", message, details=[])


def _prefixes(properties: Json, resource_id: str) -> list[Network]:
    texts = properties.get("addressPrefixes") or [
        required({"properties": properties}, "properties", "addressPrefix")
    ]
    return [_network(text, resource_id) for text in texts]


def _network(text: str, resource_id: str) -> Network:
    """A CIDR. The refusal's source: `test_manage_appgw_private_endpoint_without_standard` [42]."""
    try:
        return ipaddress.ip_network(text)
    except ValueError:
        message = (
            f"Address prefix {text} of resource {resource_id} is not formatted correctly. "
            "It should follow CIDR notation, for example 10.0.0.0/24."
        )
        raise ArmError(400, "InvalidAddressPrefixFormat", message, details=[]) from None


def _check_prefixes(
    vnet: str, subnet: str, prefixes: list[Network], spaces: list[Network], others: dict[str, list[Network]]
) -> None:
    """A subnet lies in its VNet and apart from the others.

    Raises:
        ArmError: 400, as quoted in MicrosoftDocs/azure-docs#123869.
    """
    start = f"Subnet '{subnet}' is not valid because its IP address range "
    for prefix in prefixes:
        if not any(prefix.version == s.version and prefix.subnet_of(s) for s in spaces):  # type: ignore[arg-type]
            message = f"{start}is outside the IP address range of virtual network '{vnet}'."
            raise ArmError(400, "NetcfgSubnetRangeOutsideVnet", message, details=[])
        if any(prefix.overlaps(other) for known in others.values() for other in known):
            message = f"{start}overlaps with that of an existing subnet in virtual network '{vnet}'."
            raise ArmError(400, "NetcfgSubnetRangesOverlap", message, details=[])


def render_vnet(world: World, vnet: Resource) -> Json:
    """The VNet as GET shows it, its subnets inside."""
    subnets = [render_subnet(world, subnet) for subnet in world.children(vnet.id, SUBNET)]
    return {**vnet.body, "properties": {**vnet.properties, "subnets": subnets}}


def render_subnet(world: World, subnet: Resource) -> Json:
    """The subnet as GET shows it: what is in it is named in upper case, as recorded."""
    users = [{"id": _shouted(text)} for text in configurations_with(world, "subnet", subnet.id)]
    delegations = [_delegation(subnet, row) for row in subnet.properties["delegations"]]
    properties = {**subnet.properties, "delegations": delegations}
    return {**subnet.body, "properties": properties | ({"ipConfigurations": users} if users else {})}


def _delegation(subnet: Resource, asked: Json) -> Json:
    """What Azure makes of a delegation: `Test_Networking_VirtualNetwork_20250301_CRUD` [11]."""
    return {
        "name": asked["name"],
        "id": f"{subnet.id}/delegations/{asked['name']}",
        "etag": subnet.body["etag"],
        "properties": {
            "provisioningState": "Succeeded",
            "serviceName": (asked.get("properties") or {}).get("serviceName"),
            "actions": [f"{SUBNET}/join/action"],
        },
        "type": f"{SUBNET}/delegations",
    }


def _shouted(configuration_id: str) -> str:
    """An IP configuration's id with its names in upper case. Source: `test_vm_user_update_win` [22]."""
    parts = configuration_id.split("/")
    for index in (4, 8, 10):
        parts[index] = parts[index].upper()
    return "/".join(parts)


ROUTES: Routes = {
    f"PUT {TYPE}": put_vnet,
    f"GET {TYPE}": getter(render_vnet),
    f"LIST {TYPE}": lister(render_vnet),
    f"PATCH {TYPE}": tagger(render_vnet),
    f"DELETE {TYPE}": delete_vnet,
    f"PUT {SUBNET}": put_subnet,
    f"GET {SUBNET}": getter(render_subnet),
    f"LIST {SUBNET}": child_lister(render_subnet),
    f"DELETE {SUBNET}": delete_subnet,
}
