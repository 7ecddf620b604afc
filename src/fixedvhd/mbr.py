"""The master boot record: the partitions of an MBR disk, and the protective one of a GPT disk.

Source: UEFI specification 2.10, section 5.2 (legacy and protective MBR).
"""

from __future__ import annotations

import struct
from dataclasses import dataclass
from typing import TYPE_CHECKING

from fixedvhd.errors import MbrError
from fixedvhd.sizes import SECTOR

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from fixedvhd.reading import ReadAt

PROTECTIVE = 0xEE
_ACTIVE = 0x80
_TABLE_AT = 446
_SIGNATURE_AT = 510
_SIGNATURE = b"\x55\xaa"
_ENTRY = struct.Struct("<B3sB3sII")
_MAX_SECTORS = 0xFFFFFFFF
_EXTENDED = (0x05, 0x0F, 0x85)
_NO_CHS = b"\xfe\xff\xff"
"""What stands where cylinder, head and sector once did: only the sector numbers count."""


@dataclass(frozen=True)
class MbrPartition:
    """One of the four primary entries; `first` and `sectors` count 512-byte sectors."""

    number: int
    active: bool
    kind: int
    first: int
    sectors: int

    @property
    def end(self) -> int:
        """The byte behind the partition's last one."""
        return (self.first + self.sectors) * SECTOR


@dataclass(frozen=True)
class Mbr:
    """The boot record: its disk signature and the primary partitions in use.

    Logical partitions lie inside the extended one, whose end therefore bounds them.
    """

    disk_signature: int
    partitions: tuple[MbrPartition, ...]

    @property
    def protective(self) -> bool:
        """Whether a GPT follows."""
        return any(p.kind == PROTECTIVE for p in self.partitions)

    @property
    def end(self) -> int:
        """The byte behind the last partition."""
        return max((p.end for p in self.partitions), default=SECTOR)


def read_mbr(read_at: ReadAt) -> Mbr:
    """The master boot record of a disk.

    Raises:
        MbrError: the first sector is short or lacks its 55 AA.
    """
    sector = read_at(0, SECTOR)
    if len(sector) < SECTOR or sector[_SIGNATURE_AT:] != _SIGNATURE:
        raise MbrError(["the first sector has no boot signature 55 AA"])
    found = []
    for number in range(1, 5):
        at = _TABLE_AT + (number - 1) * _ENTRY.size
        status, _, kind, _, first, sectors = _ENTRY.unpack_from(sector, at)
        if kind and sectors:
            found.append(MbrPartition(number, status == _ACTIVE, kind, first, sectors))
    return Mbr(int.from_bytes(sector[440:444], "little"), tuple(found))


def rewrite_mbr(sector: bytes, partitions: Sequence[MbrPartition], size: int) -> bytes:
    """A boot record with these partitions and no others, boot code and disk signature kept.

    An entry whose partition did not change keeps its bytes.

    Args:
        sector: the 512 bytes as they are.
        partitions: at most four, each with a number of its own.
        size: the disk's virtual size in bytes.

    Raises:
        MbrError: a partition does not fit on the disk or overlaps another, a number is wrong, or an extended
            partition was changed, whose chain of records lies inside it.
    """
    before = {
        p.number: p for p in read_mbr(lambda offset, length: sector[offset : offset + length]).partitions
    }
    if problems := _problems(before, partitions, size):
        raise MbrError(problems)
    wanted = {p.number: p for p in partitions}
    new = bytearray(sector)
    for number in range(1, 5):
        at = _TABLE_AT + (number - 1) * _ENTRY.size
        if wanted.get(number) != before.get(number):
            new[at : at + _ENTRY.size] = _entry(wanted.get(number))
    return bytes(new)


def build_mbr(disk_signature: int, partitions: Sequence[MbrPartition], size: int) -> bytes:
    """The boot record of a new disk of `size` bytes, without boot code.

    Raises:
        MbrError: as `rewrite_mbr`.
    """
    signature = disk_signature.to_bytes(4, "little")
    empty = (bytes(440) + signature).ljust(_SIGNATURE_AT, b"\0") + _SIGNATURE
    return rewrite_mbr(empty, partitions, size)


def protective_mbr(sectors: int, boot_code: bytes = b"") -> bytes:
    """The sector in front of a GPT on a disk of that many sectors.

    Args:
        sectors: the whole disk's.
        boot_code: what the first 440 bytes hold, kept from an older boot record.
    """
    head = boot_code[:440].ljust(_TABLE_AT, b"\0")
    size = min(sectors - 1, _MAX_SECTORS)
    entry = _ENTRY.pack(0, b"\x00\x02\x00", PROTECTIVE, b"\xff\xff\xff", 1, size)
    return (head + entry).ljust(_SIGNATURE_AT, b"\0") + _SIGNATURE


def _problems(before: Mapping[int, MbrPartition], partitions: Sequence[MbrPartition], size: int) -> list[str]:
    last = min(size // SECTOR, _MAX_SECTORS + 1) - 1
    problems = []
    numbers = [p.number for p in partitions]
    if len(set(numbers)) < len(numbers) or not set(numbers) <= {1, 2, 3, 4}:
        problems.append("the partitions of a boot record have the numbers 1 to 4, each once")
    previous: MbrPartition | None = None
    for p in sorted(partitions, key=lambda p: p.first):
        end = p.first + p.sectors - 1
        if p.first < 1 or p.sectors < 1 or end > last:
            problems.append(f"partition {p.number} has sectors {p.first} to {end}, outside 1 to {last}")
        if previous is not None and p.first < previous.first + previous.sectors:
            problems.append(f"partitions {previous.number} and {p.number} overlap")
        was = before.get(p.number)
        if was is not None and was != p and was.kind in _EXTENDED:
            problems.append(f"partition {p.number} is an extended one, which cannot be changed here")
        previous = p
    return problems


def _entry(partition: MbrPartition | None) -> bytes:
    if partition is None:
        return bytes(_ENTRY.size)
    status = _ACTIVE if partition.active else 0
    return _ENTRY.pack(status, _NO_CHS, partition.kind, _NO_CHS, partition.first, partition.sectors)
