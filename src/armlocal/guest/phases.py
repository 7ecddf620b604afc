"""The phases that run in the background, on the real bytes; each returns the sentence it ends with.

They are those of the PowerShell guest, in its order and with its meaning. `tools` fetches nothing, since this
guest uploads by plain REST instead of AzCopy. What makes the disk smaller is in `shrink`.
"""

from __future__ import annotations

import asyncio
import base64
import json
import os
import shutil
import time
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from armlocal.guest.errors import PhaseError
from armlocal.guest.telling import utc_text
from armlocal.guest.work import Skipped
from armlocal.sparse import data_extents
from fixedvhd import (
    FOOTER_SIZE,
    MIB,
    DiskError,
    Extent,
    SparseDigest,
    describe,
    file_reader,
    read_footer,
    read_gpt,
    read_mbr,
    split,
)

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Iterable
    from pathlib import Path

    from armlocal.guest.telling import Job
    from armlocal.guest.work import Work

_CHUNK = 4 * MIB
_BLOCK = 32 * MIB
_AT_ONCE = 8


async def preflight(work: Work) -> str:
    """Everything that can be known before the work, with the numbers."""
    length = await work.wire.snapshot_length()
    work.facts["source_length"] = length
    hours = (work.values.expires - datetime.now(UTC)).total_seconds() / 3600
    if hours < 1:
        raise PhaseError(f"the signatures end in {hours:.1f} hours: too little for the work", final=True)
    await work.probe()
    return f"the source has {describe(length - FOOTER_SIZE)}, the signatures last {int(hours)} hours"


async def tools(work: Work) -> str:
    """Nothing to fetch."""
    del work
    return Skipped("this guest uploads by itself, without AzCopy")


async def download(work: Work) -> str:
    """The snapshot's data, several ranges at a time, into a sparse file of full length."""
    length = int(work.facts["source_length"])
    extents = await work.wire.snapshot_pages()
    data = sum(e.length for e in extents)
    work.count(data)
    part = work.vhd.with_suffix(".part")
    descriptor = os.open(part, os.O_RDWR | os.O_CREAT | os.O_TRUNC, 0o600)
    try:
        os.ftruncate(descriptor, length)

        async def fetch(piece: Extent) -> None:
            content = await work.wire.snapshot_range(piece)
            os.pwrite(descriptor, content, piece.offset)
            await work.moved(piece.length)

        await _several(split(extents, _CHUNK), fetch)
    finally:
        os.close(descriptor)
    part.rename(work.vhd)
    return f"{describe(length)}, {describe(data)} of it in use"


async def verify_source(work: Work) -> str:
    """Is this a fixed VHD with a disk in it that we understand? Changes nothing."""
    size, scheme, partitions = _inspect(work.vhd, "the source")
    work.facts |= {"source_size": size, "scheme": scheme}
    return f"{size} bytes, {scheme}, {partitions} partitions"


async def usb_prep(work: Work) -> str:
    """The registry of the stand-in's disk is made of placeholders, so there is nothing to change."""
    del work
    return Skipped("the registry of this disk is a placeholder, in which there is nothing to set")


async def verify_result(work: Work) -> str:
    """The finished file, read as a stranger would read it, and its SHA-256."""
    if not work.facts.get("damaged"):
        size, _, _ = _inspect(work.vhd, "the result")
        if size != work.facts["virtual_size"]:
            raise PhaseError(f"the result: the footer says {size} bytes, promised were others", final=True)
    digest = await asyncio.to_thread(_digest, work.vhd)
    if work.lies:
        digest = digest[::-1]
    work.facts["sha256"] = digest
    return f"SHA-256 {digest}"


async def upload(work: Work) -> str:
    """The file as a page blob, its zeros left out, or as a block blob with every byte."""
    name = work.values["ARTEFACT_NAME"]
    size = work.vhd.stat().st_size
    wanted = "BlockBlob" if work.values.texts.get("BLOB_TYPE") == "block" else "PageBlob"
    await (_send_blocks if wanted == "BlockBlob" else _send_pages)(work, name, size)
    kind, length = await work.wire.blob_is(name)
    if (kind, length) != (wanted, size):
        raise PhaseError(f"the artefact is a {kind} of {length} bytes, sent was a {wanted} of {size} bytes")
    return f"{size} bytes as a {wanted}"


