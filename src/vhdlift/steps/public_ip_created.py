"""The public IP address of the target VM."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Any

from vhdlift.azure import network
from vhdlift.azure.ownership import Resource, arm_id, delete_ours, made
from vhdlift.azure.waiting import finished
from vhdlift.errors import AzureRefused, Leftover

if TYPE_CHECKING:
    from collections.abc import Sequence

    from vhdlift.steps.base import Context, Made


class PublicIpCreated:
    """A Standard address that stays the same for the life of the VM."""

    name = "public_ip_created"
    title = "Create the public IP address"
    needs = ("resource_group_ready",)

    async def do(self, c: Context) -> Made:
        """Make the address.

        Raises:
            AzureRefused: Azure made the resource and gave it no address.
        """

        async def create() -> Any:
            return await finished(
                c.azure.network.public_ip_addresses.begin_create_or_update,
                c.names.group,
                c.names.public_ip,
                network.public_ip_address(c.run.spec.location, c.run.tags),
                what=f"creating {public_ip(c).what}",
                kind="network",
                scale=c.azure.scale,
            )

        there = await made(c.azure, public_ip(c), c.run.id, c.ledger, create)
        if not there.ip_address:
            raise AzureRefused(f"{public_ip(c).what} was created without an address", "NoAddress")
        return {"public_ip_id": str(there.id), "address": str(there.ip_address)}

    async def undo(self, c: Context) -> Sequence[Leftover]:
        """Delete the address."""
        return await delete_ours(c.azure, public_ip(c), c.run.id)


def public_ip(c: Context) -> Resource:
    """The address as a resource of the run."""
    addresses = c.azure.network.public_ip_addresses
    group, name = c.names.group, c.names.public_ip
    return Resource(
        id=arm_id(c.azure, group, f"Microsoft.Network/publicIPAddresses/{name}"),
        what=f"the public IP address {name}",
        get=partial(addresses.get, group, name),
        begin_delete=partial(addresses.begin_delete, group, name),
    )
