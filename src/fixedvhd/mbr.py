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
    from fixedvhd.reading import ReadAt

PROTECTIVE = 0xEE
_ACTIVE = 0x80
_TABLE_AT = 446
_SIGNATURE_AT = 510
_SIGNATURE = b"\x55\xaa"
_ENTRY = struct.Struct("<B3sB3sII")
_MAX_SECTORS = 0xFFFFFFFF


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
