"""Sizes of disks: binary and decimal units, alignment, and what a fixed VHD may be.

A stick sold as 256 GB holds 256 000 000 000 bytes, which is 238.4 GiB: whoever names a target size must
know which of the two is meant, so every function here says its unit.
"""

from __future__ import annotations

SECTOR = 512
KIB = 1024
MIB = 1024 * KIB
GIB = 1024 * MIB
GB = 1000**3
STICKS_GB = (8, 16, 32, 64, 128, 256, 512, 1000, 2000, 4000)
"""What USB sticks and small USB disks are sold as, in decimal gigabytes."""
MAX_VIRTUAL_SIZE = 2040 * GIB
"""The largest virtual size, in bytes, that Windows accepts for the VHD format."""


def align_up(value: int, unit: int = MIB) -> int:
    """The smallest multiple of `unit` that is not below `value`, both in bytes."""
    return -(-value // unit) * unit


def align_down(value: int, unit: int = MIB) -> int:
    """The largest multiple of `unit` that is not above `value`, both in bytes."""
    return value // unit * unit


def describe(size: int) -> str:
    """A size in bytes in both units, such as `220 GiB (236.2 GB)`."""
    gib = f"{size / GIB:.1f}".removesuffix(".0")
    return f"{gib} GiB ({size / GB:.1f} GB)"


def stick_reserve(stick_gb: int) -> int:
    """Bytes of a stick of `stick_gb` GB that a VHD must leave free: a twentieth, 1 GB at least.

    Sticks hold up to 3 % less than is printed on them; the rest is for NTFS itself and a boot manager.
    """
    return max(stick_gb * GB // 20, GB)


def stick_gib(stick_gb: int) -> int:
    """The largest virtual size, in whole GiB, whose VHD file leaves a stick its reserve; may be 0."""
    room = stick_gb * GB - stick_reserve(stick_gb) - SECTOR
    return max(min(room, MAX_VIRTUAL_SIZE) // GIB, 0)


def stick_for(size: int) -> int | None:
    """The smallest usual stick, in decimal gigabytes, that takes a VHD of `size` bytes; None if none does."""
    return next((gb for gb in STICKS_GB if size + SECTOR + stick_reserve(gb) <= gb * GB), None)


def size_problems(size: int) -> list[str]:
    """Why a virtual size, in bytes, cannot be that of a fixed VHD that Azure and Windows take; [] if it can.

    Azure takes a multiple of 1 MiB only; the VHD format ends at 2,040 GiB.
    """
    problems = []
    if size <= 0:
        problems.append(f"the virtual size is {size} bytes, and must be more than nothing")
    if size % MIB:
        problems.append(f"the virtual size is {size} bytes, which is not a multiple of 1 MiB")
    if size > MAX_VIRTUAL_SIZE:
        problems.append(f"the virtual size is {describe(size)}, and a VHD holds at most 2040 GiB")
    return problems
