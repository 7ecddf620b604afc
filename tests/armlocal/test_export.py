"""Reading a snapshot through its SAS, over a real HTTPS socket."""

from __future__ import annotations

import hashlib
import os
from typing import TYPE_CHECKING

import httpx
import pytest
import pytest_asyncio
from azure.storage.blob.aio import BlobClient

from armlocal.disks import DiskFiles
from armlocal.export import Exports
from armlocal.sparse import copy_sparse, data_extents
from fixedvhd import (
    GIB,
    MIB,
    Extent,
    chunk_reader,
    holes,
    parse_page_list,
    read_footer,
    read_gpt,
    split,
    structure_ranges,
)
from tests.armlocal.conftest import Certificates, serving

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path

DISK = "/subscriptions/s/resourceGroups/Old/providers/Microsoft.Compute/disks/lab-os"
SNAPSHOT = "/subscriptions/s/resourceGroups/New/providers/Microsoft.Compute/snapshots/Snap-1"
LENGTH = 2 * GIB
SIZE = LENGTH + 512


class Clock:
    """Seconds that a test moves."""

    now = 100.0

    def __call__(self) -> float:
        return self.now


class Bridge:
    """A snapshot of the source disk, served."""

    def __init__(self, folder: Path, certificates: Certificates) -> None:
        self.clock = Clock()
        self.disks = DiskFiles(folder)
        self.disks.plant_source(DISK)
        self.disks.snapshot(DISK, SNAPSHOT)
        self.exports = Exports(self.disks, self.clock)
        self.client = httpx.AsyncClient(verify=certificates.trust())
        self.base = ""
        self.url = ""

    async def get(self, **headers: str) -> httpx.Response:
        return await self.client.get(self.url, headers={k.replace("_", "-"): v for k, v in headers.items()})


@pytest_asyncio.fixture
async def bridge(certificates: Certificates, tmp_path: Path) -> AsyncIterator[Bridge]:
    made = Bridge(tmp_path / "disks", certificates)
    async with serving(made.exports.routes(), certificates) as base, made.client:
        made.base = base
        made.url = base + made.exports.grant(SNAPSHOT.upper(), 600)
        yield made


async def test_a_head_tells_what_is_there(bridge: Bridge) -> None:
    """Length, ranges and the kind of blob, as storage tells them."""
    answer = await bridge.client.head(bridge.url)
    assert answer.status_code == 200
    assert answer.headers["content-length"] == str(SIZE)
    assert answer.headers["accept-ranges"] == "bytes"
    assert answer.headers["x-ms-blob-type"] == "PageBlob"


@pytest.mark.parametrize("header", ["range", "x_ms_range"])
async def test_a_range_gives_its_bytes(bridge: Bridge, header: str) -> None:
    """Both headers ask for a range; the footer comes back as it stands in the file."""
    answer = await bridge.get(**{header: f"bytes={LENGTH}-"})
    assert answer.status_code == 206
    assert answer.headers["content-range"] == f"bytes {LENGTH}-{LENGTH + 511}/{SIZE}"
    with bridge.disks.open(SNAPSHOT).open("rb") as file:
        assert os.pread(file.fileno(), 512, LENGTH) == answer.content


async def test_the_page_list_names_all_the_data(bridge: Bridge) -> None:
    """Reading only the listed ranges gives the whole disk; all else is zeros."""
    answer = await bridge.client.get(bridge.url + "&comp=pagelist")
    assert answer.headers["x-ms-blob-content-length"] == str(SIZE)
    extents = parse_page_list(answer.content).data
    assert sum(e.length for e in extents) < 20 * MIB
    zeros = bytes(4 * MIB)
    with bridge.disks.open(SNAPSHOT).open("rb") as file:
        for extent in extents:
            part = await bridge.get(range=f"bytes={extent.offset}-{extent.end - 1}")
            assert os.pread(file.fileno(), extent.length, extent.offset) == part.content
        for hole in split(holes(extents, SIZE), len(zeros)):
            assert os.pread(file.fileno(), hole.length, hole.offset) == zeros[: hole.length]


async def test_a_page_list_of_a_window(bridge: Bridge) -> None:
    """A page list can be asked for a part of the blob."""
    answer = await bridge.client.get(bridge.url + "&comp=pagelist", headers={"x-ms-range": "bytes=0-511"})
    assert parse_page_list(answer.content).data == (Extent(0, 512),)


async def test_data_and_holes_are_sent_alike(bridge: Bridge) -> None:
    """A range over data and holes gives every byte of the file, zeros where nothing is stored."""
    start, end = 100 * MIB, 160 * MIB
    answer = await bridge.get(range=f"bytes={start}-{end - 1}")
    with bridge.disks.open(SNAPSHOT).open("rb") as file:
        assert hashlib.sha256(os.pread(file.fileno(), end - start, start)).digest() == (
            hashlib.sha256(answer.content).digest()
        )


async def test_the_whole_is_sent_without_a_range(bridge: Bridge) -> None:
    """A plain GET begins with the first byte, and promises all of them."""
    async with bridge.client.stream("GET", bridge.url) as answer:
        assert (answer.status_code, answer.headers["content-length"]) == (200, str(SIZE))
        assert len(await anext(answer.aiter_raw(512))) == 512


