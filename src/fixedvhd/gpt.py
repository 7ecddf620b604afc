"""The GUID partition table: both headers and both entry arrays, read, checked, and written anew.

Source: UEFI specification 2.10, section 5.3. Sectors are 512 bytes, as in every VHD.
"""

from __future__ import annotations

import struct
import zlib
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING
from uuid import UUID

from fixedvhd.errors import GptError, MbrError
from fixedvhd.mbr import PROTECTIVE, protective_mbr, read_mbr
from fixedvhd.sizes import MIB, SECTOR, align_up

if TYPE_CHECKING:
    from collections.abc import Sequence

    from fixedvhd.reading import ReadAt

EFI_SYSTEM = UUID("c12a7328-f81f-11d2-ba4b-00a0c93ec93b")
MICROSOFT_RESERVED = UUID("e3c9e316-0b5c-4db8-817d-f92df00215ae")
BASIC_DATA = UUID("ebd0a0a2-b9e5-4433-87c0-68b6b72699c7")
RECOVERY = UUID("de94bba4-06d1-4d40-a16a-bfd50179d6ac")

_SIGNATURE = b"EFI PART"
_REVISION = 0x00010000
_HEADER = struct.Struct("<8sIIIIQQQQ16sQIII")
_ENTRY = struct.Struct("<16s16sQQQ72s")
_CRC_AT = 16
_ENTRIES = 128
_MAX_ENTRIES_BYTES = MIB


@dataclass(frozen=True)
class Partition:
    """One entry in use; `first` and `last` are sectors, both inside the partition."""

    number: int
    kind: UUID
    unique_id: UUID
    first: int
    last: int
    name: str = ""
    attributes: int = 0

    @property
    def offset(self) -> int:
        """The partition's first byte."""
        return self.first * SECTOR

    @property
    def end(self) -> int:
        """The byte behind the partition's last one."""
        return (self.last + 1) * SECTOR

    def to_bytes(self) -> bytes:
        """The entry's 128 bytes."""
        name = self.name.encode("utf-16-le")[:72]
        ids = (self.kind.bytes_le, self.unique_id.bytes_le)
        return _ENTRY.pack(*ids, self.first, self.last, self.attributes, name)


@dataclass(frozen=True)
class Gpt:
    """A partition table; `size` is the whole disk's, in bytes.

    `entries` is the array as it stands on the disk, so that a rewrite keeps what it does not know.
    """

    disk_id: UUID
    size: int
    first_usable: int
    last_usable: int
    partitions: tuple[Partition, ...]
    entries: bytes
    entry_count: int
    entry_size: int
    boot_code: bytes = b""

    @property
    def end(self) -> int:
        """The byte behind the last partition."""
        return max((p.end for p in self.partitions), default=self.first_usable * SECTOR)

    @property
    def least_size(self) -> int:
        """The least virtual size, in bytes and a multiple of 1 MiB, on which all this fits."""
        return align_up(self.end + _sectors(self.entries) * SECTOR + SECTOR)


@dataclass(frozen=True)
class Patch:
    """Bytes to be written at an offset."""

    offset: int
    data: bytes


@dataclass(frozen=True)
class _Header:
    """The fields of one of the two headers."""

    mine: int
    other: int
    first_usable: int
    last_usable: int
    disk_id: UUID
    entries_at: int
    entry_count: int
    entry_size: int
    entries_crc: int

    def to_bytes(self) -> bytes:
        fields = (
            *(_SIGNATURE, _REVISION, _HEADER.size, 0, 0, self.mine, self.other, self.first_usable),
            *(self.last_usable, self.disk_id.bytes_le, self.entries_at),
            *(self.entry_count, self.entry_size, self.entries_crc),
        )
        data = _HEADER.pack(*fields)
        crc = struct.pack("<I", zlib.crc32(data))
        return (data[:_CRC_AT] + crc + data[_CRC_AT + 4 :]).ljust(SECTOR, b"\0")


