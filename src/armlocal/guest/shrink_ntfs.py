"""As much of NTFS as the double needs: which files there are, where data ends, and a smaller volume.

A volume is made smaller only when nothing lies behind its new end, so no byte of a file moves: the cluster
bitmap is cut, the map of bad clusters too, both boot sectors tell the new size. Windows moves files first;
how far it gets is bounded by files that it cannot move, and here every file is such a one.

Source: the on-disk structures as the Linux-NTFS project documents them. Numbers are little-endian; sectors
have 512 bytes. Held to ntfsresize, ntfsfix and ntfscat by the tests.
"""

from __future__ import annotations

import os
import struct
from typing import TYPE_CHECKING, NamedTuple

from fixedvhd import MIB, SECTOR, DiskError, align_up

if TYPE_CHECKING:
    from collections.abc import Iterator

BITLOCKER = b"-FVE-FS-"
_SIGNATURE = b"NTFS    "
_MFT, _ROOT, _BITMAP, _BAD = 0, 5, 6, 8
_FILE_NAME, _DATA, _END = 0x30, 0x80, 0xFFFFFFFF
_FIRST_OF_USERS = 16
_DOS_NAME = 2
_IN_USE = 1


class Run(NamedTuple):
    """`length` clusters of a file from cluster `lcn` on; None is a hole."""

    lcn: int | None
    length: int


class Attribute(NamedTuple):
    """An attribute's place in its record, what it is, and its name."""

    at: int
    length: int
    kind: int
    name: str
    resident: bool


def system_of(descriptor: int, offset: int) -> str:
    """What begins at this byte of a disk: `ntfs`, `bitlocker` or `other`."""
    mark = os.pread(descriptor, 8, offset + 3)
    return {_SIGNATURE: "ntfs", BITLOCKER: "bitlocker"}.get(mark, "other")