async def test_partition_tables_are_read_through_ranges(bridge: Bridge) -> None:
    """Two small ranges are enough to check footer and partition tables."""
    chunks = {}
    for offset, length in structure_ranges(SIZE):
        answer = await bridge.get(range=f"bytes={offset}-{offset + length - 1}")
        chunks[offset] = answer.content
    read_at = chunk_reader(chunks)
    assert len(read_gpt(read_at, read_footer(read_at, SIZE).size).partitions) == 4


async def test_azures_own_sdk_reads_it(bridge: Bridge, certificates: Certificates) -> None:
    """The SDK downloads a range and lists pages through such a SAS."""
    ca = str(certificates.ca)
    async with BlobClient.from_blob_url(bridge.url, connection_verify=ca, retry_total=0) as blob:
        assert (await blob.get_blob_properties()).size == SIZE
        assert await (await blob.download_blob(offset=510, length=2)).readall() == b"\x55\xaa"
        assert await anext(aiter(blob.list_page_ranges()))


async def test_a_range_behind_the_end_is_refused(bridge: Bridge) -> None:
    """416, with the size."""
    answer = await bridge.get(range=f"bytes={SIZE}-{SIZE + 10}")
    assert (answer.status_code, answer.headers["x-ms-error-code"]) == (416, "InvalidRange")
    assert answer.headers["content-range"] == f"bytes */{SIZE}"


async def test_a_changed_etag_is_refused(bridge: Bridge) -> None:
    """A reader that pins the version it began with is told when it is another."""
    etag = (await bridge.client.head(bridge.url)).headers["etag"]
    assert (await bridge.get(range="bytes=0-1", if_match=etag)).status_code == 206
    assert (await bridge.get(range="bytes=0-1", if_match='"0x1"')).status_code == 412


def broken(url: str) -> list[str]:
    """The same address with each part of its proof spoilt."""
    place, query = url.split("?")
    return [place, url.replace("sig=", "sig=A"), url.replace("si=", "si=0"), f"{place}x?{query}", url[:-4]]


async def test_a_wrong_signature_is_refused(bridge: Bridge) -> None:
    """403 AuthenticationFailed, whatever part of the SAS is wrong."""
    for url in broken(bridge.url):
        answer = await bridge.client.get(url)
        assert (answer.status_code, answer.headers["x-ms-error-code"]) == (403, "AuthenticationFailed")
        assert b"<Code>AuthenticationFailed</Code>" in answer.content


async def test_a_grant_ends(bridge: Bridge) -> None:
    """It ends by itself when its time is over."""
    bridge.clock.now += 599
    assert (await bridge.client.head(bridge.url)).status_code == 200
    bridge.clock.now += 2
    assert (await bridge.client.head(bridge.url)).status_code == 403


async def test_a_grant_can_be_revoked(bridge: Bridge) -> None:
    """endGetAccess ends this snapshot's grants, and no other's."""
    other = bridge.base + bridge.exports.grant(DISK, 600)
    bridge.exports.revoke(SNAPSHOT)
    assert (await bridge.client.head(bridge.url)).status_code == 403
    assert (await bridge.client.head(other)).status_code == 200


@pytest.mark.parametrize("method", ["PUT", "DELETE"])
async def test_it_can_only_be_read(bridge: Bridge, method: str) -> None:
    """Writing is refused for lack of permission."""
    answer = await bridge.client.request(method, bridge.url)
    assert (answer.status_code, answer.headers["x-ms-error-code"]) == (403, "AuthorizationPermissionMismatch")


async def test_a_deleted_snapshot_is_not_found(bridge: Bridge) -> None:
    """A grant does not keep the bytes."""
    bridge.disks.remove(SNAPSHOT)
    assert (await bridge.client.get(bridge.url)).status_code == 404


def test_a_snapshot_does_not_follow_its_disk(tmp_path: Path) -> None:
    """What is written to the disk later is not in the snapshot, and holes stay holes."""
    disks = DiskFiles(tmp_path)
    disks.plant_source(DISK)
    disks.snapshot(DISK, SNAPSHOT)
    with disks.open(DISK).open("r+b") as file:
        file.write(b"changed")
    with disks.open(SNAPSHOT).open("rb") as file:
        assert file.read(7) != b"changed"
    assert disks.open(SNAPSHOT).stat().st_blocks * 512 < 20 * MIB
    assert disks.size(SNAPSHOT) == LENGTH


def test_a_reset_keeps_only_what_is_made_again(tmp_path: Path) -> None:
    """After a reset no id has bytes, and the source can be planted anew."""
    disks = DiskFiles(tmp_path)
    disks.plant_source(DISK)
    disks.reset()
    assert not disks.has(DISK)
    with pytest.raises(KeyError):
        disks.open(DISK)
    disks.plant_source(DISK)
    assert disks.has(DISK.lower())


def test_a_copy_keeps_data_and_holes(tmp_path: Path) -> None:
    """Extents of a copy are those of its original."""
    first, second = tmp_path / "first", tmp_path / "second"
    with first.open("wb") as file:
        file.truncate(64 * MIB)
        os.pwrite(file.fileno(), b"x" * 4096, 8 * MIB)
    copy_sparse(first, second)
    with second.open("rb") as file:
        assert data_extents(file.fileno()) == [Extent(8 * MIB, 4096)]
    assert second.stat().st_size == 64 * MIB
