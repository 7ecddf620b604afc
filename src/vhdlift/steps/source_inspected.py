"""What the source VM is, and whether its disk can be exported at all."""

from __future__ import annotations

from typing import TYPE_CHECKING

from vhdlift.azure.power import power_of, read_vm
from vhdlift.azure.source import disk_bytes, os_disk_id, read_os_disk, refusals
from vhdlift.azure.values import text
from vhdlift.errors import Leftover, VhdliftError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from vhdlift.steps.base import Context, Made


class SourceInspected:
    """Power state, OS disk, generation, encryption and size of the source VM; changes nothing."""

    name = "source_inspected"
    title = "Read the source VM"
    needs: tuple[str, ...] = ()

    async def do(self, c: Context) -> Made:
        """Read the VM and its OS disk; refuse, with all reasons at once, what cannot become a bootable VHD.

        The power state that is recorded here is the one that the VM is given back.
        """
        spec = c.run.spec
        vm = await read_vm(c.azure, spec.source_resource_group, spec.source_vm)
        disk_id = os_disk_id(vm)
        disk = await read_os_disk(c.azure, disk_id) if disk_id else None
        power = power_of(vm)
        reasons = list(refusals(vm, disk))
        if power is None:
            reasons.append("Azure does not tell its power state, so it could not be given back")
        if reasons:
            raise VhdliftError(
                f"the VM {spec.source_vm} cannot be exported: {'; '.join(reasons)}",
                "Choose another source VM, or change what is named.",
            )
        return {
            "source_id": str(vm.id),
            "source_power_state": power,
            "source_disk_id": str(disk.id) if disk else disk_id,
            "source_disk_bytes": disk_bytes(disk),
            "source_location": str(vm.location),
            "source_generation": text(disk.properties.hyper_v_generation) if disk else "",
        }

    async def undo(self, c: Context) -> Sequence[Leftover]:
        """Nothing: nothing was changed."""
        del c
        return []
