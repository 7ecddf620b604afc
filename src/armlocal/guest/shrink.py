"""The phases that make the disk smaller: inspect, clean, shrink, finalize_vhd; on the real bytes.

They refuse what the PowerShell guest refuses, with the numbers. Where Windows moves files out of the way,
this guest only takes what is free at the end.
"""

from __future__ import annotations

import os
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import TYPE_CHECKING
from uuid import uuid4

from armlocal.guest.errors import PhaseError
from armlocal.guest.shrink_layout import Layout, Part, read_layout, write
from armlocal.guest.shrink_ntfs import Volume, system_of
from fixedvhd import FOOTER_SIZE, align_down, build_footer, describe

if TYPE_CHECKING:
    from collections.abc import Iterator

    from armlocal.guest.work import Work

WINDOWS_FILE = "windows/system32/config/system"
HUGE_FILES = ("pagefile.sys", "swapfile.sys", "hiberfil.sys")


@dataclass(frozen=True)
class Open:
    """The guest's disk while a phase works on it; `size` is the virtual one, in bytes."""

    descriptor: int
    size: int
    layout: Layout

    def volume(self, part: Part) -> Volume:
        """The NTFS in a partition."""
        return Volume(self.descriptor, part.offset, part.length)

    def windows(self) -> Part:
        """The partition that Windows is on.

        Raises:
            PhaseError: there is none, or BitLocker keeps it shut.
        """
        for part in self.layout.parts:
            system = system_of(self.descriptor, part.offset)
            if system == "bitlocker":
                raise PhaseError(
                    f"partition {part.number} is encrypted with BitLocker; turn it off in the source VM "
                    "first, with manage-bde -off C:, and wait until it is decrypted",
                    final=True,
                )
            if part.kind == "data" and system == "ntfs" and WINDOWS_FILE in self.volume(part).files():
                return part
        raise PhaseError(
            f"there is no Windows volume among the {len(self.layout.parts)} partitions of the disk",
            final=True,
        )

    def behind(self, windows: Part) -> list[Part]:
        """The partitions behind that of Windows."""
        return [part for part in self.layout.parts if part.offset > windows.offset]

    def change(self, parts: list[Part], size: int | None = None) -> None:
        """Writes the partition table anew."""
        boot = os.pread(self.descriptor, 512, 0)
        write(self.descriptor, self.layout.patches(parts, size or self.size, boot))


async def inspect(work: Work) -> str:
    """What is on the disk, and whether it can become what is asked for. Changes nothing."""
    with _opened(work) as disk:
        windows = disk.windows()
        used, least = disk.volume(windows).used()
        others = [part.end for part in disk.behind(windows) if part.kind != "recovery"]
        least_size = disk.layout.least_size(max([windows.offset + least, *others]))
    target = _target(work)
    if target < disk.size and least_size > target:
        raise PhaseError(
            f"the disk cannot be made as small as {target} bytes ({describe(target)}): what is on it "
            f"needs at least {least_size} bytes ({describe(least_size)})",
            final=True,
        )
    work.facts |= {"used_bytes": used, "least_size": least_size}
    return (
        f"Windows on partition {windows.number}, {describe(used)} of {describe(windows.length)} in use; the "
        f"disk can have {describe(least_size)} and more"
    )


async def clean(work: Work) -> str:
    """What stands in the way of a smaller disk goes: the recovery partition behind Windows."""
    with _opened(work) as disk:
        if _target(work) >= disk.size:
            return "the disk keeps its size, so nothing is in the way"
        windows = disk.windows()
        there = [name for name in HUGE_FILES if name in disk.volume(windows).files()]
        gone = [part for part in disk.behind(windows) if part.kind == "recovery"]
        disk.change([part for part in disk.layout.parts if part not in gone])
    for part in gone:
        _changed(work, f"the recovery partition {part.number} behind Windows was removed")
    kept = f"; {', '.join(there)} stayed" if there else ""
    return f"recovery partitions removed: {len(gone)}{kept}"


async def shrink(work: Work) -> str:
    """The file system of Windows and its partition end before the target does."""
    with _opened(work) as disk:
        windows = disk.windows()
        target = _target(work)
        length = align_down(target - disk.layout.tail - windows.offset)
        if target >= disk.size or length >= windows.length:
            return "the partition of Windows ends where it should"
        disk.volume(windows).shrink(length)
        smaller = replace(windows, length=length)
        disk.change([smaller if part == windows else part for part in disk.layout.parts])
    told = f"the partition of Windows was shrunk from {windows.length} to {length} bytes"
    _changed(work, told)
    return told


async def finalize_vhd(work: Work) -> str:
    """The file becomes what is promised: cut, with whole partition tables and one footer for a fixed VHD."""
    with _opened(work) as disk:
        size = min(_target(work), disk.size)
        footer = build_footer(size, uuid4(), datetime.now(UTC).replace(microsecond=0))
        if size < disk.size:
            disk.change(list(disk.layout.parts), size)
            _changed(work, f"the disk was cut from {disk.size} to {size} bytes")
        os.pwrite(disk.descriptor, footer, size)
        # Last, so that another attempt finds the disk as this one did.
        os.ftruncate(disk.descriptor, size + FOOTER_SIZE)
        _changed(work, "the VHD footer was written anew")
        if work.lies:
            os.pwrite(disk.descriptor, b"not the backup of a partition table".ljust(512), size - 512)
            work.facts["damaged"] = True
    work.facts["virtual_size"] = size
    return f"a fixed VHD of {size} bytes"


@contextmanager
def _opened(work: Work) -> Iterator[Open]:
    descriptor = os.open(work.vhd, os.O_RDWR)
    try:
        size = os.fstat(descriptor).st_size - FOOTER_SIZE
        yield Open(descriptor, size, read_layout(descriptor, size))
    finally:
        os.close(descriptor)


def _target(work: Work) -> int:
    """The most bytes that the disk may have in the end: the source's own, if nothing else was asked for."""
    source = int(work.facts["source_size"])
    return min(align_down(work.values.target_size), source) if work.values.target_size else source


def _changed(work: Work, sentence: str) -> None:
    """Something for the manifest's list; once, however often the phase is tried."""
    changes: list[str] = work.facts.setdefault("changes", [])
    if sentence not in changes:
        changes.append(sentence)
