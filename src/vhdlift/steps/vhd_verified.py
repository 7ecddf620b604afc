"""Reads the artefact back and compares it with what was promised."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any

from fixedvhd import DiskError, chunk_reader, describe, read_footer, read_gpt, read_mbr, structure_ranges
from vhdlift.azure import artefact
from vhdlift.errors import ArtefactWrong, Leftover

if TYPE_CHECKING:
    from collections.abc import Sequence

    from vhdlift.steps.base import Context, Made

_TELL_SECONDS = 10.0


class VhdVerified:
    """Believes nothing that the guest said: size, footer, partition tables and, in full, every byte."""

    name = "vhd_verified"
    title = "Read the VHD back and compare"
    needs = ("vhd_exported",)

    async def do(self, c: Context) -> Made:
        """Check the artefact.

        Raises:
            ArtefactWrong: it is not a fixed VHD, damaged, or another than the manifest promised.
        """
        place = (c.names.group, c.facts["export_account"], c.facts["export_endpoint"])
        async with artefact.open_container(c.azure, *place, "artefact") as container:
            blob = await artefact.describe(c.azure, container, c.names.artefact)
            _check_outside(blob, c.facts["artefact_size"], c.run.spec.blob_type)
            found = await _check_inside(c, container, blob)
            if c.run.spec.verify == "full":
                found |= await _check_every_byte(c, container, blob)
        return {"verified": found}

    async def undo(self, c: Context) -> Sequence[Leftover]:  # noqa: ARG002
        """Nothing: it only looked."""
        return []


def _check_outside(blob: artefact.Artefact, promised: int, wanted: str) -> None:
    if blob.blob_type != (artefact.BLOCK_BLOB if wanted == "block" else artefact.PAGE_BLOB):
        raise ArtefactWrong(f"{blob.name} is a {blob.blob_type} and not a {wanted} blob.")
    if blob.size != promised:
        raise ArtefactWrong(f"{blob.name} has {blob.size} bytes, and its manifest promises {promised}.")


async def _check_inside(c: Context, container: artefact.Container, blob: artefact.Artefact) -> dict[str, Any]:
    """Footer and partition tables; a disk of the first generation has an MBR and no GPT."""
    chunks = await artefact.read_ranges(c.azure, container, blob, structure_ranges(blob.size))
    read_at = chunk_reader(chunks)
    try:
        footer = read_footer(read_at, blob.size)
        record = read_mbr(read_at)
        if record.protective:
            table = read_gpt(read_at, footer.size)
            scheme, partitions, end = "gpt", len(table.partitions), table.end
        else:
            ends = [p.end for p in record.partitions]
            scheme, partitions, end = "mbr", len(ends), max(ends, default=0)
    except (DiskError, LookupError) as error:
        raise ArtefactWrong(f"{blob.name} is not a bootable fixed VHD: {error}") from error
    if not partitions or end > footer.size:
        raise ArtefactWrong(
            f"{blob.name} has {partitions} partitions, ending at {end} of {footer.size} bytes."
        )
    return {
        "checked": "structure",
        "size": blob.size,
        "virtual_size": footer.size,
        "scheme": scheme,
        "partitions": partitions,
    }


async def _check_every_byte(
    c: Context, container: artefact.Container, blob: artefact.Artefact
) -> dict[str, Any]:
    extents = await artefact.data_extents(c.azure, container, blob)
    told_at = time.monotonic()

    async def told(done: int) -> None:
        nonlocal told_at
        if time.monotonic() - told_at >= _TELL_SECONDS:
            told_at = time.monotonic()
            details = {"percent": round(100 * done / blob.size, 1), "bytes": done, "total": blob.size}
            await c.progress(f"{describe(done)} of {describe(blob.size)} compared", details)

    digest = await artefact.sha256(c.azure, container, blob, extents, told)
    promised = c.facts["sha256"]
    if digest != promised:
        raise ArtefactWrong(f"{blob.name} has the SHA-256 {digest}, and its manifest promises {promised}.")
    data = sum(extent.length for extent in extents)
    return {"checked": "full", "sha256": digest, "data_bytes": data}
