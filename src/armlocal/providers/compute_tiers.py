"""What a managed disk can do, by kind and size. Source: recorded P4 and P15, Microsoft's table of types."""

from __future__ import annotations

from typing import Any

_PREMIUM = (
    (32, "P4", 120, 25),
    (64, "P6", 240, 50),
    (128, "P10", 500, 100),
    (256, "P15", 1100, 125),
    (512, "P20", 2300, 150),
    (1024, "P30", 5000, 200),
    (2048, "P40", 7500, 250),
    (4096, "P50", 7500, 250),
)
_STANDARD_IOPS = 500
_STANDARD_MBPS = {"StandardSSD_LRS": 100, "Standard_LRS": 60}


def tier(sku: str) -> str:
    """The kind of a disk without its redundancy: `Premium_ZRS` is Premium."""
    return "Premium" if sku.startswith("Premium") else "Standard"


def performance(sku: str, size_gb: int) -> dict[str, Any]:
    """How fast a disk is: operations and megabytes a second, and the tier of a Premium disk."""
    if not sku.startswith("Premium"):
        return {"diskIOPSReadWrite": _STANDARD_IOPS, "diskMBpsReadWrite": _STANDARD_MBPS.get(sku, 100)}
    _, tier, iops, mbps = next((row for row in _PREMIUM if size_gb <= row[0]), _PREMIUM[-1])
    return {"diskIOPSReadWrite": iops, "diskMBpsReadWrite": mbps, "tier": tier}
