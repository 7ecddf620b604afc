"""The bytes of disks and snapshots: one raw fixed VHD file each, sparse, named after the ARM id."""

from __future__ import annotations

import hashlib
from datetime import UTC, datetime
from typing import TYPE_CHECKING
from uuid import uuid4

from armlocal.sourcedisk import Scheme, write_source_disk
from armlocal.sparse import copy_sparse
from fixedvhd import FOOTER_SIZE

if TYPE_CHECKING:
    from pathlib import Path


_MADE = "made"
"""How the files begin that disks are copied from; an id's file begins with the disk's name."""


class DiskFiles:
    """All files below one folder; an id is looked at without regard to case."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        folder.mkdir(parents=True, exist_ok=True)

    def plant_source(self, disk_id: str, scheme: Scheme = "gpt") -> None:
        """Puts the source VM's disk under this id; made once, then copied."""
        made = self._folder / f"{_MADE}-{scheme}.vhd"
        if not made.exists():
            part = made.with_suffix(".part")
            part.unlink(missing_ok=True)
            write_source_disk(part, uuid4(), datetime.now(UTC).replace(microsecond=0), scheme)
            part.rename(made)
        copy_sparse(made, self._path(disk_id))

    def snapshot(self, source_id: str, target_id: str) -> None:
        """Copies the bytes of one disk or snapshot to another id, sharing blocks where that can be.

        Raises:
            KeyError: there are no bytes under `source_id`.
        """
        copy_sparse(self.open(source_id), self._path(target_id))

    def has(self, resource_id: str) -> bool:
        """Whether there are bytes under this id."""
        return self._path(resource_id).exists()

    def open(self, resource_id: str) -> Path:
        """The file: data and footer.

        Raises:
            KeyError: there are no bytes under this id.
        """
        path = self._path(resource_id)
        if not path.exists():
            raise KeyError(resource_id)
        return path

    def size(self, resource_id: str) -> int:
        """The virtual size in bytes, without the footer.

        Raises:
            KeyError: there are no bytes under this id.
        """
        return self.open(resource_id).stat().st_size - FOOTER_SIZE

    def remove(self, resource_id: str) -> None:
        """Takes the bytes away; nothing happens when there are none."""
        self._path(resource_id).unlink(missing_ok=True)

    def reset(self) -> None:
        """Takes all bytes away, but what it made the source disk from."""
        for path in self._folder.glob("*.vhd"):
            if not path.name.startswith(_MADE):
                path.unlink()

    def _path(self, resource_id: str) -> Path:
        key = resource_id.rstrip("/").lower()
        digest = hashlib.sha256(key.encode()).hexdigest()[:12]
        return self._folder / f"{key.rsplit('/', 1)[-1]}-{digest}.vhd"
