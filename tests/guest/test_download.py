"""The guest's download, its C# run by Mono against a real HTTP server."""

from __future__ import annotations

import random
from typing import TYPE_CHECKING

import pytest

from tests.guest.blob_server import Blob, serving

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from tests.guest.mono import Harness

MIB = 1 << 20
PIECE = 8 * MIB
LENGTH = 24 * MIB + 512
DATA = [(0, MIB - 1), (2 * MIB, 20 * MIB - 1), (21 * MIB, 21 * MIB + 511), (24 * MIB, LENGTH - 1)]
MARK = 12 * MIB
WINDOW = 16 << 30


@pytest.fixture
def blob() -> Iterator[Blob]:
    content = bytearray(LENGTH)
    for first, last in DATA:
        content[first : last + 1] = random.Random(first).randbytes(last - first + 1)
    with serving(Blob(bytes(content), pages=DATA)) as served:
        yield served


class Place:
    """The files of one download."""

    def __init__(self, folder: Path, guest: Harness, blob: Blob) -> None:
        self.part, self.mark, self.pages = folder / "d.part", folder / "d.mark", folder / "d.pages"
        self.guest, self.blob = guest, blob

    def list_pages(self, length: int = LENGTH) -> str:
        return self.guest.run("pages", self.blob.url, length, self.pages)

    def download(self) -> str:
        arguments = (self.blob.url, self.part, self.mark, self.pages, LENGTH, 4, 0.01)
        return self.guest.run("download", *arguments)


@pytest.fixture
def place(tmp_path: Path, guest: Harness, blob: Blob) -> Place:
    return Place(tmp_path, guest, blob)


def test_the_page_list_is_read_in_all_its_parts(place: Place) -> None:
    assert place.list_pages() == " ".join(f"{a}-{b}" for a, b in DATA)


def test_a_server_that_lists_no_pages_is_told_apart(place: Place) -> None:
    place.blob.page_status = 400
    assert place.list_pages() == "refused"


def test_a_large_disk_is_asked_for_in_windows(place: Place) -> None:
    """16 GiB each; a range over an edge, which both windows tell, comes out once."""
    place.blob.pages = [(0, 511), (WINDOW - MIB, WINDOW + MIB - 1), (2 * WINDOW, 2 * WINDOW + 511)]
    assert place.list_pages(2 * WINDOW + 512) == " ".join(f"{a}-{b}" for a, b in place.blob.pages)
    ends = [(0, WINDOW - 1), (WINDOW, 2 * WINDOW - 1), (2 * WINDOW, 2 * WINDOW + 511)]
    assert place.blob.windows == ends


@pytest.mark.parametrize("status", [500, 503, -1])
def test_a_window_that_fails_twice_is_asked_for_again(place: Place, status: int) -> None:
    place.blob.page_faults = {0: (status, 2)}
    assert place.list_pages() == " ".join(f"{a}-{b}" for a, b in DATA)


def test_a_window_that_is_never_listed_counts_as_written(place: Place) -> None:
    """From end to end, and joined with its neighbours; the reason is told."""
    place.blob.pages = [(0, 511), (WINDOW - 512, WINDOW - 1), (2 * WINDOW + MIB, 2 * WINDOW + MIB + 511)]
    place.blob.page_faults = {WINDOW: (500, 3)}
    spans = f"0-511 {WINDOW - 512}-{2 * WINDOW - 1} {2 * WINDOW + MIB}-{2 * WINDOW + MIB + 511}"
    told = "1 unlisted: the page ranges were not listed: 500"
    assert place.list_pages(3 * WINDOW) == f"{spans} {told}"


def test_a_server_that_fails_for_every_window_is_not_asked_three_times_for_each(place: Place) -> None:
    place.blob.page_status = 503
    assert place.list_pages(6 * WINDOW).startswith(f"0-{6 * WINDOW - 1} 6 unlisted")
    assert len(place.blob.windows) == 3 * 3 + 3


def test_a_page_list_that_is_not_found_is_an_error(place: Place) -> None:
    place.blob.page_status = 404
    assert "the page ranges were not listed: 404" in place.guest.run(
        "pages", place.blob.url, LENGTH, place.pages, ok=False
    )


