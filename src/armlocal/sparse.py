"""Sparse files: where their data is, and copies that share blocks or keep the holes."""

from __future__ import annotations

import errno
import fcntl
import os
from typing import TYPE_CHECKING

from fixedvhd import MIB, Extent

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

_FICLONE = 0x40049409
_CHUNK = 4 * MIB


def data_extents(descriptor: int) -> list[Extent]:
    """Where an open file holds data, by the file system's own word; the rest reads as zeros."""
    size = os.fstat(descriptor).st_size
    found = []
    position = 0
    while position < size:
        try:
            start = os.lseek(descriptor, position, os.SEEK_DATA)
        except OSError as error:
            if error.errno == errno.ENXIO:
                break
            raise
        position = os.lseek(descriptor, start, os.SEEK_HOLE)
        found.append(Extent(start, position - start))
    return found


def copy_sparse(source: Path, target: Path) -> None:
    """Copies a file: sharing its blocks where the file system can, else its data without its holes.

    The target appears complete, by a rename.
    """
    part = target.with_name(f"{target.name}.part")
    descriptor = os.open(part, os.O_RDWR | os.O_CREAT | os.O_TRUNC, 0o600)
    try:
        with source.open("rb") as file:
            if not _share(file.fileno(), descriptor):
                _copy(file.fileno(), descriptor)
    finally:
        os.close(descriptor)
    part.rename(target)


def pieces(descriptor: int, window: Extent) -> Iterator[tuple[Extent, bool]]:
    """A part of an open file as pieces in order: each with whether it holds data; both kinds alternate."""
    position = window.offset
    for extent in data_extents(descriptor):
        start, end = max(extent.offset, window.offset), min(extent.end, window.end)
        if start >= end:
            continue
        if start > position:
            yield Extent(position, start - position), False
        yield Extent(start, end - start), True
        position = end
    if position < window.end:
        yield Extent(position, window.end - position), False


def _share(source: int, target: int) -> bool:
    try:
        fcntl.ioctl(target, _FICLONE, source)
    except OSError:
        return False
    return True


def _copy(source: int, target: int) -> None:
    os.ftruncate(target, os.fstat(source).st_size)
    for extent in data_extents(source):
        position = extent.offset
        while position < extent.end:
            data = os.pread(source, min(_CHUNK, extent.end - position), position)
            position += os.pwrite(target, data, position)
