"""The footer of a fixed VHD."""

from __future__ import annotations

import io
import json
import struct
from contextlib import suppress
from datetime import UTC, datetime
from typing import TYPE_CHECKING
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fixedvhd import (
    GIB,
    MIB,
    Footer,
    FooterError,
    build_footer,
    file_reader,
    geometry,
    parse_footer,
    read_footer,
)
from fixedvhd.footer import checksum
from tests.outside import run

if TYPE_CHECKING:
    from pathlib import Path

ID = UUID("00112233-4455-6677-8899-aabbccddeeff")
WHEN = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)
SIZES = st.integers(1, 2040 * 1024).map(lambda n: n * MIB)


@given(size=SIZES, unique_id=st.uuids())
def test_what_is_built_is_what_is_parsed(size: int, unique_id: UUID) -> None:
    """A footer gives back size, id, time and creator."""
    expected = Footer(size, unique_id, WHEN, size, geometry(size))
    assert expected == parse_footer(build_footer(size, unique_id, WHEN))


@given(at=st.integers(0, 511), flip=st.integers(1, 255))
def test_any_changed_byte_is_noticed(at: int, flip: int) -> None:
    """No single byte of a footer can change unseen."""
    data = bytearray(build_footer(64 * MIB, ID, WHEN))
    data[at] ^= flip
    with pytest.raises(FooterError):
        parse_footer(bytes(data))


def sealed(data: bytes) -> bytes:
    """The fields of a footer in front, anything behind them, under the right checksum."""
    whole = build_footer(64 * MIB, ID, WHEN)[:8] + data.ljust(504, b"\0")
    return whole[:64] + struct.pack(">I", checksum(whole)) + whole[68:]


@given(st.binary(max_size=600) | st.binary(max_size=504).map(sealed))
def test_any_bytes_are_a_footer_or_our_error(data: bytes) -> None:
    """Nothing crashes the reader, whatever stands there under a right checksum."""
    with suppress(FooterError):
        assert parse_footer(data).size > 0


def test_a_dynamic_disk_is_refused_with_every_reason() -> None:
    """A dynamic disk's footer is refused for its type and for its header."""
    data = bytearray(build_footer(64 * MIB, ID, WHEN))
    data[16:24] = struct.pack(">Q", 512)
    data[60:64] = struct.pack(">I", 3)
    with pytest.raises(FooterError) as caught:
        parse_footer(bytes(data))
    told = str(caught.value)
    assert "disk type 3" in told
    assert "dynamic" in told
    assert "checksum" in told


@pytest.mark.parametrize(("size", "told"), [(MIB + 512, "multiple of 1 MiB"), (2041 * GIB, "2040 GiB")])
def test_sizes_that_azure_refuses_are_refused(size: int, told: str) -> None:
    """Only whole MiB up to 2040 GiB get a footer."""
    with pytest.raises(FooterError, match=told):
        build_footer(size, ID, WHEN)


def test_a_file_cut_short_is_noticed() -> None:
    """The file's length has to be what its footer promises."""
    footer = build_footer(2 * MIB, ID, WHEN)
    read_at = file_reader(io.BytesIO(bytes(MIB) + footer))
    with pytest.raises(FooterError, match="promises 2097664"):
        read_footer(read_at, MIB + 512)


@pytest.mark.parametrize("size", [40 * MIB, 100 * MIB, 512 * MIB, 10 * GIB, 120 * GIB])
def test_the_geometry_is_the_one_qemu_writes(size: int, tmp_path: Path) -> None:
    """Cylinders, heads and sectors are as an independent writer computes them."""
    file = tmp_path / "other.vhd"
    run("qemu-img", "create", "-q", "-f", "vpc", "-o", "subformat=fixed", file, str(size))
    with file.open("rb") as opened:
        theirs = read_footer(file_reader(opened), file.stat().st_size)
    assert geometry(theirs.size) == theirs.geometry


def test_the_geometry_stays_at_its_largest() -> None:
    """Beyond 127 GiB there is no larger geometry."""
    assert geometry(220 * GIB) == (65535, 16, 255)


@pytest.mark.parametrize("size", [MIB, 160 * MIB, GIB + MIB, 127 * GIB, 220 * GIB])
def test_qemu_reads_the_exact_size(size: int, tmp_path: Path) -> None:
    """Another reader sees the size to the byte, also where the geometry is smaller."""
    file = tmp_path / "ours.vhd"
    with file.open("wb") as opened:
        opened.seek(size)
        opened.write(build_footer(size, ID, WHEN))
    told = json.loads(run("qemu-img", "info", "-f", "vpc", "--output=json", file))
    assert (told["format"], told["virtual-size"]) == ("vpc", size)
