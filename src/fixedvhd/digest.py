"""The SHA-256 of a file of which only the parts with data are at hand: holes count as zeros."""

from __future__ import annotations

import hashlib

_ZEROS = bytes(64 * 1024)


class SparseDigest:
    """SHA-256 over a file of a known size, fed with its data in rising order of offsets.

    Hashing the holes costs as much as hashing data: it is CPU work, and belongs in a thread.
    """

    def __init__(self, size: int) -> None:
        self.size = size
        self._hash = hashlib.sha256()
        self._position = 0

    def feed(self, offset: int, data: bytes | memoryview) -> None:
        """The bytes at `offset`; all before them that were not fed are zeros.

        Raises:
            ValueError: they lie before what was fed already, or beyond the size.
        """
        if offset < self._position or offset + len(data) > self.size:
            raise ValueError(f"bytes {offset} to {offset + len(data)} are out of order or beyond {self.size}")
        self._zeros_to(offset)
        self._hash.update(data)
        self._position = offset + len(data)

    def hexdigest(self) -> str:
        """The digest of the whole file, in lower-case hexadecimal; ends the feeding."""
        self._zeros_to(self.size)
        return self._hash.hexdigest()

    def _zeros_to(self, offset: int) -> None:
        while self._position < offset:
            step = min(len(_ZEROS), offset - self._position)
            self._hash.update(memoryview(_ZEROS)[:step])
            self._position += step