class Volume:
    """One NTFS volume inside an open file."""

    def __init__(self, descriptor: int, offset: int, length: int) -> None:
        """A volume.

        Args:
            descriptor: of the disk, open for reading and writing.
            offset: where the partition begins, in bytes.
            length: the partition's, in bytes.

        Raises:
            DiskError: it is no NTFS, or its boot sector does not fit the partition.
        """
        self._descriptor = descriptor
        self._offset = offset
        boot = os.pread(descriptor, SECTOR, offset)
        self.cluster = SECTOR * boot[0x0D]
        self.sectors, mft = struct.unpack_from("<QQ", boot, 0x28)
        if boot[3:11] != _SIGNATURE or not self.cluster or self.sectors * SECTOR >= length:
            raise DiskError(["the partition holds no NTFS that fits it"])
        per_record = int.from_bytes(boot[0x40:0x41], "little", signed=True)
        self._record = self.cluster * per_record if per_record > 0 else 1 << -per_record
        self._mft = [Run(mft, -(-self._record // self.cluster))]
        table = self.record(_MFT)
        self._mft = runs(table, _find(table, ""))
        self.clusters = self.sectors * SECTOR // self.cluster

    def record(self, number: int) -> bytearray:
        """One record of the file table, with its true bytes at the sectors' ends.

        Raises:
            DiskError: it is damaged.
        """
        data = bytearray(os.pread(self._descriptor, self._record, self._place(number)))
        at, count = struct.unpack_from("<HH", data, 4)
        for sector in range(1, count):
            tail, kept = sector * SECTOR - 2, at + 2 * sector
            if data[:4] != b"FILE" or data[tail : tail + 2] != data[at : at + 2]:
                raise DiskError([f"record {number} of the NTFS is damaged"])
            data[tail : tail + 2] = data[kept : kept + 2]
        return data

    def write_record(self, number: int, data: bytearray) -> None:
        """Puts a record back, its sectors' ends sealed again."""
        sealed = bytearray(data)
        at, count = struct.unpack_from("<HH", sealed, 4)
        for sector in range(1, count):
            tail, kept = sector * SECTOR - 2, at + 2 * sector
            sealed[kept : kept + 2] = sealed[tail : tail + 2]
            sealed[tail : tail + 2] = sealed[at : at + 2]
        os.pwrite(self._descriptor, sealed, self._place(number))

    def files(self) -> dict[str, int]:
        """The record of each file and folder by its path in small letters, such as `windows/system32`."""
        names: dict[int, tuple[int, str]] = {}
        total = sum(run.length for run in self._mft) * self.cluster // self._record
        for number in range(_FIRST_OF_USERS, total):
            head = os.pread(self._descriptor, 4, self._place(number))
            record = self.record(number) if head == b"FILE" else bytearray()
            if record and record[0x16] & _IN_USE:
                name = _name(record)
                names |= {number: name} if name else {}
        return {path: number for number in names if (path := _path(number, names))}

    def extents(self, number: int) -> list[tuple[int, int]]:
        """Where on the disk a file's bytes lie, as (offset, length); nothing for what is in its record."""
        record = self.record(number)
        data = _find(record, "")
        if data.resident:
            return []
        (left,) = struct.unpack_from("<Q", record, data.at + 0x30)
        found = []
        for run in runs(record, data):
            length = min(left, run.length * self.cluster)
            if run.lcn is not None and length:
                found.append((self._offset + run.lcn * self.cluster, length))
            left -= length
        return found

    def used(self) -> tuple[int, int]:
        """Bytes in use, and the least length of the partition, in whole MiB, that holds all of them."""
        bits = int.from_bytes(self._bitmap()[1], "little") & ((1 << self.clusters) - 1)
        # The last sector is the copy of the boot sector's, and belongs to no cluster.
        return bits.bit_count() * self.cluster, align_up((bits.bit_length() + 1) * self.cluster, MIB)

    def shrink(self, length: int) -> None:
        """Makes the volume fit a partition of `length` bytes.

        Raises:
            DiskError: something lies behind the new end, or the volume has a form that is not known here.
        """
        sectors = length // SECTOR - 1
        clusters = sectors * SECTOR // self.cluster
        least = self.used()[1]
        if length < least or clusters > self.clusters:
            raise DiskError([f"the volume needs {least} bytes and cannot have {length}"])
        self._cut_bitmap(clusters)
        self._cut_bad_clusters(clusters)
        boot = bytearray(os.pread(self._descriptor, SECTOR, self._offset))
        struct.pack_into("<Q", boot, 0x28, sectors)
        for at in (0, length - SECTOR):
            os.pwrite(self._descriptor, boot, self._offset + at)
        self.sectors, self.clusters = sectors, clusters

    def _cut_bitmap(self, clusters: int) -> None:
        """The bitmap of so many clusters: what it no longer needs is free, what it has beyond them is set."""
        record, bitmap = self._bitmap()
        data = _find(record, "")
        size = align_up(-(-clusters // 8), 8)
        kept = -(-size // self.cluster)
        bits = int.from_bytes(bitmap, "little") & ((1 << clusters) - 1)
        places = [run.lcn + i for run in runs(record, data) if run.lcn is not None for i in range(run.length)]
        for lcn in places[kept:]:
            bits &= ~(1 << lcn)
        bits |= ((1 << (8 * size - clusters)) - 1) << clusters
        whole = bits.to_bytes(size, "little").ljust(kept * self.cluster, b"\0")
        for i, lcn in enumerate(places[:kept]):
            part = whole[i * self.cluster : (i + 1) * self.cluster]
            os.pwrite(self._descriptor, part, self._offset + lcn * self.cluster)
        _set_runs(record, data, _first(runs(record, data), kept))
        struct.pack_into("<QQQ", record, data.at + 0x28, kept * self.cluster, size, size)
        self.write_record(_BITMAP, record)

    def _cut_bad_clusters(self, clusters: int) -> None:
        """The file of bad clusters is one hole as long as the volume; a disk with bad ones is refused."""
        record = self.record(_BAD)
        bad = _find(record, "$Bad")
        if bad.resident or any(run.lcn is not None for run in runs(record, bad)):
            raise DiskError(["the volume has bad clusters, and is not made smaller"])
        _set_runs(record, bad, [Run(None, clusters)])
        struct.pack_into("<QQ", record, bad.at + 0x28, clusters * self.cluster, clusters * self.cluster)
        self.write_record(_BAD, record)

    def _bitmap(self) -> tuple[bytearray, bytes]:
        """The record of the cluster bitmap, and its bytes."""
        parts = [os.pread(self._descriptor, length, at) for at, length in self.extents(_BITMAP)]
        bitmap = b"".join(parts)
        if len(bitmap) * 8 < self.clusters:
            raise DiskError(["the volume's cluster bitmap is too short"])
        return self.record(_BITMAP), bitmap

    def _place(self, number: int) -> int:
        """Where on the disk a record lies."""
        at = number * self._record
        for run in self._mft:
            if run.lcn is not None and at < run.length * self.cluster:
                return self._offset + run.lcn * self.cluster + at
            at -= run.length * self.cluster
        raise DiskError([f"the NTFS has no record {number}"])


def runs(record: bytearray, attribute: Attribute) -> list[Run]:
    """Where the clusters of an attribute are."""
    at = attribute.at + int.from_bytes(record[attribute.at + 0x20 : attribute.at + 0x22], "little")
    found, lcn = [], 0
    while head := record[at]:
        count, width = head & 15, head >> 4
        length = int.from_bytes(record[at + 1 : at + 1 + count], "little")
        lcn += int.from_bytes(record[at + 1 + count : at + 1 + count + width], "little", signed=True)
        found.append(Run(lcn if width else None, length))
        at += 1 + count + width
    return found


def _set_runs(record: bytearray, attribute: Attribute, wanted: list[Run]) -> None:
    """Writes fewer clusters over more, which needs no more room."""
    start = attribute.at + int.from_bytes(record[attribute.at + 0x20 : attribute.at + 0x22], "little")
    packed, lcn = b"", 0
    for run in wanted:
        count = run.length.to_bytes(run.length.bit_length() // 8 + 1, "little")
        step = b""
        if run.lcn is not None:
            width = (run.lcn - lcn).bit_length() // 8 + 1
            step, lcn = (run.lcn - lcn).to_bytes(width, "little", signed=True), run.lcn
        packed += bytes([len(count) | len(step) << 4]) + count + step
    room = attribute.at + attribute.length - start
    if len(packed) >= room:
        raise DiskError(["there is no room for a file's new place in its record"])
    record[start : start + room] = packed.ljust(room, b"\0")
    struct.pack_into("<Q", record, attribute.at + 0x18, sum(run.length for run in wanted) - 1)


def _first(whole: list[Run], clusters: int) -> list[Run]:
    """The runs of the first so many clusters."""
    found = []
    for run in whole:
        if clusters > 0:
            found.append(Run(run.lcn, min(run.length, clusters)))
        clusters -= run.length
    return found


def _attributes(record: bytearray) -> Iterator[Attribute]:
    (at,) = struct.unpack_from("<H", record, 0x14)
    while True:
        kind, length, foreign, letters, where = struct.unpack_from("<IIBBH", record, at)
        if kind == _END:
            return
        name = record[at + where : at + where + 2 * letters].decode("utf-16-le", "replace")
        yield Attribute(at, length, kind, name, not foreign)
        at += length


def _find(record: bytearray, name: str) -> Attribute:
    """The data of this name; the file's own has none."""
    for attribute in _attributes(record):
        if (attribute.kind, attribute.name) == (_DATA, name):
            return attribute
    raise DiskError(["a file of the NTFS has no data where it should"])


def _name(record: bytearray) -> tuple[int, str] | None:
    """The folder's record and the file's name, the long one where it has two."""
    for attribute in _attributes(record):
        if attribute.kind == _FILE_NAME:
            (where,) = struct.unpack_from("<H", record, attribute.at + 0x14)
            at = attribute.at + where
            if record[at + 0x41] != _DOS_NAME:
                name = record[at + 0x42 : at + 0x42 + 2 * record[at + 0x40]].decode("utf-16-le", "replace")
                return int.from_bytes(record[at : at + 6], "little"), name
    return None


def _path(number: int, names: dict[int, tuple[int, str]]) -> str:
    """The path from the root; nothing for what lies below no folder of ours."""
    parts: list[str] = []
    while number != _ROOT:
        if number not in names or len(parts) > len(names):
            return ""
        number, name = names[number]
        parts.insert(0, name.lower())
    return "/".join(parts)
