"""What Windows does to a partition table: `python -m tests.guest.pwsh.table FILE WORD NUMBER [SIZE]`."""

from __future__ import annotations

import sys
from dataclasses import replace
from pathlib import Path

from fixedvhd import FOOTER_SIZE, SECTOR, change_partitions, file_reader, read_gpt, rewrite_gpt


def change(path: Path, word: str, number: int, size: int = 0) -> None:
    """`resize` a partition to `size` bytes, or `remove` it; its contents are left as they are."""
    disk = path.stat().st_size - FOOTER_SIZE
    with path.open("r+b") as file:
        table = read_gpt(file_reader(file), disk)
        kept = [p for p in table.partitions if p.number != number]
        if word == "resize":
            (one,) = (p for p in table.partitions if p.number == number)
            kept.append(replace(one, last=one.first + size // SECTOR - 1))
        for patch in rewrite_gpt(change_partitions(table, kept), disk):
            file.seek(patch.offset)
            file.write(patch.data)


if __name__ == "__main__":
    change(Path(sys.argv[1]), sys.argv[2], *map(int, sys.argv[3:]))
