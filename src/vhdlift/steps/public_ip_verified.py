"""Looks whether the target VM can be reached by its public IP address at all."""

from __future__ import annotations

import asyncio
from shlex import quote
from typing import TYPE_CHECKING

from vhdlift.azure.waiting import found
from vhdlift.errors import Leftover, TookTooLong
from vhdlift.steps.interface_created import interface
from vhdlift.steps.public_ip_created import public_ip

if TYPE_CHECKING:
    from collections.abc import Sequence

    from vhdlift.steps.base import Context, Made

_LOOKS, _PAUSE_SECONDS = 24, 5.0


class PublicIpVerified:
    """Takes nothing from the steps before on trust: asks the interface and the address."""

    name = "public_ip_verified"
    title = "Look for the public IP address on the VM"
    needs = ("vm_created",)

    async def do(self, c: Context) -> Made:
        """Look until the interface shows the address, for two minutes at scale 1.

        Raises:
            TookTooLong: it does not.
        """
        for _ in range(_LOOKS):
            address = await _address(c)
            if address is not None:
                return {"address": address}
            await asyncio.sleep(_PAUSE_SECONDS * c.azure.scale)
        sentence = f"{interface(c).what} has no public IP address, or not the one of this run"
        raise TookTooLong(
            sentence, f"`az network nic show --ids {quote(interface(c).id)}` shows what it has."
        )

    async def undo(self, c: Context) -> Sequence[Leftover]:  # noqa: ARG002
        """Nothing: it only looked."""
        return []


async def _address(c: Context) -> str | None:
    """The address, if the interface has our public IP and that has an address."""
    nic = await found(interface(c).get, what=f"reading {interface(c).what}", scale=c.azure.scale)
    attached = {
        str(configuration.public_ip_address.id).lower()
        for configuration in (nic.ip_configurations if nic else None) or []
        if configuration.public_ip_address
    }
    wanted = public_ip(c)
    if wanted.id.lower() not in attached:
        return None
    there = await found(wanted.get, what=f"reading {wanted.what}", scale=c.azure.scale)
    return str(there.ip_address) if there is not None and there.ip_address else None
