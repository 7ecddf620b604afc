"""Network interfaces: in a subnet, with a public IP and a security group, on a VM or kept for one."""

from __future__ import annotations

import hashlib
import ipaddress
from typing import TYPE_CHECKING, Any

from armlocal.errors import ArmError, nic_reserved
from armlocal.providers.base import Call, Reply, required
from armlocal.providers.network_common import (
    NIC,
    Write,
    begin_delete,
    begin_write,
    check_match,
    configurations_with,
    getter,
    ip_configurations,
    lister,
    place,
    referenced,
    renew,
    tagger,
)
from armlocal.providers.regions import check_region
from armlocal.state import NIC_RESERVATION, make_resource

if TYPE_CHECKING:
    from armlocal.providers.base import Routes
    from armlocal.state import Resource, World

Json = dict[str, Any]
VM = "Microsoft.Compute/virtualMachines"
SUBNET = "Microsoft.Network/virtualNetworks/subnets"
ADDRESS = "Microsoft.Network/publicIPAddresses"
GROUP = "Microsoft.Network/networkSecurityGroups"
CONFIGURATION = NIC + "/ipConfigurations"
DEFAULTS: Json = {
    "vnetEncryptionSupported": False,
    "enableIPForwarding": False,
    "disableTcpStateTracking": False,
    "hostedWorkloads": [],
    "tapConfigurations": [],
    "nicType": "Standard",
    "allowPort25Out": True,
    "defaultOutboundConnectivityEnabled": False,
    "auxiliaryMode": "None",
    "auxiliarySku": "None",
}


async def put(call: Call) -> Reply:
    """Makes or changes an interface.

    A new one is there at once, without an operation; a change is announced as one though the body already
    says Succeeded: so it was in most recordings.
    """
    world = call.world
    old = world.find(call.id.text)
    check_match(call, old)
    check_region(call)
    if old is not None:
        call.refuse_if_busy(old)
    given = call.body.get("properties") or {}
    properties = {
        **DEFAULTS,
        **_asked(given),
        **_kept(call, old),
        "ipConfigurations": _configurations(call, given),
    }
    group = given.get("networkSecurityGroup")
    if group:
        properties["networkSecurityGroup"] = {"id": referenced(call, group["id"], GROUP).id}
    nic = old or world.add(make_resource(call.id.text, NIC, {"etag": "", "kind": "Regular"}))
    place(nic, call.body)
    nic.body["properties"] = {"provisioningState": "Succeeded", **properties}
    nic.private["operation"] = "PutNicOperation"
    if old is None:
        renew(world, [nic], "Succeeded")
        return Reply(201, render(world, nic))
    write = Write("PutNicOperation", "nic_put", (None, 10), changed=False)
    headers = await begin_write(call, write, nic)
    return Reply(200, render(world, nic), headers)


def _asked(given: Json) -> Json:
    """What is taken over as sent: neither references nor what Azure makes."""
    taken = ("enableIPForwarding", "enableAcceleratedNetworking", "auxiliaryMode", "auxiliarySku", "nicType")
    return {k: given[k] for k in taken if given.get(k) is not None}


def _kept(call: Call, old: Resource | None) -> Json:
    if old is not None:
        return {
            k: v for k, v in old.properties.items() if k in ("resourceGuid", "dnsSettings", "virtualMachine")
        }
    suffix = hashlib.sha256(call.id.key.encode()).hexdigest()[:26]
    dns = {
        "dnsServers": [],
        "appliedDnsServers": [],
        "internalDomainNameSuffix": f"{suffix}.zx.internal.cloudapp.net",
    }
    return {"resourceGuid": call.world.new_guid(), "dnsSettings": dns}


def _configurations(call: Call, given: Json) -> list[Json]:
    """The IP configurations, each reference checked and each with a private address."""
    taken: set[str] = set()
    made = []
    for index, row in enumerate(required({"properties": given}, "properties", "ipConfigurations")):
        configuration_id = f"{call.id.text}/ipConfigurations/{required(row, 'name')}"
        properties = row.get("properties") or {}
        subnet = referenced(call, required(properties, "subnet", "id"), SUBNET)
        address = _private_address(call.world, subnet, properties, configuration_id, taken)
        taken.add(address)
        shown: Json = {
            "provisioningState": "Succeeded",
            "privateIPAddress": address,
            "privateIPAllocationMethod": properties.get("privateIPAllocationMethod", "Dynamic"),
            "subnet": {"id": subnet.id},
            "primary": properties.get("primary", index == 0),
            "privateIPAddressVersion": "IPv4",
        }
        if properties.get("publicIPAddress"):
            shown["publicIPAddress"] = {"id": _public_address(call, properties, configuration_id)}
        made.append({"name": row["name"], "id": configuration_id, "type": CONFIGURATION, "properties": shown})
    return made


