"""The footer of a fixed VHD: 512 big-endian bytes behind the raw disk.

Source: Microsoft's Virtual Hard Disk Image Format Specification 1.0 (hard disk footer format, CHS
calculation in its appendix) and Azure's rules for uploaded disks: fixed, a multiple of 1 MiB, file size =
virtual size + 512.
"""

from __future__ import annotations

import struct
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING
from uuid import UUID

from fixedvhd.errors import FooterError
from fixedvhd.sizes import SECTOR, size_problems

if TYPE_CHECKING:
    from fixedvhd.reading import ReadAt

FOOTER_SIZE = 512
FIXED = 2
_COOKIE = b"conectix"
_VERSION = 0x00010000
_NO_HEADER = 0xFFFFFFFFFFFFFFFF
_RESERVED_FEATURE = 2
_EPOCH = datetime(2000, 1, 1, tzinfo=UTC)
_FORMAT = struct.Struct(">8sIIQI4sI4sQQHBBII16sB427s")
_CHECKSUM_AT = 64
_MAX_HEADS = 16
_MAX_CHS = 65535 * _MAX_HEADS * 255

Geometry = tuple[int, int, int]
"""Cylinders, heads, sectors per track."""


@dataclass(frozen=True)
class Footer:
    """What the footer of a fixed VHD says; sizes in bytes, the time in UTC with whole seconds.

    The creator is `win ` on purpose: readers such as qemu trust the size field only of creators they
    know, and compute another size from the geometry for all others.
    """

    size: int
    unique_id: UUID
    created: datetime
    original_size: int
    geometry: Geometry
    creator: bytes = b"win "
    creator_version: int = 0x000A0000
    host: bytes = b"Wi2k"
    saved_state: bool = False

    def to_bytes(self) -> bytes:
        """The 512 bytes, checksum included."""
        fields = (
            *(_COOKIE, _RESERVED_FEATURE, _VERSION, _NO_HEADER, _seconds(self.created)),
            *(self.creator, self.creator_version, self.host, self.original_size, self.size),
            *(*self.geometry, FIXED, 0, self.unique_id.bytes, int(self.saved_state), b""),
        )
        data = _FORMAT.pack(*fields)
        return data[:_CHECKSUM_AT] + struct.pack(">I", checksum(data)) + data[_CHECKSUM_AT + 4 :]


def geometry(size: int) -> Geometry:
    """Cylinders, heads and sectors per track of a virtual size in bytes, by the specification's rule.

    Beyond 127 GiB the geometry stays at its largest, 65535/16/255.
    """
    sectors = min(size // SECTOR, _MAX_CHS)
    if sectors >= 65535 * 16 * 63:
        return sectors // 255 // 16, 16, 255
    track = 17
    cylinders_heads = sectors // track
    heads = max((cylinders_heads + 1023) // 1024, 4)
    if cylinders_heads >= heads * 1024 or heads > _MAX_HEADS:
        track, heads = 31, 16
        cylinders_heads = sectors // track
    if cylinders_heads >= heads * 1024:
        track, heads = 63, 16
        cylinders_heads = sectors // track
    return cylinders_heads // heads, heads, track


def checksum(data: bytes) -> int:
    """The footer's checksum: the complement of the sum of all bytes but the checksum's own."""
    total = sum(data[:_CHECKSUM_AT]) + sum(data[_CHECKSUM_AT + 4 : FOOTER_SIZE])
    return ~total & 0xFFFFFFFF


def build_footer(size: int, unique_id: UUID, created: datetime, original_size: int | None = None) -> bytes:
    """The footer of a new fixed VHD of `size` bytes.

    Args:
        size: virtual size in bytes.
        unique_id: the disk's own UUID.
        created: when, with a time zone.
        original_size: what the size was at first, in bytes; `size` when left out.

    Raises:
        FooterError: the size is not one that a fixed VHD for Azure may have.
    """
    problems = size_problems(size)
    if problems:
        raise FooterError(problems)
    return Footer(size, unique_id, created, original_size or size, geometry(size)).to_bytes()


def parse_footer(data: bytes) -> Footer:
    """The footer of a fixed VHD, from its 512 bytes.

    Raises:
        FooterError: cookie, version, type, header offset, checksum or size are wrong; every one is named.
    """
    if len(data) != FOOTER_SIZE:
        raise FooterError([f"a footer has 512 bytes, and these are {len(data)}"])
    values = _FORMAT.unpack(data)
    cookie, _, version, offset, seconds, creator, creator_version, host, original, size = values[:10]
    cylinders, heads, track, kind, found, unique_id, saved, _ = values[10:]
    if cookie != _COOKIE:
        raise FooterError(["there is no VHD footer: the cookie 'conectix' is absent"])
    expected = checksum(data)
    checks = (
        (version == _VERSION, f"file format version 0x{version:08x} is not 0x{_VERSION:08x}"),
        (kind == FIXED, f"disk type {kind} is not {FIXED} (fixed)"),
        (offset == _NO_HEADER, "the data offset says that a dynamic disk's header follows"),
        (found == expected, f"checksum 0x{found:08x} is not 0x{expected:08x}"),
        (size > 0 and size % SECTOR == 0, f"virtual size {size} is not a number of sectors"),
    )
    problems = [text for good, text in checks if not good]
    if problems:
        raise FooterError(problems)
    return Footer(
        size=size,
        unique_id=UUID(bytes=unique_id),
        created=_EPOCH + timedelta(seconds=seconds),
        original_size=original,
        geometry=(cylinders, heads, track),
        creator=creator,
        creator_version=creator_version,
        host=host,
        saved_state=bool(saved),
    )


def read_footer(read_at: ReadAt, file_size: int) -> Footer:
    """The footer at the end of a VHD file of `file_size` bytes, checked against the file's length.

    Raises:
        FooterError: there is no footer of a fixed VHD, or the file is not virtual size + 512 bytes long.
    """
    if file_size < FOOTER_SIZE:
        raise FooterError([f"the file has {file_size} bytes, fewer than a footer"])
    footer = parse_footer(read_at(file_size - FOOTER_SIZE, FOOTER_SIZE))
    if footer.size + FOOTER_SIZE != file_size:
        wanted = footer.size + FOOTER_SIZE
        raise FooterError([f"the file has {file_size} bytes, and its footer promises {wanted}"])
    return footer


def _seconds(moment: datetime) -> int:
    return int((moment - _EPOCH).total_seconds())