def read_gpt(read_at: ReadAt, size: int, *, backup: bool = True) -> Gpt:
    """The partition table of a disk, after checking the protective MBR, both headers and both arrays.

    Args:
        read_at: reads the disk.
        size: the disk's virtual size in bytes, without a VHD's footer.
        backup: False reads the primary alone, for a disk that was cut or grown before this.

    Raises:
        GptError: something is damaged or does not agree; every problem is named.
    """
    problems = _mbr_problems(read_at)
    header, entries = _read_half(read_at, size, 1, "primary", problems)
    if header is None:
        raise GptError(problems)
    if backup:
        problems += _backup_problems(read_at, size, header, entries)
    partitions = _partitions(header, entries)
    problems += _partition_problems(header, partitions)
    if problems:
        raise GptError(problems)
    return Gpt(
        disk_id=header.disk_id,
        size=size,
        first_usable=header.first_usable,
        last_usable=header.last_usable,
        partitions=partitions,
        entries=entries,
        entry_count=header.entry_count,
        entry_size=header.entry_size,
        boot_code=read_at(0, 440),
    )


def build_gpt(size: int, disk_id: UUID, partitions: Sequence[Partition]) -> list[Patch]:
    """What to write on an empty disk of `size` bytes so that it has these partitions.

    Raises:
        GptError: the partitions do not fit, or overlap.
    """
    array = bytearray(_ENTRIES * _ENTRY.size)
    for partition in partitions:
        at = (partition.number - 1) * _ENTRY.size
        array[at : at + _ENTRY.size] = partition.to_bytes()
    first_usable = 2 + _sectors(bytes(array))
    table = Gpt(disk_id, size, first_usable, 0, tuple(partitions), bytes(array), _ENTRIES, _ENTRY.size)
    return rewrite_gpt(table, size)


def change_partitions(table: Gpt, partitions: Sequence[Partition]) -> Gpt:
    """The same table with these partitions and no others: moved, cut, renamed, or gone.

    What an entry holds behind its first 128 bytes, and the order of the entries, stay. `rewrite_gpt` says
    what to write.

    Raises:
        GptError: a partition has a number that the table has no entry for, or two have the same.
    """
    numbers = [p.number for p in partitions]
    wrong = [n for n in numbers if not 1 <= n <= table.entry_count or numbers.count(n) > 1]
    if wrong:
        raise GptError([f"there can be no partition {n}, or no second one" for n in sorted(set(wrong))])
    array = bytearray(table.entries)
    for gone in table.partitions:
        at = (gone.number - 1) * table.entry_size
        if gone.number not in numbers:
            array[at : at + table.entry_size] = bytes(table.entry_size)
    for partition in partitions:
        at = (partition.number - 1) * table.entry_size
        array[at : at + _ENTRY.size] = partition.to_bytes()
    ordered = tuple(sorted(partitions, key=lambda p: p.number))
    return replace(table, partitions=ordered, entries=bytes(array))


def rewrite_gpt(table: Gpt, size: int) -> list[Patch]:
    """What to write so that the same partitions stand on a disk of another `size` in bytes.

    Protective MBR, primary header and array at the start, backup array and header at the new end. The
    patches may be written any number of times.

    Raises:
        GptError: a partition would reach into the backup at the new end; the numbers are named.
    """
    sectors = size // SECTOR
    width = _sectors(table.entries)
    last = sectors - 1
    primary = _Header(
        mine=1,
        other=last,
        first_usable=table.first_usable,
        last_usable=last - width - 1,
        disk_id=table.disk_id,
        entries_at=2,
        entry_count=table.entry_count,
        entry_size=table.entry_size,
        entries_crc=zlib.crc32(table.entries),
    )
    problems = _partition_problems(primary, table.partitions)
    if problems:
        raise GptError(problems)
    at_end = last - width
    spare = _Header(**{**vars(primary), "mine": last, "other": 1, "entries_at": at_end})
    padded = table.entries.ljust(width * SECTOR, b"\0")
    return [
        Patch(0, protective_mbr(sectors, table.boot_code)),
        Patch(SECTOR, primary.to_bytes()),
        Patch(2 * SECTOR, padded),
        Patch(at_end * SECTOR, padded),
        Patch(last * SECTOR, spare.to_bytes()),
    ]


def _mbr_problems(read_at: ReadAt) -> list[str]:
    try:
        record = read_mbr(read_at)
    except MbrError as error:
        return error.problems
    if not record.protective:
        return [f"the boot record has no protective partition (type 0x{PROTECTIVE:02x})"]
    return []


