"""The double's disk work: a smaller disk on which nothing was lost, held to programs that others wrote."""

from __future__ import annotations

import asyncio
import hashlib
import json
import os
import subprocess
import time
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast
from uuid import UUID

import pytest

from armlocal.guest import phases, shrink
from armlocal.guest.errors import PhaseError
from armlocal.guest.shrink_layout import read_layout
from armlocal.guest.shrink_ntfs import Volume
from armlocal.guest.values import Values
from armlocal.guest.work import Work
from armlocal.sourcedisk import Scheme, template, write_source_disk
from armlocal.sparse import data_extents
from fixedvhd import FOOTER_SIZE, GIB, MIB, DiskError, Extent, clip
from tests.outside import run, tool

if TYPE_CHECKING:
    from armlocal.guest.wire import Wire

SIZE = 2 * GIB
TARGET = 640 * MIB
STEPS = (
    phases.verify_source,
    shrink.inspect,
    shrink.clean,
    shrink.shrink,
    shrink.finalize_vhd,
)


def work_on(folder: Path, target: int, scheme: Scheme = "gpt") -> Work:
    """A guest that has downloaded the source disk."""
    write_source_disk(folder / "disk.vhd", UUID(int=1), datetime(2026, 1, 2, tzinfo=UTC), scheme)
    values = Values({"TARGET_SIZE_BYTES": str(target), "TIME_SCALE": "0.001"})

    async def probe() -> None: ...

    nothing = cast("Wire", None)
    return Work(values, nothing, folder, {}, 0.0, lies=False, probe=probe, began=time.monotonic())


def do(work: Work) -> dict[str, Any]:
    """All phases that look at the disk or change it; their facts."""

    async def all_of_them() -> None:
        for step in STEPS:
            await step(work)

    asyncio.run(all_of_them())
    return work.facts


def volume_of(disk: Path, size: int) -> tuple[Volume, Path]:
    """The Windows partition, and a copy of its bytes alone."""
    descriptor = os.open(disk, os.O_RDWR)
    part = next(p for p in read_layout(descriptor, size).parts if p.kind == "data")
    copy = disk.with_name("windows.img")
    with copy.open("wb") as file:
        file.truncate(part.length)
        for extent in clip(data_extents(descriptor), Extent(part.offset, part.length)):
            data = os.pread(descriptor, extent.length, extent.offset)
            os.pwrite(file.fileno(), data, extent.offset - part.offset)
    return Volume(descriptor, part.offset, part.length), copy