async def _send_pages(work: Work, name: str, size: int) -> None:
    await work.wire.create_page_blob(name, size)
    chunks = _chunks_with_data(work.vhd, size)
    work.count(sum(c.length for c in chunks))
    with work.vhd.open("rb") as file:

        async def send(chunk: Extent) -> None:
            content = os.pread(file.fileno(), chunk.length, chunk.offset)
            if content.strip(b"\0"):
                await work.wire.put_pages(name, chunk.offset, content)
            await work.moved(chunk.length)

        await _several(chunks, send)
    if work.lies:
        await work.wire.put_pages(name, chunks[-2].offset, b"a page of something else".ljust(512))


async def _send_blocks(work: Work, name: str, size: int) -> None:
    work.count(size)
    blocks = list(split([Extent(0, size)], _BLOCK))
    with work.vhd.open("rb") as file:

        async def send(block: Extent) -> None:
            content = os.pread(file.fileno(), block.length, block.offset)
            if work.lies and block.offset == 0:
                content = b"?" + content[1:]
            await work.wire.put_block(name, _block_id(block), content)
            await work.moved(block.length)

        await _several(blocks, send)
    await work.wire.put_block_list(name, [_block_id(block) for block in blocks])


def _block_id(block: Extent) -> str:
    return base64.b64encode(f"{block.offset:016d}".encode()).decode()


async def send_manifest(work: Work, job: Job) -> None:
    """The manifest; its presence means done, so it comes after all else of the artefact."""
    values, facts = work.values, work.facts
    spent = round(job.timings.get("upload", 0.0) + time.monotonic() - work.began, 3)
    manifest = {
        "schema": 1,
        "run_id": values["RUN_ID"],
        "name": values["ARTEFACT_NAME"],
        "size": facts["virtual_size"] + FOOTER_SIZE,
        "virtual_size": facts["virtual_size"],
        "sha256": facts["sha256"],
        "source": {"vm": values["SOURCE_VM"], "size": facts["source_size"]},
        "started_at": job.started_at,
        "finished_at": utc_text(),
        "timings": {**job.timings, "upload": spent},
        "changes": facts["changes"],
    }
    await work.wire.put_blob(f"{values['ARTEFACT_NAME']}.json", json.dumps(manifest).encode())


async def finish(work: Work) -> str:
    """The copy of the disk goes."""
    shutil.rmtree(work.folder)
    return "the artefact and its manifest are uploaded"


def _inspect(path: Path, what: str) -> tuple[int, str, int]:
    """Virtual size in bytes, partition scheme and number of partitions."""
    try:
        with path.open("rb") as file:
            read_at = file_reader(file)
            size = read_footer(read_at, path.stat().st_size).size
            record = read_mbr(read_at)
            if record.protective:
                return size, "gpt", len(read_gpt(read_at, size).partitions)
            return size, "mbr", len(record.partitions)
    except DiskError as error:
        raise PhaseError(f"{what}: {error}", final=True) from None


def _digest(path: Path) -> str:
    """SHA-256 of the whole file; its holes are not read."""
    digest = SparseDigest(path.stat().st_size)
    with path.open("rb") as file:
        for piece in split(data_extents(file.fileno()), _CHUNK):
            digest.feed(piece.offset, os.pread(file.fileno(), piece.length, piece.offset))
    return digest.hexdigest()


def _chunks_with_data(path: Path, size: int) -> list[Extent]:
    """The 4 MiB chunks of the file in which there is data; the last one may be shorter."""
    with path.open("rb") as file:
        found = data_extents(file.fileno())
    starts = {at for e in found for at in range(e.offset // _CHUNK * _CHUNK, e.end, _CHUNK)}
    return [Extent(at, min(_CHUNK, size - at)) for at in sorted(starts)]


async def _several(pieces: Iterable[Extent], do: Callable[[Extent], Awaitable[None]]) -> None:
    """`do` for all pieces, a few at a time; the first failure ends the rest."""
    slots = asyncio.Semaphore(_AT_ONCE)

    async def one(piece: Extent) -> None:
        async with slots:
            await do(piece)

    try:
        async with asyncio.TaskGroup() as group:
            for piece in pieces:
                group.create_task(one(piece))
    except ExceptionGroup as errors:
        raise errors.exceptions[0] from None