def _public_address(call: Call, properties: Json, configuration_id: str) -> str:
    """The id of the public IP, which nobody else may have. Source: microsoft/azure-tools-for-java#91."""
    address = referenced(call, required(properties, "publicIPAddress", "id"), ADDRESS)
    users = [
        u
        for u in configurations_with(call.world, "publicIPAddress", address.id)
        if u.lower() != configuration_id.lower()
    ]
    if users:
        message = (
            f"Resource {configuration_id} is referencing public IP address {address.id} that is "
            "already allocated "
            f"to resource {users[0]}."
        )
        raise ArmError(400, "PublicIPAddressInUse", message, details=[])
    return address.id


def _private_address(
    world: World, subnet: Resource, properties: Json, configuration_id: str, own: set[str]
) -> str:
    """The address asked for, the one it has, or the subnet's next: Azure keeps the first four for itself."""
    prefix = (subnet.properties.get("addressPrefixes") or [subnet.properties.get("addressPrefix")])[0]
    network = ipaddress.ip_network(prefix)
    used: dict[str, str] = {
        c["properties"]["privateIPAddress"]: c["id"] for c in ip_configurations(world) if _is_in(c, subnet)
    }
    wanted = str(properties.get("privateIPAddress") or "")
    if wanted and properties.get("privateIPAllocationMethod") == "Static":
        return _static(wanted, network, used, configuration_id)
    for held, user in used.items():
        if user.lower() == configuration_id.lower():
            return held
    for host in range(4, network.num_addresses - 1):
        candidate = str(network[host])
        if candidate not in used and candidate not in own:
            return candidate
    message = (
        f"Subnet {subnet.name} with address prefix {prefix} does not have enough capacity for 1 IP addresses."
    )
    raise ArmError(400, "SubnetIsFull", message, details=[])


def _is_in(configuration: Json, subnet: Resource) -> bool:
    return bool(configuration["properties"]["subnet"]["id"].lower() == subnet.key)


def _static(
    wanted: str,
    network: ipaddress.IPv4Network | ipaddress.IPv6Network,
    used: dict[str, str],
    configuration_id: str,
) -> str:
    if wanted in used and used[wanted].lower() != configuration_id.lower():
        message = (
            f"IP configuration {configuration_id} is using the private IP address {wanted} which is already "
            f"allocated to resource {used[wanted]}."
        )
        raise ArmError(400, "PrivateIPAddressIsAllocated", message, details=[])
    if ipaddress.ip_address(wanted) not in network:
        message = (
            f"Private static IP address {wanted} does not belong to the range of subnet prefix {network}."
        )
        raise ArmError(400, "PrivateIPAddressNotInSubnet", message, details=[])
    return wanted


def vm_with(world: World, nic: Resource) -> tuple[Resource, bool] | None:
    """The VM that has this interface, and whether it is its primary one; None when no VM has it."""
    for vm in world.of_type(VM):
        listed = (vm.properties.get("networkProfile") or {}).get("networkInterfaces") or []
        for row in listed:
            if row["id"].lower() == nic.key:
                return vm, len(listed) == 1 or bool((row.get("properties") or {}).get("primary"))
    return None


async def delete(call: Call) -> Reply:
    """Takes an interface away, unless a VM has it or it is kept for one that had it.

    Source of NicInUse: `test_delete_dependent_resources` [17].
    """
    nic = call.world.find(call.id.text)
    if nic is None:
        return Reply(204)
    check_match(call, nic)
    holder = vm_with(call.world, nic)
    if holder is not None:
        message = (
            f"Network Interface {nic.id} is used by existing resource {holder[0].id}. In order to "
            "delete the network "
            "interface, it must be dissociated from the resource. To learn more, see aka.ms/deletenic."
        )
        raise ArmError(400, "NicInUse", message, details=[])
    reserved = call.world.reservation(nic)
    if reserved is not None and not call.instant:
        raise nic_reserved(reserved, NIC_RESERVATION)
    call.refuse_if_busy(nic)
    return await begin_delete(call, nic, "nic_delete", "DeleteNicOperation", 4)


def render(world: World, nic: Resource) -> Json:
    """The interface as GET shows it; the VM that has it gives it a MAC address."""
    etag = {"etag": nic.body["etag"]}
    configurations = [{**c, **etag} for c in nic.properties["ipConfigurations"]]
    properties = {
        k: v for k, v in nic.properties.items() if k not in ("virtualMachine", "primary", "macAddress")
    }
    properties["ipConfigurations"] = configurations
    holder = vm_with(world, nic)
    if holder is not None:
        digest = hashlib.sha256(nic.key.encode()).hexdigest().upper()
        properties["macAddress"] = f"60-45-BD-{digest[:2]}-{digest[2:4]}-{digest[4:6]}"
        properties |= {"primary": holder[1], "virtualMachine": {"id": holder[0].id}}
    return {**nic.body, "properties": properties}


ROUTES: Routes = {
    f"PUT {NIC}": put,
    f"GET {NIC}": getter(render),
    f"LIST {NIC}": lister(render),
    f"PATCH {NIC}": tagger(render),
    f"DELETE {NIC}": delete,
}
