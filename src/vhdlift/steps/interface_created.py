"""The network interface, with subnet, public IP and security group from its first second."""

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


class InterfaceCreated:
    """Joins what the three steps before it made."""

    name = "interface_created"
    title = "Create the network interface"
    needs = ("network_created", "public_ip_created", "security_group_created")

    async def do(self, c: Context) -> Made:
        """Make the interface."""

        async def create() -> Any:
            body = network.network_interface(
                c.run.spec.location,
                c.run.tags,
                c.facts["subnet_id"],
                c.facts["public_ip_id"],
                c.facts["security_group_id"],
            )
            return await finished(
                c.azure.network.network_interfaces.begin_create_or_update,
                c.names.group,
                c.names.nic,
                body,
                what=f"creating {interface(c).what}",
                kind="network",
                scale=c.azure.scale,
                watch=Watch(interface(c).get),
            )

        nic = await made(c.azure, interface(c), c.run.id, c.ledger, create)
        return {"nic_id": str(nic.id)}

    async def undo(self, c: Context) -> Sequence[Leftover]:
        """Delete the interface; one that is still reserved for a deleted VM is waited for."""
        return await delete_ours(c.azure, interface(c), c.run.id)


def interface(c: Context) -> Resource:
    """The interface as a resource of the run."""
    interfaces = c.azure.network.network_interfaces
    group, name = c.names.group, c.names.nic
    return Resource(
        id=arm_id(c.azure, group, f"Microsoft.Network/networkInterfaces/{name}"),
        what=f"the network interface {name}",
        get=partial(interfaces.get, group, name),
        begin_delete=partial(interfaces.begin_delete, group, name),
    )
