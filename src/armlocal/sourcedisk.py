"""The disk of the stand-in's source VM: a real fixed VHD with a small Windows-like tree, mostly holes.

The file systems come from a template in this package (`scripts/make-source-disk` tells its form); the
partition table, the footer and the bytes that do not compress are made here. No rights and no programs are
needed, and nothing is written where the disk holds zeros.
"""

from __future__ import annotations

import hashlib
import json
import lzma
import os
from dataclasses import dataclass
from functools import lru_cache
from importlib.resources import files
from typing import TYPE_CHECKING, Any, Literal
from uuid import UUID

from fixedvhd import (
    BASIC_DATA,
    EFI_SYSTEM,
    FOOTER_SIZE,
    RECOVERY,
    MbrPartition,
    Partition,
    Patch,
    build_footer,
    build_gpt,
    build_mbr,
)

if TYPE_CHECKING:
    from datetime import datetime
    from pathlib import Path


Scheme = Literal["gpt", "mbr"]
_MBR_KINDS = {EFI_SYSTEM: 0x0C, BASIC_DATA: 0x07, RECOVERY: 0x27}


@dataclass(frozen=True)
class Template:
    """The disk as data.

    Attributes:
        size: virtual size in bytes.
        patches: all bytes that are not zero, but the footer's.
        files: path to SHA-256 of every file on it; a path begins with its partition's number.
    """

    size: int
    patches: tuple[Patch, ...]
    files: dict[str, str]


@lru_cache(maxsize=2)
def template(scheme: Scheme = "gpt") -> Template:
    """The template of this package, unpacked once."""
    packed = files("armlocal").joinpath("data", "source-disk.bin").read_bytes()
    head, data = lzma.decompress(packed).split(b"\n", 1)
    index = json.loads(head)
    table = (_gpt if scheme == "gpt" else _mbr)(index)
    patches = (*table, *_extents(index, data), *_noise(index))
    return Template(index["size"], patches, index["files"])


def write_source_disk(path: Path, unique_id: UUID, created: datetime, scheme: Scheme = "gpt") -> None:
    """Writes the disk as a sparse file.

    Args:
        path: must not exist yet.
        unique_id: of the VHD.
        created: the footer's time, with a time zone.
        scheme: `mbr` gives it the boot record of a disk of generation 1; its partitions lie at the same
            places.
    """
    disk = template(scheme)
    descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_EXCL, 0o600)
    try:
        os.ftruncate(descriptor, disk.size + FOOTER_SIZE)
        for patch in disk.patches:
            os.pwrite(descriptor, patch.data, patch.offset)
        os.pwrite(descriptor, build_footer(disk.size, unique_id, created), disk.size)
    finally:
        os.close(descriptor)


def _gpt(index: dict[str, Any]) -> list[Patch]:
    return build_gpt(index["size"], UUID(index["disk_id"]), [_partition(p) for p in index["partitions"]])


def _mbr(index: dict[str, Any]) -> list[Patch]:
    """A boot record, which lists neither what GPT alone has nor more than four partitions."""
    whole = [_partition(row) for row in index["partitions"]]
    partitions = [
        MbrPartition(p.number, p.kind == EFI_SYSTEM, _MBR_KINDS[p.kind], p.first, p.last + 1 - p.first)
        for p in whole
        if p.kind in _MBR_KINDS
    ]
    signature = UUID(index["disk_id"]).int & 0xFFFFFFFF
    return [Patch(0, build_mbr(signature, partitions, index["size"]))]


def _partition(row: dict[str, Any]) -> Partition:
    ids = {"kind": UUID(row["kind"]), "unique_id": UUID(row["unique_id"])}
    return Partition(**{**row, **ids})


def _extents(index: dict[str, Any], data: bytes) -> list[Patch]:
    patches = []
    at = 0
    for offset, length in index["extents"]:
        patches.append(Patch(offset, data[at : at + length]))
        at += length
    return patches


def _noise(index: dict[str, Any]) -> list[Patch]:
    whole = hashlib.shake_256(index["noise_seed"].encode()).digest(index["noise_length"])
    return [Patch(offset, whole[at : at + length]) for offset, at, length in index["noise"]]
