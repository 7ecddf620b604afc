"""The source VM's disk, held to programs that others wrote."""

from __future__ import annotations

import hashlib
import os
import subprocess
import time
from datetime import UTC, datetime
from typing import TYPE_CHECKING
from uuid import UUID

import pytest

from armlocal.sourcedisk import template, write_source_disk
from fixedvhd import FOOTER_SIZE, GIB, SECTOR, Partition, file_reader, read_footer, read_gpt, read_mbr
from tests.outside import run, tool

if TYPE_CHECKING:
    from pathlib import Path

ID = UUID("00112233-4455-6677-8899-aabbccddeeff")
SIZE = 2 * GIB
CREATED = datetime(2026, 1, 2, tzinfo=UTC)


@pytest.fixture(scope="module")
def disk(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("disk") / "source.vhd"
    write_source_disk(path, ID, CREATED)
    return path


def partition(disk: Path, number: int) -> Partition:
    with disk.open("rb") as file:
        return read_gpt(file_reader(file), SIZE).partitions[number - 1]


@pytest.fixture(scope="module")
def raw(disk: Path) -> Path:
    """The disk without its footer."""
    path = disk.with_name("source.img")
    run("qemu-img", "convert", "-f", "vpc", "-O", "raw", disk, path)
    return path


@pytest.fixture(scope="module")
def windows(disk: Path) -> Path:
    """The Windows partition alone."""
    part = partition(disk, 3)
    path = disk.with_name("windows.img")
    count = str(part.last - part.first + 1)
    run(
        "dd",
        f"if={disk}",
        f"of={path}",
        f"bs={SECTOR}",
        f"skip={part.first}",
        f"count={count}",
        "conv=sparse",
    )
    return path


def test_it_is_a_fixed_vhd_with_four_partitions(disk: Path) -> None:
    """EFI system, Microsoft reserved, Windows and recovery, as on an Azure disk of generation 2."""
    with disk.open("rb") as file:
        footer = read_footer(file_reader(file), disk.stat().st_size)
        table = read_gpt(file_reader(file), footer.size)
    assert (footer.size, footer.unique_id, footer.created) == (SIZE, ID, CREATED)
    assert [p.name.split()[0] for p in table.partitions] == ["EFI", "Microsoft", "Basic", "Recovery"]


def test_it_is_mostly_holes_and_soon_made(tmp_path: Path) -> None:
    """Two GiB that take less than 20 MiB of disk, made in less than 0.3 s of work."""
    began = time.process_time()
    write_source_disk(tmp_path / "again.vhd", ID, CREATED)
    assert time.process_time() - began < 0.3
    assert (tmp_path / "again.vhd").stat().st_blocks * SECTOR < 20 * 1024 * 1024


def test_it_is_sound_to_sgdisk_and_qemu(disk: Path, raw: Path) -> None:
    """Both partition tables are right, and the VHD and its raw copy are the same disk."""
    assert "No problems found" in run("sgdisk", "-v", raw)
    assert "identical" in run("qemu-img", "compare", "-f", "vpc", "-F", "raw", disk, raw)


def test_its_windows_partition_is_a_sound_ntfs(windows: Path) -> None:
    """NTFS is consistent, and its backup boot sector is the partition's last sector."""
    assert "processed successfully" in run("ntfsfix", "-n", windows)
    assert "Windows" in run("ntfsls", windows)
    assert read_end(windows)[3:7] == b"NTFS"


def read_end(path: Path) -> bytes:
    with path.open("rb") as file:
        file.seek(-SECTOR, os.SEEK_END)
        return file.read()


@pytest.mark.parametrize("path", [p for p in template().files if p.startswith("3/")])
def test_a_windows_file_has_its_bytes(windows: Path, path: str) -> None:
    """Every file reads back as it was put in, the one that does not compress too."""
    command = [tool("ntfscat"), str(windows), path.removeprefix("3/")]
    data = subprocess.run(command, capture_output=True, check=True).stdout
    assert template().files[path] == hashlib.sha256(data).hexdigest()


@pytest.mark.parametrize("path", [p for p in template().files if p.startswith("1/")])
def test_a_boot_file_has_its_bytes(disk: Path, path: str, tmp_path: Path) -> None:
    """The EFI system partition is FAT, with the boot manager in its place."""
    image = f"{disk}@@{partition(disk, 1).offset}"
    assert "EFI" in run("mdir", "-i", image, "::/")
    run("mcopy", "-n", "-i", image, "::/" + path.removeprefix("1/"), tmp_path / "file")
    assert template().files[path] == hashlib.sha256((tmp_path / "file").read_bytes()).hexdigest()


def test_it_can_have_the_boot_record_of_generation_1(tmp_path: Path) -> None:
    """The same partitions at the same places, in an MBR that names the first one active."""
    path = tmp_path / "mbr.vhd"
    write_source_disk(path, ID, CREATED, "mbr")
    with path.open("rb") as file:
        record = read_mbr(file_reader(file))
    parts = [(p.active, p.kind, p.first) for p in record.partitions]
    assert parts == [(True, 0x0C, 2048), (False, 0x07, 239616), (False, 0x27, 4126720)]
    assert not record.protective


def test_the_file_ends_with_its_footer(disk: Path) -> None:
    """Virtual size and 512 bytes, as Azure exports it."""
    assert disk.stat().st_size == SIZE + FOOTER_SIZE
