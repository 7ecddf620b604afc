"""What the guest says over HTTPS: ranges of the snapshot, blobs of the container. Plain REST, no SDK."""

from __future__ import annotations

from typing import TYPE_CHECKING
from urllib.parse import quote, urlsplit

import httpx

from armlocal.guest.errors import PhaseError
from fixedvhd import Extent, PageListError, parse_page_list

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from armlocal.guest.values import Values

VERSION = "2021-12-02"


class Wire:
    """The snapshot and the container of one job; no error of it shows an address's query."""

    def __init__(self, client: httpx.AsyncClient, values: Values) -> None:
        self._client = client
        self._values = values

    async def snapshot_length(self) -> int:
        """The snapshot's bytes, footer included, after seeing that it can be read in ranges."""
        answer = await self._send("HEAD", self._snapshot(), "the snapshot cannot be read")
        await self.snapshot_range(Extent(0, 512))
        return int(answer.headers["content-length"])

    async def snapshot_range(self, extent: Extent) -> bytes:
        """Some bytes of the snapshot."""
        headers = {"x-ms-range": f"bytes={extent.offset}-{extent.end - 1}"}
        answer = await self._send("GET", self._snapshot(), "the snapshot cannot be read", headers)
        if answer.status_code != httpx.codes.PARTIAL_CONTENT or len(answer.content) != extent.length:
            raise PhaseError(
                f"the snapshot cannot be read in ranges: the server answered {answer.status_code}"
            )
        return answer.content

    async def snapshot_pages(self) -> tuple[Extent, ...]:
        """Where the snapshot holds data."""
        what = "the snapshot does not list its pages"
        answer = await self._send("GET", self._snapshot() + "&comp=pagelist", what)
        try:
            return parse_page_list(answer.content).data
        except PageListError as error:
            raise PhaseError(f"{what}: {error}") from None

    async def put_blob(self, name: str, content: bytes, kind: str = "application/json") -> None:
        """A small block blob, written whole."""
        headers = {"x-ms-blob-type": "BlockBlob", "Content-Type": kind}
        await self._send("PUT", self._blob(name), f"the storage account refused {name}", headers, content)

    async def create_page_blob(self, name: str, size: int) -> None:
        """A page blob of zeros, in place of whatever has this name."""
        headers = {
            "x-ms-blob-type": "PageBlob",
            "x-ms-blob-content-length": str(size),
            "Content-Type": "application/octet-stream",
        }
        await self._send("PUT", self._blob(name), f"the storage account refused {name}", headers, b"")

    async def put_pages(self, name: str, offset: int, content: bytes) -> None:
        """Some whole pages of a page blob."""
        last = offset + len(content) - 1
        headers = {"x-ms-page-write": "update", "x-ms-range": f"bytes={offset}-{last}"}
        what = f"the storage account refused pages of {name}"
        await self._send("PUT", self._blob(name) + "&comp=page", what, headers, content)

    async def put_block(self, name: str, block_id: str, content: bytes) -> None:
        """One block of a block blob, not part of it yet; ids are base64 and equally long."""
        what = f"the storage account refused a block of {name}"
        url = f"{self._blob(name)}&comp=block&blockid={quote(block_id, safe='')}"
        await self._send("PUT", url, what, content=content)

    async def put_block_list(self, name: str, block_ids: Iterable[str]) -> None:
        """A block blob made of these blocks, in place of whatever has this name."""
        rows = "".join(f"<Latest>{block_id}</Latest>" for block_id in block_ids)
        body = f'<?xml version="1.0" encoding="utf-8"?><BlockList>{rows}</BlockList>'.encode()
        what = f"the storage account refused {name}"
        await self._send("PUT", f"{self._blob(name)}&comp=blocklist", what, content=body)

    async def blob_is(self, name: str) -> tuple[str, int]:
        """A blob's type and length."""
        answer = await self._send("HEAD", self._blob(name), f"{name} cannot be seen")
        return answer.headers.get("x-ms-blob-type", ""), int(answer.headers["content-length"])

    async def _send(
        self,
        method: str,
        url: str,
        what: str,
        headers: Mapping[str, str] | None = None,
        content: bytes | None = None,
    ) -> httpx.Response:
        """One request.

        Raises:
            PhaseError: no answer, or not one of success; `what` begins the sentence.
        """
        sent = {"x-ms-version": VERSION, **(headers or {})}
        try:
            answer = await self._client.request(method, url, headers=sent, content=content)
        except httpx.HTTPError as error:
            raise PhaseError(
                f"{what}: no answer of {urlsplit(url).netloc} ({type(error).__name__})"
            ) from None
        if not answer.is_success:
            code = answer.headers.get("x-ms-error-code", answer.reason_phrase)
            raise PhaseError(f"{what}: {answer.status_code} {code}")
        return answer

    def _snapshot(self) -> str:
        return self._values["SNAPSHOT_URL"]

    def _blob(self, name: str) -> str:
        return f"{self._values['CONTAINER_URL']}/{quote(name, safe='')}?{self._values['AZURE_SAS_TOKEN']}"
