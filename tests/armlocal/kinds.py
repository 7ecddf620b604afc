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
    subnet = lab.arm.id("t", "Microsoft.Network/virtualNetworks/v/subnets/s")
    interface = {"ipConfigurations": [{"name": "i", "properties": {"subnet": {"id": subnet}}}]}
    disk = {"creationData": {"createOption": "Empty"}, "diskSizeGB": 32}
    copy = {"creationData": {"createOption": "Copy", "sourceResourceId": lab.source_disk}}
    extension = {
        "publisher": "Microsoft.Compute",
        "type": "JsonADDomainExtension",
        "typeHandlerVersion": "1.3",
    }
    account = {"sku": {"name": "Standard_LRS"}, "kind": "StorageV2"}
    network = "Microsoft.Network/"
    return [
        Kind(
            f"{network}virtualNetworks/a",
            _placed({"addressSpace": {"addressPrefixes": ["10.9.0.0/16"]}}),
            etag=True,
        ),
        Kind(
            f"{network}virtualNetworks/v/subnets/a",
            {"properties": {"addressPrefix": "10.0.7.0/24"}},
            tagged=False,
            etag=True,
        ),
        Kind(
            f"{network}publicIPAddresses/a",
            _placed({"publicIPAllocationMethod": "Static"}, sku={"name": "Standard"}),
            etag=True,
        ),
        Kind(f"{network}networkSecurityGroups/a", _placed({}), etag=True),
        Kind(
            f"{network}networkSecurityGroups/a/securityRules/r", {"properties": RULE}, tagged=False, etag=True
        ),
        Kind(f"{network}networkInterfaces/a", _placed(interface), waits=False, etag=True),
        Kind(
            f"{network}dnsZones/a.example", {"location": "global", "tags": {"a": "b"}}, waits=False, etag=True
        ),
        Kind(
            f"{network}dnsZones/a.example/A/www",
            {"properties": {"TTL": 60, "ARecords": [{"ipv4Address": "10.0.0.1"}]}},
            waits=False,
            tagged=False,
            etag=True,
        ),
        Kind("Microsoft.Compute/disks/a", _placed(disk), first=202, again=202),
        Kind("Microsoft.Compute/snapshots/a", _placed(copy), first=202, again=202),
        Kind("Microsoft.Compute/virtualMachines/a", lab.body()),
        Kind(
            "Microsoft.Compute/virtualMachines/a/extensions/e",
            {"location": LOCATION, "properties": extension},
            tagged=False,
        ),
        Kind("Microsoft.Storage/storageAccounts/kindsaccount", _placed({}, **account), first=202),
    ]
