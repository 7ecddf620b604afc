"""All that the guest speaks to, over HTTP on this machine: snapshot, container, webhook, downloads."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any, ClassVar
from urllib.parse import parse_qs, unquote, urlsplit

from tests.guest.answering import Answering, listening

PIECE = 1 << 16


@dataclass
class Stored:
    """One blob."""

    kind: str
    content: bytes
    sha256: str = ""


@dataclass
class Cloud:
    """What is there, and what was said.

    Attributes:
        snapshot: the source, footer included.
        tools: zips with doubles of programs, by name.
        blobs: by name.
        reports: every state of the progress blob, in order.
        posts: what the webhook took: headers with small letters, and the body.
        refusals: how many posts are refused before the first is taken.
        reads: ranges of the snapshot that were read.
        metadata: what Azure says about the machine.
    """

    snapshot: bytes = b""
    tools: dict[str, bytes] = field(default_factory=dict)
    blobs: dict[str, Stored] = field(default_factory=dict)
    reports: list[dict[str, Any]] = field(default_factory=list)
    posts: list[tuple[dict[str, str], bytes]] = field(default_factory=list)
    refusals: int = 0
    reads: list[tuple[int, int]] = field(default_factory=list)
    metadata: dict[str, Any] = field(default_factory=dict)
    url: str = ""

    def bodies(self) -> list[dict[str, Any]]:
        """The details of each post."""
        return [json.loads(body)["details"] for _, body in self.posts]

    def told(self) -> str:
        """All that went out but the artefact, as one text."""
        blobs = [
            b.content.decode("utf-8", "replace") for n, b in self.blobs.items() if not n.endswith(".vhd")
        ]
        posts = [f"{headers}{body.decode()}" for headers, body in self.posts]
        return "\n".join([*blobs, *posts, *(json.dumps(one) for one in self.reports)])


@contextmanager
def serving(cloud: Cloud) -> Iterator[Cloud]:
    """The cloud at `cloud.url`, until the end of the block."""
    with listening(_Handler, cloud=cloud) as url:
        cloud.url = url
        yield cloud


class _Handler(Answering):
    cloud: ClassVar[Cloud]

    def get(self) -> None:
        place = urlsplit(self.path)
        asked = re.fullmatch(r"bytes=(\d+)-(\d+)", self.headers.get("Range", ""))
        if place.path.endswith(".zip"):
            self.answer(200, self.cloud.tools[self._name().removesuffix(".zip")])
        elif place.path == "/metadata":
            self.answer(200, json.dumps(self.cloud.metadata).encode())
        elif "comp" in parse_qs(place.query):
            self.answer(200, self._pages())
        elif asked is None:
            self.answer(400, b"")
        else:
            self._range(int(asked[1]), int(asked[2]))

    def head(self) -> None:
        if self.path.startswith("/snapshot"):
            self.answer(200, self.cloud.snapshot)
            return
        blob = self.cloud.blobs.get(self._name())
        if blob is None:
            self.answer(404, b"")
            return
        self.answer(200, blob.content, {"x-ms-blob-type": blob.kind, "x-ms-meta-sha256": blob.sha256})

    def put(self) -> None:
        body = self.body()
        name = self._name()
        with self.gate:
            if "comp" in parse_qs(urlsplit(self.path).query):
                self.cloud.blobs[name].sha256 = self.headers["x-ms-meta-sha256"]
            else:
                self.cloud.blobs[name] = Stored(self.headers["x-ms-blob-type"], body)
            if name.endswith(".progress.json"):
                self.cloud.reports.append(json.loads(body))
        self.answer(201, b"")

    def post(self) -> None:
        body = self.body()
        with self.gate:
            refused = self.cloud.refusals > 0
            self.cloud.refusals -= refused
            if not refused:
                headers = {name.lower(): value for name, value in self.headers.items()}
                self.cloud.posts.append((headers, body))
        self.answer(503 if refused else 200, b"")

    def _name(self) -> str:
        return unquote(urlsplit(self.path).path).rpartition("/")[2]

    def _pages(self) -> bytes:
        data = self.cloud.snapshot
        starts = [at for at in range(0, len(data), PIECE) if any(data[at : at + PIECE])]
        ends = [min(at + PIECE, len(data)) - 1 for at in starts]
        pages = zip(starts, ends, strict=True)
        rows = "".join(f"<PageRange><Start>{a}</Start><End>{b}</End></PageRange>" for a, b in pages)
        return f"<PageList>{rows}<NextMarker /></PageList>".encode()

    def _range(self, first: int, last: int) -> None:
        with self.gate:
            self.cloud.reads.append((first, last))
        size = len(self.cloud.snapshot)
        where = {"Content-Range": f"bytes {first}-{last}/{size}"}
        self.answer(206, self.cloud.snapshot[first : last + 1], where)
