"""The boot record of a disk of generation 1."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fixedvhd import MIB, SECTOR, Mbr, MbrError, MbrPartition, build_mbr, read_mbr, rewrite_mbr
from tests.outside import run

if TYPE_CHECKING:
    from pathlib import Path

SIZE = 64 * MIB
SECTORS = SIZE // SECTOR
BOOT = MbrPartition(1, active=True, kind=0x07, first=2048, sectors=4096)
WINDOWS = MbrPartition(2, active=False, kind=0x07, first=8192, sectors=SECTORS - 8192)
CODE = bytes(range(256)) + bytes(184)


def read(sector: bytes) -> Mbr:
    return read_mbr(lambda offset, length: sector[offset : offset + length])


def with_code(sector: bytes) -> bytes:
    """The record with boot code, as Windows Setup leaves it."""
    return CODE + sector[440:]


@st.composite
def layouts(draw: st.DrawFn) -> list[MbrPartition]:
    """One to four partitions that neither overlap nor leave the disk, in rising order."""
    count = draw(st.integers(1, 4))
    edges = draw(
        st.lists(st.integers(1, SECTORS), min_size=2 * count, max_size=2 * count, unique=True).map(sorted)
    )
    numbers = draw(st.permutations([1, 2, 3, 4]))
    kinds = st.sampled_from([0x07, 0x0C, 0x27, 0x83])
    return [
        MbrPartition(number, draw(st.booleans()), draw(kinds), first, end - first)
        for number, (first, end) in zip(numbers, zip(edges[::2], edges[1::2], strict=True), strict=False)
    ]


@given(layouts(), st.integers(0, 2**32 - 1))
def test_what_is_built_is_what_is_read(partitions: list[MbrPartition], signature: int) -> None:
    """Signature and partitions come back, by their numbers."""
    record = read(build_mbr(signature, partitions, SIZE))
    assert record.disk_signature == signature
    assert list(record.partitions) == sorted(partitions, key=lambda p: p.number)


@given(layouts(), layouts())
def test_a_rewrite_keeps_boot_code_and_signature(old: list[MbrPartition], new: list[MbrPartition]) -> None:
    """Windows finds its disk by the signature, and starts by the code."""
    before = with_code(build_mbr(0xABCD1234, old, SIZE))
    after = rewrite_mbr(before, new, SIZE)
    assert after[:446] == before[:446]
    assert list(read(after).partitions) == sorted(new, key=lambda p: p.number)


def test_an_entry_that_did_not_change_keeps_its_bytes() -> None:
    """Also the cylinders, heads and sectors in it, which old boot code may look at."""
    before = bytearray(build_mbr(1, [BOOT, WINDOWS], SIZE))
    before[447:450] = b"\x20\x21\x00"
    after = rewrite_mbr(bytes(before), [BOOT, replace(WINDOWS, sectors=2048)], SIZE)
    assert after[446:462] == before[446:462]
    assert read(after).partitions[1].sectors == 2048


@pytest.mark.parametrize(
    ("partitions", "told"),
    [
        ([replace(WINDOWS, sectors=SECTORS)], "outside"),
        ([replace(BOOT, first=0)], "outside"),
        ([BOOT, replace(WINDOWS, first=4096)], "overlap"),
        ([BOOT, replace(WINDOWS, number=1)], "each once"),
        ([replace(BOOT, number=5)], "1 to 4"),
    ],
)
def test_what_no_disk_can_have_is_refused(partitions: list[MbrPartition], told: str) -> None:
    """Nothing is written, and the sentence says why."""
    with pytest.raises(MbrError, match=told):
        build_mbr(1, partitions, SIZE)


@given(st.binary(max_size=510).map(lambda data: data.ljust(510, b"\xfe") + b"\x55\xaa"))
def test_any_signed_sector_is_read(sector: bytes) -> None:
    """A boot record has no checksum: whoever reads it compares its ends with the disk."""
    record = read(sector)
    assert record.end >= SECTOR
    assert all(p.kind and p.sectors for p in record.partitions)


def test_an_extended_partition_is_not_cut() -> None:
    """Its logical partitions hang together inside it."""
    extended = MbrPartition(2, active=False, kind=0x0F, first=8192, sectors=8192)
    before = build_mbr(1, [BOOT, extended], SIZE)
    with pytest.raises(MbrError, match="extended"):
        rewrite_mbr(before, [BOOT, replace(extended, sectors=4096)], SIZE)


def test_another_program_sees_the_same_partitions(tmp_path: Path) -> None:
    """sgdisk reads the record as one of a plain MBR disk."""
    file = tmp_path / "disk.img"
    file.write_bytes(build_mbr(0x11223344, [BOOT, replace(WINDOWS, sectors=4096)], SIZE))
    with file.open("r+b") as opened:
        opened.truncate(SIZE)
    said = run("sgdisk", "-p", file)
    assert "valid MBR" in said
    lines = [line.split()[:3] for line in said.splitlines() if line.strip()[:1].isdigit()]
    assert lines == [["1", "2048", "6143"], ["2", "8192", "12287"]]
