"""The phases that run in the background, on the real bytes; each returns the sentence it ends with.

They are those of the PowerShell guest, in its order and with its meaning. Two differ: `tools` fetches
nothing, since this guest uploads by plain REST instead of AzCopy, and only a disk that already fits the
target is taken.
"""

from __future__ import annotations

import asyncio
import json
import os
import shutil
from datetime import UTC, datetime
from typing import TYPE_CHECKING
from uuid import uuid4

from armlocal.guest.errors import PhaseError
from armlocal.guest.telling import utc_text
from armlocal.sparse import data_extents
from fixedvhd import (
    FOOTER_SIZE,
    MIB,
    DiskError,
    Extent,
    SparseDigest,
    build_footer,
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
_AT_ONCE = 8


async def preflight(work: Work) -> str:
    """Everything that can be known before the work, with the numbers."""
    length = await work.wire.snapshot_length()
    work.facts["source_length"] = length
    _assert_fits(work, length - FOOTER_SIZE)
    hours = (work.values.expires - datetime.now(UTC)).total_seconds() / 3600
    if hours < 1:
        raise PhaseError(f"the signatures end in {hours:.1f} hours: too little for the work", final=True)
    await work.probe()
    return f"the source has {describe(length - FOOTER_SIZE)}, the signatures last {int(hours)} hours"


async def tools(work: Work) -> str:
    """Nothing to fetch."""
    del work
    return "this guest uploads by itself, without AzCopy"


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
    _assert_fits(work, size)
    work.facts |= {"source_size": size, "scheme": scheme}
    return f"{size} bytes, {scheme}, {partitions} partitions"


async def finalize_vhd(work: Work) -> str:
    """The file becomes what is promised: one footer for a fixed VHD."""
    size = int(work.facts["source_size"])
    footer = build_footer(size, uuid4(), datetime.now(UTC).replace(microsecond=0))
    with work.vhd.open("r+b") as file:
        file.truncate(size)
        file.seek(size)
        file.write(footer)
        if work.lies:
            file.seek(size - 512)
            file.write(b"not the backup of a partition table".ljust(512))
            work.facts["damaged"] = True
    work.facts |= {"virtual_size": size, "changes": ["the VHD footer was written anew"]}
    return f"a fixed VHD of {size} bytes"


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
    """The file as a page blob, its zeros left out."""
    name = work.values["ARTEFACT_NAME"]
    size = work.vhd.stat().st_size
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
    kind, length = await work.wire.blob_is(name)
    if (kind, length) != ("PageBlob", size):
        raise PhaseError(f"the artefact is a {kind} of {length} bytes, sent was a PageBlob of {size} bytes")
    return f"{size} bytes"


async def send_manifest(work: Work, job: Job) -> None:
    """The manifest; its presence means done, so it comes after all else of the artefact."""
    values, facts = work.values, work.facts
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
        "timings": job.timings,
        "changes": facts["changes"],
    }
    await work.wire.put_blob(f"{values['ARTEFACT_NAME']}.json", json.dumps(manifest).encode())


async def finish(work: Work) -> str:
    """The copy of the disk goes."""
    shutil.rmtree(work.folder)
    return "the artefact and its manifest are uploaded"


def _assert_fits(work: Work, size: int) -> None:
    target = work.values.target_size
    if target and size > target:
        numbers = f"{size} bytes ({describe(size)}), the target may have {target} bytes ({describe(target)})"
        raise PhaseError(f"the source disk has {numbers}: it does not fit", final=True)


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