def test_small_holes_are_read_along_and_large_ones_are_not(place: Place) -> None:
    place.blob.pages = [(0, 511), (1024, 2047), (2 * MIB, 3 * MIB - 1)]
    assert place.list_pages() == f"0-2047 {2 * MIB}-{3 * MIB - 1}"


def test_a_page_list_beyond_the_disk_is_an_error(place: Place) -> None:
    place.blob.pages = [(0, LENGTH)]
    assert "a page range ends at" in place.guest.run("pages", place.blob.url, LENGTH, place.pages, ok=False)


def test_only_what_is_allocated_is_asked_for_and_the_file_is_equal(place: Place) -> None:
    place.list_pages()
    total = sum(last - first + 1 for first, last in DATA)
    assert place.download() == f"{total}/{total} "
    assert place.part.read_bytes() == place.blob.content
    asked = sorted(place.blob.ranges)
    assert sum(last - first + 1 for first, last in asked) == total
    assert all(last - first + 1 <= PIECE for first, last in asked)
    assert place.mark.read_text() == f"{LENGTH} {LENGTH}"


def test_faults_that_pass_are_tried_again(place: Place) -> None:
    place.blob.faults = {0: 503, 1: 429, 3: -1, 4: 500}
    place.list_pages()
    assert place.download().endswith(" ")
    assert place.part.read_bytes() == place.blob.content


def test_a_refusal_ends_it_at_once_and_the_reason_has_no_signature(place: Place) -> None:
    place.blob.faults = dict.fromkeys(range(100), 403)
    place.list_pages()
    said = place.download()
    assert "the server answered 403" in said
    assert "s3cr3tW0rd" not in said
    assert len(place.blob.ranges) <= 4


def test_it_goes_on_at_its_mark(place: Place) -> None:
    place.list_pages()
    half = bytearray(LENGTH)
    half[:MARK] = place.blob.content[:MARK]
    place.part.write_bytes(half)
    place.mark.write_text(f"{MARK} {LENGTH}")
    place.download()
    assert place.part.read_bytes() == place.blob.content
    assert min(first for first, _ in place.blob.ranges) == MARK


@pytest.mark.parametrize("mark", ["", "x y", f"{MARK} 5", f"{2 * LENGTH} {LENGTH}", f"{MARK}", "-1 -1"])
def test_a_mark_that_makes_no_sense_is_none(place: Place, mark: str) -> None:
    place.part.write_bytes(b"\xff" * LENGTH)
    place.mark.write_text(mark)
    assert place.guest.run("mark", place.part, place.mark, LENGTH) == "0"


def test_a_file_of_another_length_starts_it_anew(place: Place) -> None:
    place.part.write_bytes(b"\xff" * 512)
    place.mark.write_text(f"512 {LENGTH}")
    place.list_pages()
    place.download()
    assert place.part.read_bytes() == place.blob.content


def test_an_answer_is_an_answer_whatever_its_status(place: Place) -> None:
    assert place.guest.run("send", "POST", place.blob.url, "{}") == "403 AuthenticationFailed False 2 no"


def test_a_head_tells_the_length(place: Place) -> None:
    assert place.guest.run("send", "HEAD", place.blob.url) == f"200 True {LENGTH} "


def test_a_block_blob_is_put_with_its_type(place: Place) -> None:
    place.guest.run("send", "PUT", place.blob.url, "{}")
    assert place.blob.bodies == [("BlockBlob", b"{}")]


def test_redirects_are_followed_for_tools_only(place: Place, tmp_path: Path) -> None:
    moved = place.blob.url.replace("/disk", "/moved")
    place.guest.run("save", moved, tmp_path / "tool")
    assert (tmp_path / "tool").read_bytes() == place.blob.content
    assert place.guest.run("send", "GET", moved).startswith("302 False")


def test_no_answer_is_an_error_without_the_address(guest: Harness) -> None:
    said = guest.run("send", "GET", "http://127.0.0.1:1/x?sig=s3cr3tW0rd", ok=False)
    assert "no answer from 127.0.0.1" in said
    assert "s3cr3tW0rd" not in said
