"""One resource of each kind that the stand-in carries: where it is and what is sent to make it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from tests.armlocal.armworld import LOCATION

if TYPE_CHECKING:
    import httpx

    from tests.armlocal.machines import Machines

Json = dict[str, Any]
RULE: Json = {
    "protocol": "Tcp",
    "access": "Allow",
    "direction": "Inbound",
    "priority": 100,
    "sourcePortRange": "*",
    "destinationPortRange": "443",
    "sourceAddressPrefix": "*",
    "destinationAddressPrefix": "*",
}


@dataclass(frozen=True)
class Kind:
    """One kind of resource.

    Attributes:
        path: below the group's providers.
        body: of its PUT.
        first: status of the PUT that makes it.
        again: status of a PUT of what is there.
        waits: whether it is being made for a while.
        tagged: whether a PATCH changes its tags.
        etag: whether If-Match and If-None-Match are looked at.
    """

    path: str
    body: Json
    first: int = 201
    again: int = 200
    waits: bool = True
    tagged: bool = True
    etag: bool = False

    def id(self, lab: Machines) -> str:
        """Its whole path."""
        return lab.arm.id("t", self.path)

    async def put(self, lab: Machines, headers: dict[str, str] | None = None) -> httpx.Response:
        """Makes it, or sends the same again."""
        return await lab.arm.http.put(self.id(lab), json=self.body, headers=headers)


def _placed(properties: Json, **more: Any) -> Json:
    return {"location": LOCATION, "tags": {"a": "b"}, "properties": properties, **more}


def kinds(lab: Machines) -> list[Kind]:
    """All kinds, in an order in which each finds what it needs."""
    return [*_networks(), *_interfaces(lab), *_names(), *_machines(lab), _account()]


def _networks() -> list[Kind]:
    space = {"addressSpace": {"addressPrefixes": ["10.9.0.0/16"]}}
    subnet = {"properties": {"addressPrefix": "10.0.7.0/24"}}
    return [
        Kind("Microsoft.Network/virtualNetworks/a", _placed(space), etag=True),
        Kind("Microsoft.Network/virtualNetworks/v/subnets/a", subnet, tagged=False, etag=True),
        Kind("Microsoft.Network/networkSecurityGroups/a", _placed({}), etag=True),
        Kind(
            "Microsoft.Network/networkSecurityGroups/a/securityRules/r",
            {"properties": RULE},
            tagged=False,
            etag=True,
        ),
    ]


def _interfaces(lab: Machines) -> list[Kind]:
    subnet = lab.arm.id("t", "Microsoft.Network/virtualNetworks/v/subnets/s")
    interface = {"ipConfigurations": [{"name": "i", "properties": {"subnet": {"id": subnet}}}]}
    address = _placed({"publicIPAllocationMethod": "Static"}, sku={"name": "Standard"})
    return [
        Kind("Microsoft.Network/publicIPAddresses/a", address, etag=True),
        Kind("Microsoft.Network/networkInterfaces/a", _placed(interface), waits=False, etag=True),
    ]


def _names() -> list[Kind]:
    zone = {"location": "global", "tags": {"a": "b"}}
    record = {"properties": {"TTL": 60, "ARecords": [{"ipv4Address": "10.0.0.1"}]}}
    path = "Microsoft.Network/dnsZones/a.example"
    return [
        Kind(path, zone, waits=False, etag=True),
        Kind(f"{path}/A/www", record, waits=False, tagged=False, etag=True),
    ]


def _machines(lab: Machines) -> list[Kind]:
    disk = {"creationData": {"createOption": "Empty"}, "diskSizeGB": 32}
    copy = {"creationData": {"createOption": "Copy", "sourceResourceId": lab.source_disk}}
    extension = {
        "publisher": "Microsoft.Compute",
        "type": "JsonADDomainExtension",
        "typeHandlerVersion": "1.3",
    }
    added = {"location": LOCATION, "properties": extension}
    return [
        Kind("Microsoft.Compute/disks/a", _placed(disk), first=202, again=202),
        Kind("Microsoft.Compute/snapshots/a", _placed(copy), first=202, again=202),
        Kind("Microsoft.Compute/virtualMachines/a", lab.body()),
        Kind("Microsoft.Compute/virtualMachines/a/extensions/e", added, tagged=False),
    ]


def _account() -> Kind:
    body = _placed({}, sku={"name": "Standard_LRS"}, kind="StorageV2")
    return Kind("Microsoft.Storage/storageAccounts/kindsaccount", body, first=202)
