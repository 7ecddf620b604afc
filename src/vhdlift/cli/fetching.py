"""Copy the artefact of a run into a file; holes stay holes."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from fixedvhd import split

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from vhdlift.model import Run
    from vhdlift.settings import Settings


async def fetch_artefact(settings: Settings, run: Run, facts: Mapping[str, Any], file: Path) -> int:
    """Write the finished VHD to `file`; its size in bytes.

    Raises:
        VhdliftError: it is not there, or cannot be read.
    """
    from vhdlift.azure import artefact  # noqa: PLC0415  # slow to import
    from vhdlift.azure.clients import open_clients  # noqa: PLC0415

    account, endpoint = facts["export_account"], facts["export_endpoint"]
    async with (
        open_clients(settings) as azure,
        artefact.open_container(azure, run.names.group, account, endpoint) as container,
    ):
        blob = await artefact.describe(azure, container, run.names.artefact)
        extents = await artefact.data_extents(azure, container, blob)
        with file.open("wb") as out:
            out.truncate(blob.size)
            for piece in split(extents, artefact.PIECE_BYTES):
                read = await artefact.read_ranges(azure, container, blob, [(piece.offset, piece.length)])
                out.seek(piece.offset)
                out.write(read[piece.offset])
    return blob.size
