"""What cannot be written never ends a run."""

from __future__ import annotations

from contextlib import redirect_stdout
from pathlib import Path

import pytest

from vhdlift.cli import output
from vhdlift.cli.board import Board
from vhdlift.cli.live import LiveView

FULL = Path("/dev/full")


def test_a_full_disk_is_said_once_and_ends_nothing(capsys: pytest.CaptureFixture[str]) -> None:
    """Lines, objects and the picture that go to a disk without room are dropped; stderr says so."""
    with FULL.open("w") as full, redirect_stdout(full):
        output.write("one")
        output.emit("event", {"step": "first"})
    with FULL.open("w") as full, redirect_stdout(full), LiveView("lab1 in rg", Board.of({"first": ()})):
        pass
    reason = "Nothing more is written to stdout: No space left on device."
    assert [f"! {reason}"] * 2 == capsys.readouterr().err.splitlines()


@pytest.mark.parametrize("encoding", ["ascii", "latin-1"])
def test_what_an_encoding_lacks_is_written_as_an_escape(tmp_path: Path, encoding: str) -> None:
    """A console that knows few characters gets the rest as escapes."""
    said = tmp_path / "said"
    with said.open("w", encoding=encoding) as narrow, redirect_stdout(narrow):
        output.write("a long name…")
    assert said.read_text(encoding=encoding) == "a long name\\u2026\n"
