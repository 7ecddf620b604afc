"""No answer to the question before a removal."""

from __future__ import annotations

import io
import sys
from pathlib import Path

import pytest

from vhdlift.cli.main import run as do
from vhdlift.model import Run


class Hand(io.StringIO):
    """A terminal at which somebody presses a key that ends the question."""

    def __init__(self, pressed: type[BaseException]) -> None:
        super().__init__()
        self._pressed = pressed

    def isatty(self) -> bool:
        return True

    def readline(self, _size: int | None = -1, /) -> str:  # type: ignore[override]  # of bytes, say the stubs
        raise self._pressed


@pytest.mark.parametrize("pressed", [KeyboardInterrupt, EOFError], ids=["Ctrl-C", "Ctrl-D"])
def test_who_gives_no_answer_is_told_that_nothing_was_touched(
    pressed: type[BaseException],
    stored: Run,
    environment: dict[str, str],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    """Ctrl-C and Ctrl-D at the question of `cleanup` interrupt it; that is not called unexpected."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("VHDLIFT_STATE_DIR", environment["VHDLIFT_STATE_DIR"])
    monkeypatch.setattr(sys, "stdin", Hand(pressed))
    assert do(["cleanup", stored.id]) == 130
    assert capsys.readouterr().err.endswith("\nerror: Nothing was touched.\n")
