"""The phases that change the machine and not the disk: on the double's machine there is nothing to change."""

from __future__ import annotations

from typing import TYPE_CHECKING

from armlocal.guest.work import Skipped

if TYPE_CHECKING:
    from armlocal.guest.work import Work


async def hyperv(work: Work) -> str:
    """No Windows, so no Hyper-V; no other phase needs it."""
    if work.values.texts.get("HYPER_V") == "off":
        return Skipped("Hyper-V was not asked for")
    return Skipped("this machine cannot run virtual machines of its own; nothing else needs Hyper-V")


async def services(work: Work) -> str:
    """What would answer at which names; nothing does here, and none of it can fail the export."""
    chosen = [name for name in work.values.texts.get("SERVICES", "").split(",") if name]
    if not chosen:
        return Skipped("no service was asked for")
    return Skipped(f"nothing is served from a stand-in: {', '.join(chosen)} would be")
