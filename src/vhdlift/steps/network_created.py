"""The virtual network of the target VM."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Any

from vhdlift.azure import network
from vhdlift.azure.ownership import Resource, arm_id, delete_ours, made
from vhdlift.azure.polling import Watch
from vhdlift.azure.waiting import finished

if TYPE_CHECKING:
    from collections.abc import Sequence

    from vhdlift.errors import Leftover
    from vhdlift.steps.base import Context, Made


class NetworkCreated:
    """A VNet with one subnet, made for this run alone."""

    name = "network_created"
    title = "Create the virtual network"
    needs = ("resource_group_ready",)

    async def do(self, c: Context) -> Made:
        """Make the network; hands on the subnet that the interface goes into."""

        async def create() -> Any:
            body = network.virtual_network(c.run.spec.location, c.run.tags, c.names.short)
            return await finished(
                c.azure.network.virtual_networks.begin_create_or_update,
                c.names.group,
                c.names.vnet,
                body,
                what=f"creating {_network(c).what}",
                kind="network",
                scale=c.azure.scale,
                watch=Watch(_network(c).get),
            )

        vnet = await made(c.azure, _network(c), c.run.id, c.ledger, create)
        return {"vnet_id": str(vnet.id), "subnet_id": f"{vnet.id}/subnets/{network.SUBNET}"}

    async def undo(self, c: Context) -> Sequence[Leftover]:
        """Delete the network with its subnet."""
        return await delete_ours(c.azure, _network(c), c.run.id)


def _network(c: Context) -> Resource:
    networks = c.azure.network.virtual_networks
    group, name = c.names.group, c.names.vnet
    return Resource(
        id=arm_id(c.azure, group, f"Microsoft.Network/virtualNetworks/{name}"),
        what=f"the virtual network {name}",
        get=partial(networks.get, group, name),
        begin_delete=partial(networks.begin_delete, group, name),
    )