def _read_half(
    read_at: ReadAt, size: int, lba: int, which: str, problems: list[str]
) -> tuple[_Header | None, bytes]:
    """One header with its array; what is wrong with them goes into `problems`."""
    sector = read_at(lba * SECTOR, SECTOR)
    if len(sector) < SECTOR or sector[:8] != _SIGNATURE:
        problems.append(f"there is no {which} GPT header in sector {lba}")
        return None, b""
    header_size, crc, header = _parse_header(sector)
    if not _HEADER.size <= header_size <= SECTOR:
        problems.append(f"the {which} GPT header says it is {header_size} bytes long")
        return None, b""
    cleared = sector[:_CRC_AT] + bytes(4) + sector[_CRC_AT + 4 : header_size]
    if zlib.crc32(cleared) != crc:
        problems.append(f"the {which} GPT header's checksum is wrong")
        return None, b""
    if header.mine != lba:
        problems.append(f"the {which} GPT header says it is in sector {header.mine}, and is in {lba}")
    length = header.entry_count * header.entry_size
    if header.entry_size < _ENTRY.size or not 0 < length <= _MAX_ENTRIES_BYTES:
        problems.append(f"the {which} GPT header's entry array of {length} bytes is not possible")
        return None, b""
    entries = read_at(header.entries_at * SECTOR, length) if header.entries_at * SECTOR < size else b""
    if len(entries) < length or zlib.crc32(entries) != header.entries_crc:
        problems.append(f"the {which} GPT entry array's checksum is wrong")
        return None, b""
    return header, entries


def _parse_header(sector: bytes) -> tuple[int, int, _Header]:
    """A header's own length and checksum, and its fields."""
    _, _, length, crc, _, mine, other, first, last, disk, at, count, width, array = _HEADER.unpack_from(
        sector
    )
    disk_id = UUID(bytes_le=disk)
    return length, crc, _Header(mine, other, first, last, disk_id, at, count, width, array)


def _backup_problems(read_at: ReadAt, size: int, primary: _Header, entries: bytes) -> list[str]:
    last = size // SECTOR - 1
    problems = []
    if primary.other != last:
        problems.append(f"the backup GPT header should be in the last sector {last}, not in {primary.other}")
    spare, copy = _read_half(read_at, size, last, "backup", problems)
    if spare is None:
        return problems
    if copy != entries:
        problems.append("the two GPT entry arrays differ")
    if spare.other != 1 or spare.disk_id != primary.disk_id:
        problems.append("the backup GPT header does not belong to the primary")
    if (spare.first_usable, spare.last_usable) != (primary.first_usable, primary.last_usable):
        problems.append("the two GPT headers name different usable sectors")
    first_free = primary.entries_at + _sectors(entries)
    if not first_free <= primary.first_usable <= primary.last_usable < spare.entries_at:
        problems.append("the usable sectors of the GPT reach into its own tables")
    return problems


def _partitions(header: _Header, entries: bytes) -> tuple[Partition, ...]:
    found = []
    for index in range(header.entry_count):
        kind, unique, first, last, attributes, name = _ENTRY.unpack_from(entries, index * header.entry_size)
        if any(kind):
            text = name.decode("utf-16-le", "replace").split("\0")[0]
            ids = (UUID(bytes_le=kind), UUID(bytes_le=unique))
            found.append(Partition(index + 1, *ids, first, last, text, attributes))
    return tuple(found)


def _partition_problems(header: _Header, partitions: Sequence[Partition]) -> list[str]:
    problems = []
    previous: Partition | None = None
    for p in sorted(partitions, key=lambda p: p.first):
        if p.first < header.first_usable or p.last > header.last_usable or p.last < p.first:
            usable = f"{header.first_usable} to {header.last_usable}"
            problems.append(f"partition {p.number} has sectors {p.first} to {p.last}, outside {usable}")
        if previous is not None and p.first <= previous.last:
            problems.append(f"partitions {previous.number} and {p.number} overlap")
        previous = p
    return problems


def _sectors(entries: bytes) -> int:
    return -(-len(entries) // SECTOR)