@pytest.fixture(scope="module", params=["gpt", "mbr"])
def shrunk(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Work:
    work = work_on(tmp_path_factory.mktemp("guest"), TARGET, request.param)
    do(work)
    return work


def test_the_disk_has_the_size_that_was_asked_for(shrunk: Work) -> None:
    """To qemu it is a fixed VHD of that size, of either scheme."""
    told = json.loads(run("qemu-img", "info", "--output=json", "-f", "vpc", shrunk.vhd))
    assert told["virtual-size"] == TARGET
    assert shrunk.vhd.stat().st_size == TARGET + FOOTER_SIZE


def test_its_partition_table_is_sound(shrunk: Work, tmp_path: Path) -> None:
    """sgdisk finds nothing wrong with GPT, and sees the partitions of an MBR end with the disk."""
    raw = tmp_path / "raw.img"
    run("qemu-img", "convert", "-f", "vpc", "-O", "raw", shrunk.vhd, raw)
    if shrunk.facts["scheme"] == "gpt":
        assert "No problems found" in run("sgdisk", "-v", raw)
        return
    said = run("sgdisk", "-i", "2", raw)
    assert "valid MBR" in said
    # What sgdisk would need for a backup GPT, 33 sectors, is all taken: the partition ends with the disk.
    assert "overlaps the last partition by 33 blocks" in " ".join(said.split())


def test_its_ntfs_is_sound_and_fills_its_partition(shrunk: Work) -> None:
    """ntfsfix finds both boot sectors, ntfsresize counts every cluster once."""
    volume, copy = volume_of(shrunk.vhd, TARGET)
    fixed = run("ntfsfix", "-n", copy)
    assert "Checking the alternate boot sector... OK" in fixed
    assert "processed successfully" in fixed
    told = run("ntfsresize", "--info", "--force", "--no-progress-bar", copy)
    assert "Accounting clusters" in told
    assert f"Current volume size: {volume.clusters * 4096 + 512} bytes" in told


@pytest.mark.parametrize("path", [p for p in template().files if p.startswith("3/")])
def test_a_files_bytes_are_the_same(shrunk: Work, path: str) -> None:
    """Every file of the Windows partition reads as it did on the source disk."""
    _, copy = volume_of(shrunk.vhd, TARGET)
    command = [tool("ntfscat"), str(copy), path.removeprefix("3/")]
    data = subprocess.run(command, capture_output=True, check=True).stdout
    assert template().files[path] == hashlib.sha256(data).hexdigest()


def head(disk: Path) -> bytes:
    with disk.open("rb") as file:
        return file.read(MIB)


def test_a_disk_that_fits_is_left_as_it_is(tmp_path: Path) -> None:
    """No target, or a larger one: only the footer is new, and the recovery partition stays."""
    work = work_on(tmp_path, 4 * GIB)
    before = head(tmp_path / "disk.vhd")
    assert do(work)["virtual_size"] == SIZE
    assert work.facts["changes"] == ["the VHD footer was written anew"]
    assert head(tmp_path / "disk.vhd") == before


def test_the_least_size_can_be_asked_for_and_no_less(tmp_path: Path) -> None:
    """What the refusal names as the minimum is one: with it the work succeeds."""
    work = work_on(tmp_path, 100 * MIB)
    with pytest.raises(PhaseError, match="at least") as refused:
        do(work)
    assert refused.value.final
    least = int(str(refused.value).split("at least ")[1].split()[0])
    again = tmp_path / "again"
    again.mkdir()
    assert do(work_on(again, least))["virtual_size"] == least
    _, copy = volume_of(again / "disk.vhd", least)
    assert "processed successfully" in run("ntfsfix", "-n", copy)


def spoil(folder: Path, offset: int, data: bytes) -> None:
    with (folder / "disk.vhd").open("r+b") as file:
        file.seek(offset)
        file.write(data)


def test_an_encrypted_disk_is_refused(tmp_path: Path) -> None:
    """BitLocker's signature ends the work at once, and the sentence says what to do."""
    work = work_on(tmp_path, TARGET)
    spoil(tmp_path, 117 * MIB + 3, b"-FVE-FS-")
    with pytest.raises(PhaseError, match=r"BitLocker.*manage-bde -off C:") as refused:
        do(work)
    assert refused.value.final


def test_a_disk_without_windows_is_refused(tmp_path: Path) -> None:
    """Somebody exported a data disk."""
    work = work_on(tmp_path, TARGET)
    spoil(tmp_path, 117 * MIB + 3, b"EXFAT   ")
    with pytest.raises(PhaseError, match="no Windows volume among the 4 partitions"):
        do(work)


def test_a_volume_is_not_cut_into_its_data(tmp_path: Path) -> None:
    """The bitmap is asked, whoever asks for less."""
    work_on(tmp_path, TARGET)
    volume, _ = volume_of(tmp_path / "disk.vhd", SIZE)
    with pytest.raises(DiskError, match="needs 265289728 bytes"):
        volume.shrink(253 * MIB - MIB)


def test_an_outside_program_could_shrink_as_far(tmp_path: Path) -> None:
    """ntfsresize counts the same use, and could do with less: it moves files, which ours does not."""
    work_on(tmp_path, TARGET)
    volume, copy = volume_of(tmp_path / "disk.vhd", SIZE)
    told = run("ntfsresize", "--info", "--force", "--no-progress-bar", copy)
    possible = int(told.split("You might resize at ")[1].split()[0])
    used, least = volume.used()
    assert used <= possible <= least
