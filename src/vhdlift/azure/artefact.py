"""The container of the artefact, read with the account's key: small reports, and the VHD itself by ranges."""

from __future__ import annotations

import asyncio
from collections import deque
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, TypeAlias

from azure.core import MatchConditions

from fixedvhd import Extent, SparseDigest, merge, split
from vhdlift.azure.storage import account_key
from vhdlift.azure.values import text
from vhdlift.azure.waiting import asked, found, listed
from vhdlift.errors import ArtefactWrong
from vhdlift.model import CONTAINER

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Awaitable, Callable, Iterable, Iterator

    from azure.storage.blob.aio import BlobClient, ContainerClient

    from vhdlift.azure.clients import Azure

Container: TypeAlias = "ContainerClient"
"""An open container, for those who must not know the SDK."""

PIECE_BYTES = 256 << 10
# Four pieces under way, each several times in memory while it is put together, stay below 8 MiB.
PIECES_AT_ONCE = 4
# A hole smaller than this costs less to read than a request of its own.
_SMALL_HOLE_BYTES = 256 << 10


@dataclass(frozen=True)
class Artefact:
    """The blob as it is now; every read is refused if it has changed since (`etag`). `size` in bytes."""

    name: str
    size: int
    blob_type: str
    etag: str


@asynccontextmanager
async def open_container(azure: Azure, group: str, account: str, endpoint: str) -> AsyncIterator[Container]:
    """The container `vhdusb` of an account, for as long as the context is open.

    Raises:
        VhdliftError: what Azure answered when asked for the account's key.
    """
    key = await account_key(azure, group, account)
    async with azure.blob_service(endpoint, account, key) as service:
        yield service.get_container_client(CONTAINER)


async def read_report(azure: Azure, container: Container, name: str, limit: int) -> bytes | None:
    """A small blob, or None when it is not there; of a larger one the first `limit` + 1 bytes."""

    async def download() -> bytes:
        stream = await container.get_blob_client(name).download_blob(offset=0, length=limit + 1)
        return bytes(await stream.readall())

    return await found(download, what=f"reading {name}", scale=azure.scale)


async def describe(azure: Azure, container: Container, name: str) -> Artefact:
    """What the blob is.

    Raises:
        ArtefactWrong: it is not there.
    """
    blob = container.get_blob_client(name)
    there = await found(blob.get_blob_properties, what=f"reading {name}", scale=azure.scale)
    if there is None:
        raise ArtefactWrong(f"There is no {name} in the container {CONTAINER}.")
    return Artefact(name, int(there.size), text(there.blob_type), str(there.etag))


async def read_ranges(
    azure: Azure, container: Container, artefact: Artefact, ranges: Iterable[tuple[int, int]]
) -> dict[int, bytes]:
    """The bytes of a few ranges (offset, length), by offset."""
    blob = container.get_blob_client(artefact.name)
    return {o: await _piece(azure, blob, artefact, Extent(o, n)) for o, n in ranges}


async def data_extents(azure: Azure, container: Container, artefact: Artefact) -> list[Extent]:
    """Where the blob holds data; all else in it is zeros. Small holes between data count as data.

    Raises:
        ArtefactWrong: a range lies outside the blob.
    """
    blob = container.get_blob_client(artefact.name)
    what = f"listing the page ranges of {artefact.name}"
    pages = await listed(blob.list_page_ranges, what=what, scale=azure.scale)
    data = [(int(p.start or 0), int(p.end or 0)) for p in pages if not p.cleared]
    extents = merge((Extent(start, last + 1 - start) for start, last in data), _SMALL_HOLE_BYTES)
    if extents and extents[-1].end > artefact.size:
        raise ArtefactWrong(f"{artefact.name} names data beyond its own end.")
    return extents


async def sha256(
    azure: Azure,
    container: Container,
    artefact: Artefact,
    extents: Iterable[Extent],
    told: Callable[[int], Awaitable[None]],
) -> str:
    """The SHA-256 of the whole blob, in hexadecimal; several pieces of its data are fetched at a time.

    `told` is given, after each piece, the offset up to which the blob has been hashed.
    """
    digest = SparseDigest(artefact.size)
    blob = container.get_blob_client(artefact.name)
    async for extent, data in _in_order(azure, blob, artefact, split(extents, PIECE_BYTES)):
        await asyncio.to_thread(digest.feed, extent.offset, data)
        await told(extent.end)
    return await asyncio.to_thread(digest.hexdigest)


async def _in_order(
    azure: Azure, blob: BlobClient, artefact: Artefact, extents: Iterator[Extent]
) -> AsyncIterator[tuple[Extent, bytes]]:
    """The pieces in rising order, the next ones being fetched while one is worked on."""
    under_way: deque[tuple[Extent, asyncio.Task[bytes]]] = deque()
    try:
        for extent in extents:
            under_way.append((extent, asyncio.create_task(_piece(azure, blob, artefact, extent))))
            if len(under_way) >= PIECES_AT_ONCE:
                first, task = under_way.popleft()
                yield first, await task
        while under_way:
            first, task = under_way.popleft()
            yield first, await task
    finally:
        for _, task in under_way:
            task.cancel()
        await asyncio.gather(*(task for _, task in under_way), return_exceptions=True)


async def _piece(azure: Azure, blob: BlobClient, artefact: Artefact, extent: Extent) -> bytes:
    guard: dict[str, Any] = {"etag": artefact.etag, "match_condition": MatchConditions.IfNotModified}

    async def download() -> bytes:
        stream = await blob.download_blob(offset=extent.offset, length=extent.length, **guard)
        return bytes(await stream.readall())

    data = await asked(download, what=f"reading {artefact.name}", scale=azure.scale)
    if len(data) != extent.length:
        raise ArtefactWrong(f"{artefact.name} ended at {extent.offset + len(data)} while it was read.")
    return data
