"""Microsoft.Compute: all routes of virtual machines, what runs on them, disks and snapshots."""

from __future__ import annotations

from typing import TYPE_CHECKING

from armlocal.providers import (
    compute_disks,
    compute_extensions,
    compute_power,
    compute_run_commands,
    compute_vms,
)

if TYPE_CHECKING:
    from armlocal.providers.base import Routes

ROUTES: Routes = {
    **compute_vms.ROUTES,
    **compute_power.ROUTES,
    **compute_extensions.ROUTES,
    **compute_run_commands.ROUTES,
    **compute_disks.ROUTES,
}
