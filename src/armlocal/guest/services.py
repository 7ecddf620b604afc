"""The phases that change the machine and not the disk: on the double's machine there is nothing to change."""

from __future__ import annotations

from typing import TYPE_CHECKING

from armlocal.guest.work import Skipped

if TYPE_CHECKING:
    from collections.abc import Mapping

    from armlocal.guest.work import Work


async def hyperv(work: Work) -> str:
    """No Windows, so no Hyper-V; no other phase needs it."""
    if work.values.texts.get("HYPER_V") == "off":
        return Skipped("Hyper-V was not asked for")
    return Skipped("this machine cannot run virtual machines of its own; nothing else needs Hyper-V")


async def services(work: Work) -> str:
    """What would answer at which names, and why the others would not: nothing listens on a stand-in.

    Told as by a machine without a graphics card, which is what the stand-in's are.
    """
    texts = work.values.texts
    chosen = [name for name in texts.get("SERVICES", "").split(",") if name]
    if not chosen:
        return Skipped("none was asked for")
    if "443" not in texts.get("PORTS", "").split(","):
        told = dict.fromkeys(chosen, "port 443 is not open, so no name can answer")
    else:
        told = {name: _problem(name, texts) for name in chosen}
    work.facts["services"] = told
    return "; ".join(f"{name}: {how}" for name, how in told.items())


def _problem(name: str, texts: Mapping[str, str]) -> str:
    if not texts.get("DROP_PASSWORD" if name == "drop" else "PIN_PASSWORD"):
        return "no e-mail address was given, so nobody would know its password"
    if name == "drop":
        return "on"
    return "this size of machine has no graphics card, so its screen cannot be streamed"
