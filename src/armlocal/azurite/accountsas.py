"""Signatures for an account's own requests: an account SAS, for the stand-in's housekeeping.

Source: REST reference of the account SAS, version 2018-11-09.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
from datetime import UTC, datetime, timedelta
from urllib.parse import urlencode

_VERSION = "2018-11-09"


def account_sas(name: str, key: str, permissions: str = "rdl") -> str:
    """A query that allows those permissions on the blobs and containers of an account for five minutes."""
    expiry = (datetime.now(UTC) + timedelta(minutes=5)).strftime("%Y-%m-%dT%H:%M:%SZ")
    fields = {"sv": _VERSION, "ss": "b", "srt": "sco", "sp": permissions, "se": expiry, "spr": "https"}
    text = f"{name}\n{permissions}\nb\nsco\n\n{expiry}\n\nhttps\n{_VERSION}\n"
    digest = hmac.new(base64.b64decode(key), text.encode(), hashlib.sha256).digest()
    return urlencode({**fields, "sig": base64.b64encode(digest).decode()})
