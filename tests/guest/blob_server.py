"""A page blob over HTTP with ranges, a page list in parts, and faults that can be asked for."""

from __future__ import annotations

import re
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, ClassVar
from urllib.parse import parse_qs, urlsplit

from tests.guest.answering import Answering, listening

if TYPE_CHECKING:
    from collections.abc import Iterator


@dataclass
class Blob:
    """What is served, what was asked, and what goes wrong.

    `faults` maps the number of a ranged GET, from 0, to a status, or to -1 for an answer that breaks off;
    `page_faults` maps the first byte of a page list's window to such a status, and how often it is answered.
    """

    content: bytes
    pages: list[tuple[int, int]] = field(default_factory=list)
    part: int = 2
    page_status: int = 200
    page_faults: dict[int, tuple[int, int]] = field(default_factory=dict)
    windows: list[tuple[int, int]] = field(default_factory=list)
    faults: dict[int, int] = field(default_factory=dict)
    ranges: list[tuple[int, int]] = field(default_factory=list)
    bodies: list[tuple[str, bytes]] = field(default_factory=list)
    url: str = ""


@contextmanager
def serving(blob: Blob) -> Iterator[Blob]:
    """The blob at `blob.url`, until the end of the block."""
    with listening(_Handler, blob=blob) as url:
        blob.url = f"{url}/disk?sig=s3cr3tW0rd"
        yield blob


class _Handler(Answering):
    blob: ClassVar[Blob]

    def get(self) -> None:
        query = parse_qs(urlsplit(self.path).query)
        if "comp" in query:
            self._pages(int(query.get("marker", ["0"])[0]))
        elif self.path.startswith("/moved"):
            self.answer(302, b"", {"Location": "/disk"})
        elif asked := re.fullmatch(r"bytes=(\d+)-(\d+)", self.headers.get("Range", "")):
            self._range(int(asked[1]), int(asked[2]))
        else:
            self.answer(200, self.blob.content)

    def head(self) -> None:
        self.answer(200, self.blob.content)

    def put(self) -> None:
        body = self.body()
        self.blob.bodies.append((self.headers.get("x-ms-blob-type", ""), body))
        self.answer(201, b"")

    def post(self) -> None:
        self.body()
        self.answer(403, b"no", {"x-ms-error-code": "AuthenticationFailed"})

    def _pages(self, start: int) -> None:
        first, last = self._window()
        fault, times = self.blob.page_faults.get(first, (0, 0))
        self.blob.page_faults[first] = (fault, times - 1)
        status = fault if times > 0 else self.blob.page_status
        if status == -1:
            self._break_off(b"<PageList>")
            return
        if status != 200:
            self.answer(status, b"")
            return
        pages = [page for page in self.blob.pages if page[0] <= last and page[1] >= first]
        part = pages[start : start + self.blob.part]
        ranges = "".join(f"<PageRange><Start>{a}</Start><End>{b}</End></PageRange>" for a, b in part)
        more = start + self.blob.part if start + self.blob.part < len(pages) else ""
        declared = '<?xml version="1.0" encoding="utf-8"?>'
        body = f"{declared}<PageList>{ranges}<NextMarker>{more}</NextMarker></PageList>"
        self.answer(200, b"\xef\xbb\xbf" + body.encode())

    def _window(self) -> tuple[int, int]:
        """The bytes whose pages are asked for; all of them without the header."""
        asked = re.fullmatch(r"bytes=(\d+)-(\d+)", self.headers.get("x-ms-range", ""))
        window = (int(asked[1]), int(asked[2])) if asked else (0, len(self.blob.content) - 1)
        self.blob.windows.append(window)
        return window

    def _break_off(self, body: bytes) -> None:
        """Half of what was announced."""
        self.send_response(200)
        self.send_header("Content-Length", str(2 * len(body)))
        self.end_headers()
        self.wfile.write(body)
        self.close_connection = True

    def _range(self, first: int, last: int) -> None:
        with self.gate:
            number = len(self.blob.ranges)
            self.blob.ranges.append((first, last))
        fault = self.blob.faults.get(number)
        data = self.blob.content[first : last + 1]
        if fault == -1:
            self.send_response(206)
            self.send_header("Content-Range", f"bytes {first}-{last}/{len(self.blob.content)}")
            self.send_header("Content-Length", str(len(data)))
            self.end_headers()
            self.wfile.write(data[: len(data) // 2])
            self.close_connection = True
        elif fault is not None:
            self.answer(fault, b"")
        else:
            self.answer(206, data, {"Content-Range": f"bytes {first}-{last}/{len(self.blob.content)}"})
