"""Which bytes of a page blob hold data: page-range lists as Azure writes them, merged, cut and inverted.

Source: REST reference of Get Page Ranges. The service names the last byte of a range; here a range is
(offset, length), in bytes.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING
from xml.etree import ElementTree as ET

from fixedvhd.errors import PageListError
from fixedvhd.sizes import SECTOR

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator


@dataclass(frozen=True, order=True)
class Extent:
    """`length` bytes from `offset` on."""

    offset: int
    length: int

    @property
    def end(self) -> int:
        """The byte behind the last one."""
        return self.offset + self.length


@dataclass(frozen=True)
class PageList:
    """One answer to a page-list request; `marker` asks for the next one, and is empty on the last."""

    data: tuple[Extent, ...]
    cleared: tuple[Extent, ...] = ()
    marker: str = ""


def parse_page_list(body: bytes) -> PageList:
    """The ranges in a page list's XML.

    Raises:
        PageListError: it is not such XML, or carries a document type.
    """
    if b"<!DOCTYPE" in body:
        raise PageListError(["a page list has no document type, and this one has"])
    try:
        root = ET.fromstring(body)  # noqa: S314 - no document type, so nothing can expand
        if root.tag != "PageList":
            raise PageListError([f"a page list was asked for, and <{root.tag}> came"])
        data = tuple(_extent(node) for node in root.iter("PageRange"))
        cleared = tuple(_extent(node) for node in root.iter("ClearRange"))
    except (ET.ParseError, ValueError) as error:
        raise PageListError([f"the page list cannot be read: {error}"]) from error
    return PageList(data, cleared, root.findtext("NextMarker") or "")


def build_page_list(extents: Iterable[Extent], marker: str = "") -> bytes:
    """A page list's XML as the service sends it."""
    parts = ['<?xml version="1.0" encoding="utf-8"?><PageList>']
    parts += [
        f"<PageRange><Start>{e.offset}</Start><End>{e.end - 1}</End></PageRange>" for e in extents if e.length
    ]
    if marker:
        parts.append(f"<NextMarker>{marker}</NextMarker>")
    parts.append("</PageList>")
    return "".join(parts).encode()


def merge(extents: Iterable[Extent], gap: int = 0) -> list[Extent]:
    """The same bytes as few extents in rising order; extents at most `gap` bytes apart become one."""
    merged: list[Extent] = []
    for extent in sorted(e for e in extents if e.length > 0):
        if merged and extent.offset <= merged[-1].end + gap:
            last = merged[-1]
            merged[-1] = Extent(last.offset, max(last.end, extent.end) - last.offset)
        else:
            merged.append(extent)
    return merged


def clip(extents: Iterable[Extent], window: Extent) -> list[Extent]:
    """The parts of `extents` that lie inside `window`."""
    found = []
    for extent in extents:
        start, end = max(extent.offset, window.offset), min(extent.end, window.end)
        if start < end:
            found.append(Extent(start, end - start))
    return found


def to_pages(extents: Iterable[Extent], page: int = SECTOR) -> list[Extent]:
    """The whole pages that hold the extents, merged: a page blob is written by pages of 512 bytes."""
    grown = []
    for extent in extents:
        start = extent.offset // page * page
        grown.append(Extent(start, -(-extent.end // page) * page - start))
    return merge(grown)


def holes(extents: Iterable[Extent], size: int) -> list[Extent]:
    """What of the first `size` bytes no extent covers."""
    found = []
    position = 0
    for extent in merge(extents):
        if extent.offset >= size:
            break
        if extent.offset > position:
            found.append(Extent(position, extent.offset - position))
        position = max(position, extent.end)
    if position < size:
        found.append(Extent(position, size - position))
    return found


def split(extents: Iterable[Extent], length: int) -> Iterator[Extent]:
    """The extents cut at every multiple of `length` bytes from each one's own start."""
    for extent in extents:
        for offset in range(extent.offset, extent.end, length):
            yield Extent(offset, min(length, extent.end - offset))


def _extent(node: ET.Element) -> Extent:
    start, end = int(node.findtext("Start", "")), int(node.findtext("End", ""))
    if start < 0 or end < start:
        raise ValueError(f"a range from {start} to {end}")
    return Extent(start, end + 1 - start)
