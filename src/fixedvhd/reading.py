"""How bytes of a disk are read: a callable `read_at(offset, length)`, wherever they are.

The functions of this package take such a callable, so that the same check works on a local file and on a
blob of which only a few ranges were fetched.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import BinaryIO

from fixedvhd.sizes import MIB, SECTOR

ReadAt = Callable[[int, int], bytes]
"""`read_at(offset, length)`, in bytes: exactly `length` bytes, or fewer at the end of what there is."""


def file_reader(file: BinaryIO) -> ReadAt:
    """Reads from a seekable binary file."""

    def read_at(offset: int, length: int) -> bytes:
        file.seek(offset)
        return file.read(length)

    return read_at


def chunk_reader(chunks: Mapping[int, bytes]) -> ReadAt:
    """Reads from ranges fetched before: offset of each chunk to its bytes.

    The callable raises LookupError when it is asked for bytes that were not fetched.
    """

    def read_at(offset: int, length: int) -> bytes:
        for start, data in chunks.items():
            if start <= offset and offset + length <= start + len(data):
                return data[offset - start : offset - start + length]
        raise LookupError(f"bytes {offset} to {offset + length} were not fetched")

    return read_at


def structure_ranges(file_size: int) -> list[tuple[int, int]]:
    """The ranges (offset, length) that hold boot record, both partition tables and footer of a VHD file.

    Fetch them, hand them to `chunk_reader`, and `read_footer` and `read_gpt` find all they need.
    """
    if file_size <= 2 * MIB + SECTOR:
        return [(0, file_size)]
    tail = MIB + SECTOR
    return [(0, MIB), (file_size - tail, tail)]
