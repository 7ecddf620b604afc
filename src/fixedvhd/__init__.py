"""Fixed-size VHDs as bytes: footer, geometry, GPT, page ranges; no network, no knowledge of Azure.

A VHD file that can be read anywhere, local or remote, is a `read_at(offset, length)`::

    footer = read_footer(read_at, file_size)      # FooterError names all that is wrong
    table = read_gpt(read_at, footer.size)        # GptError, likewise
    table.partitions, table.end, table.least_size

For a blob, fetch `structure_ranges(file_size)` and hand the bytes to `chunk_reader({offset: bytes})`.
"""

from fixedvhd.digest import SparseDigest
from fixedvhd.errors import DiskError, FooterError, GptError, MbrError, PageListError
from fixedvhd.footer import FOOTER_SIZE, Footer, build_footer, geometry, parse_footer, read_footer
from fixedvhd.gpt import (
    BASIC_DATA,
    EFI_SYSTEM,
    MICROSOFT_RESERVED,
    RECOVERY,
    Gpt,
    Partition,
    Patch,
    build_gpt,
    change_partitions,
    read_gpt,
    rewrite_gpt,
)
from fixedvhd.mbr import Mbr, MbrPartition, build_mbr, protective_mbr, read_mbr, rewrite_mbr
from fixedvhd.pages import (
    Extent,
    PageList,
    build_page_list,
    clip,
    holes,
    merge,
    parse_page_list,
    split,
    to_pages,
)
from fixedvhd.reading import ReadAt, chunk_reader, file_reader, structure_ranges
from fixedvhd.sizes import (
    GB,
    GIB,
    MAX_VIRTUAL_SIZE,
    MIB,
    SECTOR,
    STICKS_GB,
    align_down,
    align_up,
    describe,
    size_problems,
    stick_for,
    stick_gib,
    stick_reserve,
)

__all__ = [
    "BASIC_DATA",
    "EFI_SYSTEM",
    "FOOTER_SIZE",
    "GB",
    "GIB",
    "MAX_VIRTUAL_SIZE",
    "MIB",
    "MICROSOFT_RESERVED",
    "RECOVERY",
    "SECTOR",
    "STICKS_GB",
    "DiskError",
    "Extent",
    "Footer",
    "FooterError",
    "Gpt",
    "GptError",
    "Mbr",
    "MbrError",
    "MbrPartition",
    "PageList",
    "PageListError",
    "Partition",
    "Patch",
    "ReadAt",
    "SparseDigest",
    "align_down",
    "align_up",
    "build_footer",
    "build_gpt",
    "build_mbr",
    "build_page_list",
    "change_partitions",
    "chunk_reader",
    "clip",
    "describe",
    "file_reader",
    "geometry",
    "holes",
    "merge",
    "parse_footer",
    "parse_page_list",
    "protective_mbr",
    "read_footer",
    "read_gpt",
    "read_mbr",
    "rewrite_gpt",
    "rewrite_mbr",
    "size_problems",
    "split",
    "stick_for",
    "stick_gib",
    "stick_reserve",
    "structure_ranges",
    "to_pages",
]
