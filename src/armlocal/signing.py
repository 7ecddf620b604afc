"""Polling addresses: about 3,000 characters, signed, and refused when they come back changed.

The real service appends `&t=<.NET ticks>&c=<certificate>&s=<signature>&h=<hash>`; what the parts are made
of is its own affair. Here they are derived with HMAC from the address and a key of this process.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import secrets
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from datetime import datetime

TICKS_AT_UNIX_EPOCH = 621_355_968_000_000_000
CERTIFICATE_LENGTH = 2440
SIGNATURE_LENGTH = 342
HASH_LENGTH = 43
MARK = "&t="


class Signer:
    """Signs addresses and knows its own signatures."""

    def __init__(self) -> None:
        self._key = secrets.token_bytes(32)
        self._certificate = self._text("certificate", CERTIFICATE_LENGTH)

    def sign(self, address: str, now: datetime) -> str:
        """The address with its signed tail.

        Args:
            address: path and query, with at least one query parameter.
            now: goes into the ticks.
        """
        ticks = TICKS_AT_UNIX_EPOCH + int(now.timestamp() * 10_000_000)
        return self._tail(f"{address}{MARK}{ticks}")

    def is_unchanged(self, target: str) -> bool:
        """Whether path and query are exactly what `sign` gave out."""
        head, mark, tail = target.rpartition(MARK)
        if not mark:
            return False
        ticks = tail.split("&", 1)[0]
        return hmac.compare_digest(self._tail(f"{head}{MARK}{ticks}").encode(), target.encode())

    def _tail(self, dated: str) -> str:
        signature = self._text(f"s:{dated}", SIGNATURE_LENGTH)
        digest = self._text(f"h:{dated}", HASH_LENGTH)
        return f"{dated}&c={self._certificate}&s={signature}&h={digest}"

    def _text(self, purpose: str, length: int) -> str:
        stream = hashlib.shake_256(self._key + purpose.encode()).digest(length)
        return base64.urlsafe_b64encode(stream).decode()[:length]
