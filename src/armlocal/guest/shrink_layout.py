"""The partitions of a disk, whichever table lists them: read, changed, written for another size."""

from __future__ import annotations

import os
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from fixedvhd import (
    BASIC_DATA,
    MIB,
    RECOVERY,
    SECTOR,
    Gpt,
    Mbr,
    Patch,
    align_up,
    change_partitions,
    read_gpt,
    read_mbr,
    rewrite_gpt,
    rewrite_mbr,
)

if TYPE_CHECKING:
    from collections.abc import Iterable

_MBR_NTFS, _MBR_RECOVERY = 0x07, 0x27


@dataclass(frozen=True)
class Part:
    """One partition; `kind` is `data`, `recovery` or `other`; offset and length are bytes."""

    number: int
    kind: str
    offset: int
    length: int

    @property
    def end(self) -> int:
        """The byte behind the last one."""
        return self.offset + self.length


@dataclass(frozen=True)
class Layout:
    """The partitions of one disk, and the table as it was read."""

    table: Gpt | Mbr
    parts: tuple[Part, ...]

    @property
    def scheme(self) -> str:
        """`gpt` or `mbr`."""
        return "gpt" if isinstance(self.table, Gpt) else "mbr"

    @property
    def tail(self) -> int:
        """Bytes that the table needs behind the last partition, as Windows lays disks out."""
        return MIB if isinstance(self.table, Gpt) else 0

    def least_size(self, end: int) -> int:
        """The least size of a disk whose last partition ends at byte `end`."""
        return align_up(end + self.tail)

    def patches(self, parts: Iterable[Part], size: int, boot: bytes) -> list[Patch]:
        """What to write so that a disk of `size` bytes has these of its partitions, and no others.

        Args:
            parts: some of those that were read, cut or not.
            size: the disk's virtual size in bytes.
            boot: the disk's first sector.

        Raises:
            DiskError: they do not fit.
        """
        kept = {part.number: part for part in parts}
        if isinstance(self.table, Gpt):
            gpt = [
                replace(p, first=kept[p.number].offset // SECTOR, last=kept[p.number].end // SECTOR - 1)
                for p in self.table.partitions
                if p.number in kept
            ]
            return rewrite_gpt(change_partitions(self.table, gpt), size)
        mbr = [
            replace(p, sectors=kept[p.number].length // SECTOR)
            for p in self.table.partitions
            if p.number in kept
        ]
        return [Patch(0, rewrite_mbr(boot, mbr, size))]


def read_layout(descriptor: int, size: int) -> Layout:
    """The partitions of a disk of `size` bytes; a backup table is not asked for.

    Raises:
        DiskError: there is no table, or a damaged one.
    """

    def read_at(offset: int, length: int) -> bytes:
        return os.pread(descriptor, length, offset)

    record = read_mbr(read_at)
    if record.protective:
        table = read_gpt(read_at, size, backup=False)
        kinds = {BASIC_DATA: "data", RECOVERY: "recovery"}
        parts = [
            Part(p.number, kinds.get(p.kind, "other"), p.offset, p.end - p.offset) for p in table.partitions
        ]
        return Layout(table, tuple(parts))
    names = {_MBR_NTFS: "data", _MBR_RECOVERY: "recovery"}
    found = [
        Part(p.number, names.get(p.kind, "other"), p.first * SECTOR, p.sectors * SECTOR)
        for p in record.partitions
    ]
    return Layout(record, tuple(found))


def write(descriptor: int, patches: Iterable[Patch]) -> None:
    """Puts bytes where they belong."""
    for patch in patches:
        os.pwrite(descriptor, patch.data, patch.offset)
