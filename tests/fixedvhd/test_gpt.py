"""The GUID partition table."""

from __future__ import annotations

import io
import zlib
from contextlib import suppress
from typing import TYPE_CHECKING
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fixedvhd import (
    BASIC_DATA,
    EFI_SYSTEM,
    MIB,
    SECTOR,
    GptError,
    MbrError,
    Partition,
    Patch,
    build_gpt,
    file_reader,
    read_gpt,
    read_mbr,
    rewrite_gpt,
)
from tests.outside import run

if TYPE_CHECKING:
    from pathlib import Path

DISK = UUID("12345678-9abc-def0-1234-56789abcdef0")
SIZE = 32 * MIB
PARTITIONS = (
    Partition(1, EFI_SYSTEM, UUID(int=1), 2048, 8191, "EFI system partition"),
    Partition(2, BASIC_DATA, UUID(int=2), 8192, 40959, "Daten \N{GREEK SMALL LETTER OMEGA}", 1 << 60),
)


def disk(size: int = SIZE, patches: list[Patch] | None = None) -> io.BytesIO:
    file = io.BytesIO(bytes(size))
    for patch in patches or build_gpt(size, DISK, PARTITIONS):
        file.seek(patch.offset)
        file.write(patch.data)
    return file


def test_what_is_built_is_what_is_read() -> None:
    """Disk id, partitions, names and attributes come back."""
    table = read_gpt(file_reader(disk()), SIZE)
    assert (table.disk_id, table.partitions) == (DISK, PARTITIONS)
    assert (table.end, table.least_size) == (40960 * SECTOR, 21 * MIB)


def test_sgdisk_finds_nothing_wrong(tmp_path: Path) -> None:
    """The table is sound to an independent reader, which sees the same partitions."""
    file = tmp_path / "disk.img"
    file.write_bytes(disk().getvalue())
    assert "No problems found" in run("sgdisk", "-v", file)
    assert "EFI system partition" in run("sgdisk", "-i", "1", file)


def test_a_table_made_by_sgdisk_is_read(tmp_path: Path) -> None:
    """What another program writes is understood."""
    file = tmp_path / "disk.img"
    file.write_bytes(bytes(SIZE))
    run("sgdisk", "-n", "1:2048:8191", "-t", "1:ef00", "-c", "1:boot", "-n", "2:8192:0", file)
    with file.open("rb") as opened:
        table = read_gpt(file_reader(opened), SIZE)
    assert next((p.kind, p.name) for p in table.partitions) == (EFI_SYSTEM, "boot")
    assert table.partitions[1].last == table.last_usable


HEADERS = [*range(SECTOR, SECTOR + 92), *range(SIZE - SECTOR, SIZE - SECTOR + 92)]
ARRAYS = [*range(1024, 1024 + 16384), *range(SIZE - 33 * SECTOR, SIZE - SECTOR)]


@given(at=st.sampled_from(HEADERS) | st.sampled_from(ARRAYS), flip=st.integers(1, 255))
def test_any_changed_byte_is_noticed(at: int, flip: int) -> None:
    """No single byte of the two headers and the two arrays can change unseen."""
    file = disk()
    file.getbuffer()[at] ^= flip
    with pytest.raises(GptError):
        read_gpt(file_reader(file), SIZE)


def test_all_that_is_wrong_is_told_at_once() -> None:
    """A damaged boot record and a lost backup are both named."""
    file = disk()
    file.getbuffer()[510] = 0
    file.getbuffer()[SIZE - SECTOR : SIZE] = bytes(SECTOR)
    with pytest.raises(GptError) as caught:
        read_gpt(file_reader(file), SIZE)
    assert len(caught.value.problems) == 2


@pytest.mark.parametrize(
    ("other", "told"),
    [
        (build_gpt(SIZE, DISK, PARTITIONS[:1]), "arrays differ"),
        (build_gpt(SIZE, UUID(int=9), PARTITIONS), "does not belong"),
    ],
)
def test_a_backup_of_another_table_is_noticed(other: list[Patch], told: str) -> None:
    """Two tables, each sound in itself, have to be the same."""
    file = disk(patches=[*build_gpt(SIZE, DISK, PARTITIONS)[:3], *other[3:]])
    with pytest.raises(GptError, match=told):
        read_gpt(file_reader(file), SIZE)


def sealed(file: io.BytesIO, at: int, place: int, value: bytes) -> None:
    """Changes a header's field, and makes its checksum right again, as a liar would."""
    view = file.getbuffer()
    view[at + place : at + place + len(value)] = value
    view[at + 16 : at + 20] = bytes(4)
    view[at + 16 : at + 20] = zlib.crc32(view[at : at + 92]).to_bytes(4, "little")


