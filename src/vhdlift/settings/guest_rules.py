"""What the new VM may serve, and the ports that it takes.

Ports: Sunshine's, counted from its base 47989 (LizardByte's documentation), and the range in which the
program for the browser is told to stay. Names of sizes: "Azure VM sizes naming conventions"; the N family has
graphics cards, but for NP, which has FPGAs.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from vhdlift.model import SERVICES

if TYPE_CHECKING:
    from collections.abc import Iterable

NONE = "none"
WEB_PORTS = (80, 443)
"""Of Caddy: 443 for all names, 80 for certificates and for who forgets the s."""
SUNSHINE_PORTS = (47984, 47989, 48010, 47998, 47999, 48000)
BROWSER_PORTS = tuple(range(40000, 40011))
_GPU = re.compile(r"Standard_N[A-OQ-Z]", re.IGNORECASE)


def services(chosen: tuple[str, ...]) -> tuple[str, ...]:
    """The services in small letters, each once, or `none` alone.

    Raises:
        ValueError: one that there is not, one given twice, or `none` beside others.
    """
    names = tuple(name.lower() for name in chosen)
    if names == (NONE,):
        return names
    if unknown := [name for name in names if name not in SERVICES]:
        raise ValueError(f"must be {', '.join(SERVICES)}, or {NONE} alone: not {unknown[0]!r}")
    if len(set(names)) < len(names):
        raise ValueError("must not be given twice with the same value")
    return names


def ports(chosen: Iterable[object], vm_size: str) -> tuple[int, ...]:
    """Exactly the ports that these services listen on, on a VM of this size.

    Only a size with a graphics card can stream: `pin` pairs Moonlight, which then speaks to Sunshine itself,
    and `web` shows the screen in a browser.
    """
    names = {str(name).lower() for name in chosen} & set(SERVICES)
    found: tuple[int, ...] = WEB_PORTS if names else ()
    if _GPU.match(vm_size):
        found += (SUNSHINE_PORTS if "pin" in names else ()) + (BROWSER_PORTS if "web" in names else ())
    return found
