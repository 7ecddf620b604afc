"""What the guest writes is a claim: checked, limited, cleaned, and never a crash."""

from __future__ import annotations

import json
from contextlib import suppress
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from vhdlift.errors import ArtefactWrong, GuestFailed
from vhdlift.steps.guest_report import LIMIT_BYTES, clean, read_manifest, read_progress

PROGRESS: dict[str, Any] = {
    "schema": 1,
    "run_id": "run1",
    "sequence": 3,
    "phase": "download",
    "state": "progress",
    "percent": 40.5,
    "bytes": 100,
    "total": 247,
    "message": "downloading",
    "attempt": 1,
    "updated_at": "2026-01-01T00:00:00Z",
    "history": [{"phase": "bootstrap", "state": "done", "seconds": 3.2}],
    "log_tail": "",
}
MANIFEST: dict[str, Any] = {
    "schema": 1,
    "run_id": "run1",
    "name": "old1.vhd",
    "size": 1074790912,
    "virtual_size": 1074790400,
    "sha256": "ab" * 32,
    "source": {"vm": "old1", "size": 1},
    "started_at": "2026-01-01T00:00:00Z",
    "finished_at": "2026-01-01T01:00:00Z",
    "timings": {"download": 12.5},
    "changes": ["anything", {"at": "all"}],
}


def raw(of: dict[str, Any], **more: Any) -> bytes:
    return json.dumps({**of, **more}).encode()


def test_good_progress_is_read() -> None:
    """All fields come through, and unknown ones do no harm."""
    progress = read_progress(raw(PROGRESS, newer="field"), "run1")
    assert progress.details()["percent"] == 40.5
    assert progress.history[0].seconds == 3.2


def test_good_manifest_is_read() -> None:
    """All fields come through."""
    manifest = read_manifest(raw(MANIFEST), "run1", "old1.vhd")
    assert manifest.size == 1074790912
    assert manifest.timings == {"download": 12.5}


@pytest.mark.parametrize(
    "lie",
    [
        {"run_id": "another"},
        {"schema": 2},
        {"sequence": -1},
        {"sequence": 10**30},
        {"bytes": -5},
        {"percent": 101},
        {"percent": "40"},
        {"phase": "../../etc"},
        {"phase": "a\n"},
        {"state": "won"},
        {"message": "x" * 10_000},
        {"history": [{"phase": "download", "state": "done", "seconds": -1}]},
        {"history": "none"},
    ],
)
def test_progress_that_lies_is_an_error(lie: dict[str, Any]) -> None:
    """A wrong run, an impossible number, a wrong type: an error, and what was claimed is not repeated."""
    with pytest.raises(GuestFailed, match="cannot be used"):
        read_progress(raw(PROGRESS, **lie), "run1")


@pytest.mark.parametrize(
    "lie",
    [
        {"run_id": "another"},
        {"name": "other.vhd"},
        {"size": -1},
        {"virtual_size": 2**60},
        {"virtual_size": MANIFEST["virtual_size"] - 2**20},
        {"size": 512, "virtual_size": 0},
        {"size": 1536, "virtual_size": 1024},
        {"sha256": "zz" * 32},
        {"sha256": "ab" * 32 + "\n"},
        {"timings": {"download": -1}},
        {"timings": {"../x": 1}},
        {"timings": None},
    ],
)
def test_manifest_that_lies_is_an_error(lie: dict[str, Any]) -> None:
    """The same for the manifest."""
    with pytest.raises(ArtefactWrong):
        read_manifest(raw(MANIFEST, **lie), "run1", "old1.vhd")


@pytest.mark.parametrize(
    "body",
    [b"", b"not json", b"[]", b"null", b"\xff\xfe", b"[" * 100_000, b'{"schema":1}', b"NaN", b'{"a":' * 5000],
)
def test_what_is_no_json_object_is_an_error(body: bytes) -> None:
    """Nothing that bytes can be makes the reader crash."""
    with pytest.raises(GuestFailed):
        read_progress(body, "run1")
    with pytest.raises(ArtefactWrong):
        read_manifest(body, "run1", "old1.vhd")


def test_enormous_report_is_refused() -> None:
    """One byte more than a MiB is too much."""
    body = raw(PROGRESS)
    with pytest.raises(GuestFailed, match="larger"):
        read_progress(body + b" " * (LIMIT_BYTES + 1 - len(body)), "run1")


def test_not_a_number_is_refused() -> None:
    """Infinity and NaN, which JSON does not have, do not get through."""
    for word in (b"Infinity", b"NaN", b"1e999"):
        with pytest.raises(GuestFailed):
            read_progress(raw(PROGRESS).replace(b"40.5", word), "run1")


@given(st.binary(max_size=200))
def test_any_bytes_end_in_our_error(body: bytes) -> None:
    """Whatever comes, it is an error of ours."""
    with pytest.raises(GuestFailed):
        read_progress(body, "run1")


@given(
    st.recursive(st.none() | st.booleans() | st.floats() | st.text(max_size=20), st.lists),
    st.sampled_from(list(PROGRESS)),
)
def test_any_value_in_any_field_is_read_or_refused(value: Any, name: str) -> None:
    """One field with any value: a progress of this run, or our error."""
    with suppress(GuestFailed):
        assert read_progress(raw(PROGRESS, **{name: value}), "run1").run_id == "run1"


@given(
    st.recursive(
        st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=20),
        lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=20), inner, max_size=4),
    ),
    st.sampled_from(list(MANIFEST)),
)
def test_any_value_in_any_field_of_a_manifest_is_read_or_refused(value: Any, name: str) -> None:
    """What gets through is of this run and this file, with a size that a VHD can have."""
    with suppress(ArtefactWrong):
        manifest = read_manifest(raw(MANIFEST, **{name: value}), "run1", "old1.vhd")
        assert (manifest.run_id, manifest.name) == ("run1", "old1.vhd")
        assert manifest.size == manifest.virtual_size + 512
        assert all(seconds >= 0 for seconds in manifest.timings.values())


@given(st.binary(max_size=200))
def test_any_bytes_as_a_manifest_end_in_our_error(body: bytes) -> None:
    """Whatever comes, it is an error of ours."""
    with pytest.raises(ArtefactWrong):
        read_manifest(body, "run1", "old1.vhd")


@given(st.text(max_size=50).map(lambda text: f"{text}\x1b[31m?sig=c2VjcmV0") | st.just("a" * 900_000))
def test_a_key_that_the_guest_chose_is_not_repeated(key: str) -> None:
    """The sentence stays short, and has neither terminal controls nor anything secret in it."""
    with pytest.raises(ArtefactWrong) as refused:
        read_manifest(raw(MANIFEST, timings={key: 1}), "run1", "old1.vhd")
    assert "timings" in refused.value.sentence
    assert len(refused.value.sentence) < 300
    assert "\x1b" not in refused.value.sentence
    assert "c2VjcmV0" not in refused.value.sentence


def test_text_is_cleaned_before_it_is_shown() -> None:
    """Terminal controls, direction marks and signatures are taken out; line ends stay."""
    shown = clean("a\x1b[31mred\x1b[0m \u202eevil\nhttps://x/y?sp=r&sig=c2VjcmV0 end\r\n")
    assert "\x1b" not in shown
    assert "\u202e" not in shown
    assert "c2VjcmV0" not in shown
    assert shown.startswith("a [31mred")
    assert shown.count("\n") == 1


def test_only_the_end_of_a_long_text_is_kept() -> None:
    """The end says why it stopped."""
    assert clean("x" * 5000 + "the end", 100).endswith("the end")
    assert len(clean("x" * 5000, 100)) == 100