def test_an_array_behind_the_end_of_the_disk_is_none() -> None:
    """A header that points where nothing is, with the checksum of nothing."""
    file = disk()
    sealed(file, SECTOR, 72, (1 << 50).to_bytes(8, "little"))
    sealed(file, SECTOR, 88, bytes(4))
    with pytest.raises(GptError, match="primary GPT entry array"):
        read_gpt(file_reader(file), SIZE)


@pytest.mark.parametrize(("place", "value"), [(40, 2), (48, SIZE // SECTOR - 1)])
def test_usable_sectors_inside_the_tables_are_noticed(place: int, value: int) -> None:
    """A partition could be laid over a table, although both headers agree and are sealed."""
    file = disk()
    for at in (SECTOR, SIZE - SECTOR):
        sealed(file, at, place, value.to_bytes(8, "little"))
    with pytest.raises(GptError, match="reach into its own tables"):
        read_gpt(file_reader(file), SIZE)


@given(
    fields=st.lists(st.tuples(st.integers(8, 88), st.binary(min_size=1, max_size=8)), min_size=1, max_size=4),
    both=st.booleans(),
)
def test_a_sealed_lie_is_told_or_harmless(fields: list[tuple[int, bytes]], both: bool) -> None:
    """Whatever a header says under a right checksum: our error, or partitions inside the disk."""
    file = disk()
    for place, value in fields:
        for at in (SECTOR, SIZE - SECTOR)[: 1 + both]:
            sealed(file, at, place, value[: 92 - place])
    with suppress(GptError):
        assert read_gpt(file_reader(file), SIZE).end <= SIZE - 33 * SECTOR


def test_a_table_full_of_lies_is_told_in_one_sentence() -> None:
    """Every problem is carried, a few are told, and how many more there are."""
    error = GptError([f"partition {n} overlaps" for n in range(5000)])
    assert len(error.problems) == 5000
    assert str(error).endswith("partition 7 overlaps; and 4992 more")


@pytest.mark.parametrize("size", [21 * MIB, 24 * MIB, 64 * MIB])
def test_the_table_moves_to_another_size(size: int, tmp_path: Path) -> None:
    """A cut or grown disk has the same partitions and a sound backup at its new end."""
    file = disk()
    table = read_gpt(file_reader(file), SIZE)
    file.truncate(min(size, SIZE))
    for patch in rewrite_gpt(table, size):
        file.seek(patch.offset)
        file.write(patch.data)
    moved = read_gpt(file_reader(file), size)
    assert (moved.partitions, moved.disk_id) == (table.partitions, table.disk_id)
    path = tmp_path / "moved.img"
    path.write_bytes(file.getvalue())
    assert "No problems found" in run("sgdisk", "-v", path)


def test_a_disk_cut_before_is_read_from_its_primary_alone() -> None:
    """The primary suffices when the backup was cut off, if that is asked for."""
    file = disk()
    file.truncate(24 * MIB)
    assert read_gpt(file_reader(file), 24 * MIB, backup=False).partitions == PARTITIONS
    with pytest.raises(GptError, match="backup"):
        read_gpt(file_reader(file), 24 * MIB)


def test_a_size_below_the_last_partition_is_refused() -> None:
    """Nothing is written when a partition would be cut; the sectors are named."""
    table = read_gpt(file_reader(disk()), SIZE)
    with pytest.raises(GptError, match=r"partition 2 has sectors 8192 to 40959"):
        rewrite_gpt(table, 20 * MIB)


def test_overlapping_partitions_are_refused() -> None:
    """Two partitions may not share a sector."""
    with pytest.raises(GptError, match="overlap"):
        build_gpt(SIZE, DISK, [PARTITIONS[0], Partition(2, BASIC_DATA, UUID(int=3), 8191, 9000)])


def test_the_partitions_of_an_mbr_disk_are_read(tmp_path: Path) -> None:
    """Disks of generation 1 have a plain boot record."""
    file = tmp_path / "disk.img"
    file.write_bytes(disk().getvalue())
    run("sgdisk", "-m", "1:2", file)
    with file.open("rb") as opened:
        record = read_mbr(file_reader(opened))
    assert not record.protective
    assert [(p.first, p.sectors) for p in record.partitions] == [(2048, 6144), (8192, 32768)]
    assert record.end == 40960 * SECTOR


def test_an_empty_disk_has_no_boot_record() -> None:
    """Zeros are no boot record."""
    with pytest.raises(MbrError, match="55 AA"):
        read_mbr(file_reader(io.BytesIO(bytes(MIB))))
