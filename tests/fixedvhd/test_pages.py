"""Page ranges, digests over holes, and sizes."""

from __future__ import annotations

import hashlib
import itertools
from contextlib import suppress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fixedvhd import (
    GB,
    GIB,
    MAX_VIRTUAL_SIZE,
    MIB,
    STICKS_GB,
    Extent,
    PageListError,
    SparseDigest,
    align_down,
    align_up,
    build_page_list,
    chunk_reader,
    clip,
    describe,
    holes,
    merge,
    parse_page_list,
    split,
    stick_for,
    stick_gib,
    stick_reserve,
    structure_ranges,
    to_pages,
)

SIZE = 4096
EXTENTS = st.lists(st.builds(Extent, st.integers(0, SIZE - 1), st.integers(1, 700)))


def covered(extents: list[Extent], size: int = SIZE) -> set[int]:
    return {n for e in extents for n in range(e.offset, min(e.end, size))}


@given(EXTENTS)
def test_merging_keeps_the_bytes_and_their_order(extents: list[Extent]) -> None:
    """Merged extents cover the same bytes, rise, and do not touch."""
    merged = merge(extents)
    assert covered(extents) == covered(merged)
    assert all(a.end < b.offset for a, b in itertools.pairwise(merged))


@given(EXTENTS)
def test_holes_are_all_the_rest(extents: list[Extent]) -> None:
    """Extents and holes together are the whole, without overlap."""
    gaps = holes(extents, SIZE)
    assert covered(extents) | covered(gaps) == set(range(SIZE))
    assert not covered(extents) & covered(gaps)


@given(EXTENTS, st.integers(1, 512))
def test_splitting_loses_nothing(extents: list[Extent], length: int) -> None:
    """Pieces are in order, small enough, and add up."""
    merged = merge(extents)
    pieces = list(split(merged, length))
    assert merge(pieces) == merged
    assert all(0 < p.length <= length for p in pieces)


@given(EXTENTS)
def test_a_page_list_comes_back_as_it_was_written(extents: list[Extent]) -> None:
    """The XML that one side writes is what the other reads, in the service's inclusive ends."""
    merged = merge(extents)
    assert parse_page_list(build_page_list(merged)).data == tuple(merged)


def test_the_services_own_example_is_read() -> None:
    """Cleared ranges and the marker of a longer list are told apart from data."""
    body = (
        b'<?xml version="1.0"?><PageList><PageRange><Start>0</Start><End>511</End></PageRange>'
        b"<ClearRange><Start>512</Start><End>1023</End></ClearRange><NextMarker>m</NextMarker></PageList>"
    )
    listed = parse_page_list(body)
    assert (listed.data, listed.cleared, listed.marker) == ((Extent(0, 512),), (Extent(512, 512),), "m")


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"<Error/>",
        b"<PageList><PageRange><Start>9</Start><End>1</End></PageRange></PageList>",
        b"<PageList><PageRange><Start>x</Start></PageRange></PageList>",
        b'<!DOCTYPE a [<!ENTITY b "c">]><PageList/>',
    ],
)
def test_other_answers_are_refused(body: bytes) -> None:
    """What is no page list is never taken for an empty one."""
    with pytest.raises(PageListError):
        parse_page_list(body)


@given(st.binary(max_size=80) | st.binary(max_size=60).map(lambda inner: b"<PageList>%b</PageList>" % inner))
def test_any_bytes_are_a_page_list_or_our_error(body: bytes) -> None:
    """Nothing that a server can send makes the reader crash."""
    with suppress(PageListError):
        assert all(extent.length > 0 for extent in parse_page_list(body).data)


def test_pages_are_whole() -> None:
    """An extent that begins or ends inside a page takes the page."""
    assert [Extent(0, 1024), Extent(2048, 512)] == to_pages([Extent(500, 20), Extent(2050, 1)])


def test_clipping_keeps_what_is_inside() -> None:
    """Only the common bytes stay."""
    assert [Extent(5, 5), Extent(20, 1)] == clip([Extent(0, 10), Extent(20, 9), Extent(40, 1)], Extent(5, 16))


@given(EXTENTS)
def test_a_digest_counts_holes_as_zeros(extents: list[Extent]) -> None:
    """Feeding the data alone gives the digest of the whole file."""
    whole = bytearray(2 * SIZE)
    digest = SparseDigest(len(whole))
    for extent in merge(extents):
        data = bytes([7]) * extent.length
        whole[extent.offset : extent.end] = data
        digest.feed(extent.offset, data)
    assert hashlib.sha256(whole).hexdigest() == digest.hexdigest()


def test_a_digest_refuses_what_comes_too_late() -> None:
    """Data out of order would give a wrong digest, so it is refused."""
    digest = SparseDigest(100)
    digest.feed(50, b"x")
    with pytest.raises(ValueError, match="out of order"):
        digest.feed(10, b"x")


def test_sizes_are_told_in_both_units() -> None:
    """GiB and GB differ by 7 %, so both are said."""
    assert describe(220 * GIB) == "220 GiB (236.2 GB)"
    assert describe(GIB + 512 * MIB) == "1.5 GiB (1.6 GB)"


@given(st.integers(1, 5000))
def test_a_vhd_for_a_stick_leaves_the_reserve_free(stick: int) -> None:
    """File and reserve fit into the decimal gigabytes, and one GiB more would not, nor be a VHD."""
    whole = stick * GB
    size = stick_gib(stick) * GIB
    assert size == 0 or size + 512 + stick_reserve(stick) <= whole
    assert size == MAX_VIRTUAL_SIZE or size + GIB + 512 + stick_reserve(stick) > whole


def test_a_stick_is_sold_in_decimal_gigabytes() -> None:
    """256 GB are 238 GiB, of which a twentieth stays free; that also fits a stick of only 250 GB."""
    assert (stick_gib(256), stick_gib(64), stick_gib(1)) == (226, 56, 0)
    assert 226 * GIB + 512 < 250 * GB


@given(st.integers(1, 3800 * GIB // MIB).map(lambda n: n * MIB))
def test_the_stick_that_is_named_takes_the_vhd(size: int) -> None:
    """It is the smallest of the usual ones that does."""
    named = stick_for(size)
    assert named is None or size + 512 + stick_reserve(named) <= named * GB
    smaller = [gb for gb in STICKS_GB if named is None or gb < named]
    assert all(size + 512 + stick_reserve(gb) > gb * GB for gb in smaller)


def test_sizes_are_aligned_to_whole_mib() -> None:
    """Up and down, and a multiple stays."""
    assert (align_up(MIB + 1), align_up(MIB), align_down(2 * MIB - 1)) == (2 * MIB, MIB, MIB)


def test_the_structure_of_a_blob_is_read_from_its_two_ends() -> None:
    """Bytes fetched before are served, and others are not invented."""
    ranges = structure_ranges(GIB + 512)
    assert ranges == [(0, MIB), (GIB - MIB, MIB + 512)]
    read_at = chunk_reader({offset: bytes(length) for offset, length in ranges})
    assert read_at(GIB, 512) == bytes(512)
    with pytest.raises(LookupError):
        read_at(MIB, 1)
