"""The container of the artefact, read with the account's key: small reports, and the VHD itself by ranges."""

from __future__ import annotations

import asyncio
from collections import deque
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import timedelta
from http import HTTPStatus
from typing import TYPE_CHECKING
from urllib.parse import quote

from azure.core.exceptions import HttpResponseError
from azure.core.rest import HttpRequest

from fixedvhd import Extent, SparseDigest, merge, split
from vhdlift.azure.failures import is_passing
from vhdlift.azure.storage import account_key, read_token
from vhdlift.azure.values import text
from vhdlift.azure.waiting import asked, found, listed
from vhdlift.errors import ArtefactWrong, AzureRefused
from vhdlift.model import CONTAINER

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Awaitable, Callable, Iterable, Iterator

    from azure.storage.blob.aio import ContainerClient

    from vhdlift.azure.clients import Azure
    from vhdlift.azure.polling import KindName

PAGE_BLOB, BLOCK_BLOB = "PageBlob", "BlockBlob"
PIECE_BYTES = 256 << 10
# Four pieces under way, each several times in memory while it is put together, stay below 8 MiB.
PIECES_AT_ONCE = 4
# A hole smaller than this costs less to read than a request of its own.
_SMALL_HOLE_BYTES = 256 << 10
# No one holds a container open for longer to read ranges of it.
_READING_LIFE = timedelta(days=7)
_WINDOW_BYTES = 16 << 30
_BLOB_SERVICE_VERSION = "2021-12-02"


@dataclass(frozen=True)
class Container:
    """An open container, and its address with a SAS to read what is in it."""

    client: ContainerClient
    endpoint: str
    _token: str = field(repr=False)

    @property
    def url(self) -> str:
        """The container's address without a signature."""
        return f"{self.endpoint.rstrip('/')}/{CONTAINER}"

    def read_url(self, blob: str) -> str:
        """A blob's address with the SAS, which is a secret."""
        return f"{self.url}/{quote(blob)}?{self._token}"


@dataclass(frozen=True)
class Artefact:
    """The blob as it is now; every read is refused if it has changed since (`etag`). `size` in bytes."""

    name: str
    size: int
    blob_type: str
    etag: str


@asynccontextmanager
async def open_container(
    azure: Azure, group: str, account: str, endpoint: str, kind: KindName = "call"
) -> AsyncIterator[Container]:
    """The container `vhdusb` of an account, for as long as the context is open.

    `kind` says how long the account's key is waited for (`KINDS`).

    Raises:
        VhdliftError: what Azure answered when asked for the account's key.
    """
    key = await account_key(azure, group, account, kind)
    token = read_token(account, key, CONTAINER, _READING_LIFE)
    async with azure.blob_service(endpoint, account, key) as service:
        yield Container(service.get_container_client(CONTAINER), endpoint, token)


async def read_report(azure: Azure, container: Container, name: str, limit: int) -> bytes | None:
    """A small blob, or None when it is not there; of a larger one the first `limit` + 1 bytes."""

    async def download() -> bytes:
        stream = await container.client.get_blob_client(name).download_blob(offset=0, length=limit + 1)
        return bytes(await stream.readall())

    return await found(download, what=f"reading {name}", scale=azure.scale)


async def describe(azure: Azure, container: Container, name: str) -> Artefact:
    """What the blob is.

    Raises:
        ArtefactWrong: it is not there.
    """
    blob = container.client.get_blob_client(name)
    there = await found(blob.get_blob_properties, what=f"reading {name}", scale=azure.scale, kind="artefact")
    if there is None:
        raise ArtefactWrong(f"There is no {name} in the container {CONTAINER}.")
    return Artefact(name, int(there.size), text(there.blob_type), str(there.etag))


async def read_ranges(
    azure: Azure, container: Container, artefact: Artefact, ranges: Iterable[tuple[int, int]]
) -> dict[int, bytes]:
    """The bytes of a few ranges (offset, length), by offset."""
    return {o: await _piece(azure, container, artefact, Extent(o, n)) for o, n in ranges}


async def data_extents(azure: Azure, container: Container, artefact: Artefact) -> list[Extent]:
    """Where the blob holds data; all else in it is zeros. Small holes between data count as data.

    Only a page blob knows its holes: a block blob is data from end to end.

    Raises:
        ArtefactWrong: a range lies outside the blob.
    """
    if artefact.blob_type != PAGE_BLOB:
        return [Extent(0, artefact.size)]
    windows = split([Extent(0, artefact.size)], _WINDOW_BYTES)
    data = [one for window in windows for one in await _data_in(azure, container, artefact, window)]
    extents = merge(data, _SMALL_HOLE_BYTES)
    if extents and extents[-1].end > artefact.size:
        raise ArtefactWrong(f"{artefact.name} names data beyond its own end.")
    return extents


async def _data_in(azure: Azure, container: Container, artefact: Artefact, window: Extent) -> list[Extent]:
    """Where a part of a page blob holds data; all of it, if the service cannot list it in its time.

    That the list of a large blob can take longer than the service allows is Microsoft's own word (Getting
    the Page Ranges of a Large Page Blob in Segments).
    """
    blob = container.client.get_blob_client(artefact.name)
    what = f"listing the page ranges of {artefact.name}"

    async def ask(kind: KindName) -> list[Extent]:
        place = {"offset": window.offset, "length": window.length}
        pages = await listed(blob.list_page_ranges, **place, what=what, scale=azure.scale, kind=kind)
        data = [(int(p.start or 0), int(p.end or 0)) for p in pages if not p.cleared]
        return [Extent(start, last + 1 - start) for start, last in data]

    try:
        return await ask("call")
    except AzureRefused as refusal:
        if refusal.status == HTTPStatus.INTERNAL_SERVER_ERROR:
            return [window]
        if not is_passing(refusal):
            raise
    return await ask("artefact")


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
    async for extent, data in _in_order(azure, container, artefact, split(extents, PIECE_BYTES)):
        await asyncio.to_thread(digest.feed, extent.offset, data)
        await told(extent.end)
    return await asyncio.to_thread(digest.hexdigest)


async def _in_order(
    azure: Azure, container: Container, artefact: Artefact, extents: Iterator[Extent]
) -> AsyncIterator[tuple[Extent, bytes]]:
    """The pieces in rising order, the next ones being fetched while one is worked on."""
    under_way: deque[tuple[Extent, asyncio.Task[bytes]]] = deque()
    try:
        for extent in extents:
            under_way.append((extent, asyncio.create_task(_piece(azure, container, artefact, extent))))
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


async def _piece(azure: Azure, container: Container, artefact: Artefact, extent: Extent) -> bytes:
    """One range in one request.

    The blob client's own download lists all ranges of a page blob again after every read, which for a
    large disk is far more than what was read.
    """
    headers = {
        "x-ms-version": _BLOB_SERVICE_VERSION,
        "x-ms-range": f"bytes={extent.offset}-{extent.end - 1}",
        "If-Match": artefact.etag,
    }

    async def download() -> bytes:
        response = await azure.signed.send_request(
            HttpRequest("GET", container.read_url(artefact.name), headers=headers)
        )
        if response.status_code != HTTPStatus.PARTIAL_CONTENT:
            raise HttpResponseError(response=response)
        return bytes(response.content)

    data = await asked(download, what=f"reading {artefact.name}", scale=azure.scale, kind="artefact")
    if len(data) != extent.length:
        raise ArtefactWrong(f"{artefact.name} ended at {extent.offset + len(data)} while it was read.")
    return data
