"""The bytes that both sides agree on: files that the guest's C# is held to as well (`tests/guest`)."""

from __future__ import annotations

import base64
import io
import json
import zlib
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest

from fixedvhd import build_footer, file_reader, parse_footer, read_gpt, rewrite_gpt

GOLDEN = Path(__file__).parent.parent / "golden"
FOOTERS: list[dict[str, Any]] = json.loads((GOLDEN / "footers.json").read_text())["footers"]
DISKS: list[dict[str, Any]] = json.loads((GOLDEN / "gpt_fit.json").read_text())["disks"]


def laid(case: dict[str, Any], which: str) -> dict[int, bytes]:
    """What lies where, by offset."""
    return {p["offset"]: zlib.decompress(base64.b64decode(p["data"])) for p in case[which]}


@pytest.mark.parametrize("case", FOOTERS, ids=lambda c: str(c["size"]))
def test_a_footer_is_written_and_read_as_agreed(case: dict[str, Any]) -> None:
    """To the byte, and what is read gives the same bytes again."""
    made = build_footer(case["size"], UUID(case["id"]), datetime.fromtimestamp(case["epoch"], UTC))
    assert made.hex() == case["hex"]
    assert parse_footer(made).to_bytes() == made


@pytest.mark.parametrize("case", DISKS, ids=lambda c: str(c["name"]))
def test_a_partition_table_is_fitted_as_agreed(case: dict[str, Any]) -> None:
    """The table of the disk as it was, rewritten for the size, is what the agreed disk holds."""
    file = io.BytesIO(bytes(case["size"]))
    for offset, data in laid(case, "before").items():
        file.seek(offset)
        file.write(data)
    table = read_gpt(file_reader(file), case["size"], backup=case["at_end"])
    assert len(table.partitions) == case["partitions"]
    for patch in rewrite_gpt(table, case["size"]):
        file.seek(patch.offset)
        file.write(patch.data)
    for offset, data in laid(case, "after").items():
        file.seek(offset)
        assert file.read(len(data)) == data
    assert read_gpt(file_reader(file), case["size"]).partitions == table.partitions
