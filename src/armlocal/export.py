"""Disks and snapshots read by SAS: the page blob that beginGetAccess gives, over HTTP ranges.

Shape of the address and of its query: recordings of beginGetAccess (2025). Answers: REST reference of Get
Blob, Get Blob Properties and Get Page Ranges, version 2018-03-28. The service begins its XML with a byte
order mark, and so does this. Reading is all that such a SAS allows.
"""

from __future__ import annotations

import base64
import hmac
import os
import re
import secrets
import time
from dataclasses import dataclass
from email.utils import formatdate
from typing import TYPE_CHECKING
from urllib.parse import urlencode
from uuid import uuid4

from starlette.responses import Response, StreamingResponse
from starlette.routing import Route

from armlocal.blobanswers import answer_headers, blob_error
from armlocal.sparse import data_extents, pieces
from fixedvhd import MIB, Extent, build_page_list, clip, to_pages

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable
    from pathlib import Path

    from starlette.requests import Request

    from armlocal.parts import DiskFiles

PREFIX = "/_export"
_VERSION = "2018-03-28"
_CHUNK = MIB
_ZEROS = bytes(_CHUNK)
_RANGE = re.compile(r"bytes=(\d+)-(\d*)")


@dataclass(frozen=True)
class _Grant:
    """One permission to read; `ends` is a moment of the clock given to `Exports`."""

    resource_id: str
    policy: str
    signature: str
    ends: float


class Exports:
    """All grants in force, and the HTTP routes that serve them."""

    def __init__(self, disks: DiskFiles, clock: Callable[[], float] = time.monotonic) -> None:
        self._disks = disks
        self._clock = clock
        self._grants: dict[str, _Grant] = {}

    def grant(self, resource_id: str, seconds: int) -> str:
        """A new grant: path and query such as `/_export/md-x/abcd?sv=...&sig=...`.

        Args:
            resource_id: the disk or snapshot.
            seconds: how long it holds, from now.
        """
        place = f"{PREFIX}/md-{secrets.token_hex(6)}/abcd"
        signature = base64.b64encode(secrets.token_bytes(32)).decode()
        policy = str(uuid4())
        self._grants[place] = _Grant(resource_id.lower(), policy, signature, self._clock() + seconds)
        return f"{place}?{urlencode({'sv': _VERSION, 'sr': 'b', 'si': policy, 'sig': signature})}"

    def revoke(self, resource_id: str) -> None:
        """Ends all grants of this id; nothing happens when there are none."""
        wanted = resource_id.lower()
        self._grants = {p: g for p, g in self._grants.items() if g.resource_id != wanted}

    def reset(self) -> None:
        """Ends all grants."""
        self._grants.clear()

    def routes(self) -> list[Route]:
        """What the stand-in's server mounts."""
        methods = ["GET", "HEAD", "PUT", "POST", "DELETE"]
        return [Route(f"{PREFIX}/{{disk}}/{{blob}}", self._answer, methods=methods)]

    async def _answer(self, request: Request) -> Response:
        grant = self._allowed(request)
        if grant is None:
            return blob_error(request, 403, "AuthenticationFailed")
        if request.method not in ("GET", "HEAD"):
            return blob_error(request, 403, "AuthorizationPermissionMismatch")
        if not self._disks.has(grant.resource_id):
            return blob_error(request, 404, "BlobNotFound")
        return _respond(request, self._disks.open(grant.resource_id))

    def _allowed(self, request: Request) -> _Grant | None:
        """The grant that the query proves; None when it proves none that is in force."""
        grant = self._grants.get(request.url.path)
        query = request.query_params
        if grant is None or grant.ends <= self._clock() or query.get("si") != grant.policy:
            return None
        proven = hmac.compare_digest(query.get("sig", ""), grant.signature)
        return grant if proven and query.get("sr") == "b" else None


def _respond(request: Request, path: Path) -> Response:
    """The answer to a request that is allowed."""
    status = path.stat()
    size = status.st_size
    headers = answer_headers(request, _VERSION) | {
        "Last-Modified": formatdate(status.st_mtime, usegmt=True),
        "ETag": f'"0x8D{status.st_mtime_ns:X}"',
        "x-ms-blob-type": "PageBlob",
    }
    wanted = request.headers.get("if-match", "*")
    if wanted not in ("*", headers["ETag"]):
        return blob_error(request, 412, "ConditionNotMet")
    window = _window(request, size)
    if window is None:
        return blob_error(request, 416, "InvalidRange", {"Content-Range": f"bytes */{size}"})
    comp = request.query_params.get("comp")
    if comp == "pagelist" and request.method == "GET":
        return _page_list(path, window, headers | {"x-ms-blob-content-length": str(size)})
    if comp is not None:
        return blob_error(request, 400, "InvalidQueryParameterValue")
    return _content(request, path, window, headers)


def _content(request: Request, path: Path, window: Extent, headers: dict[str, str]) -> Response:
    size = path.stat().st_size
    headers |= {
        "Content-Type": "application/octet-stream",
        "Accept-Ranges": "bytes",
        "x-ms-lease-status": "unlocked",
        "x-ms-lease-state": "available",
        "x-ms-server-encrypted": "true",
        "x-ms-blob-sequence-number": "0",
        "Content-Length": str(window.length),
    }
    if request.method == "HEAD":
        return Response(headers=headers | {"Content-Length": str(size)})
    status = 200
    if _asked(request) is not None:
        status = 206
        headers["Content-Range"] = f"bytes {window.offset}-{window.end - 1}/{size}"
    return StreamingResponse(_stream(path, window), status, headers)


def _page_list(path: Path, window: Extent, headers: dict[str, str]) -> Response:
    with path.open("rb") as file:
        pages = clip(to_pages(data_extents(file.fileno())), window)
    body = b"\xef\xbb\xbf" + build_page_list(pages)
    return Response(body, headers=headers | {"Content-Type": "application/xml"})


async def _stream(path: Path, window: Extent) -> AsyncIterator[bytes | memoryview]:
    """The bytes; holes are sent without reading the file."""
    with path.open("rb") as file:
        descriptor = file.fileno()
        for piece, is_data in pieces(descriptor, window):
            for offset in range(piece.offset, piece.end, _CHUNK):
                length = min(_CHUNK, piece.end - offset)
                yield os.pread(descriptor, length, offset) if is_data else memoryview(_ZEROS)[:length]


def _asked(request: Request) -> re.Match[str] | None:
    """The range asked for, in a form that the service knows; `x-ms-range` goes before `Range`."""
    text = request.headers.get("x-ms-range") or request.headers.get("range") or ""
    return _RANGE.fullmatch(text.strip())


def _window(request: Request, size: int) -> Extent | None:
    """The bytes asked for: all without a range, None when the range begins behind the end."""
    found = _asked(request)
    if found is None:
        return Extent(0, size)
    start = int(found[1])
    end = min(int(found[2]) + 1, size) if found[2] else size
    return Extent(start, end - start) if start < end else None
