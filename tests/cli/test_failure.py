"""What is said when a command fails."""

from __future__ import annotations

import json
import stat
from pathlib import Path

import pytest

from vhdlift.cli.failure import tell, tell_unexpected
from vhdlift.errors import NotAllowed, PreflightFailed, SignInNeeded, UsageError, VhdliftError
from vhdlift.redaction import register

Said = pytest.CaptureFixture[str]
FINDINGS = [
    {
        "code": "size",
        "severity": "error",
        "message": "The size is not offered.",
        "command": "az vm list-skus",
    },
    {"code": "quota", "severity": "error", "message": "The quota is used up.", "command": ""},
    {"code": "dns", "severity": "warning", "message": "The zone is not delegated.", "command": ""},
]


@pytest.fixture(autouse=True)
def _logs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("VHDLIFT_STATE_DIR", str(tmp_path))


@pytest.mark.parametrize(
    ("error", "code"),
    [
        (VhdliftError("It failed."), 1),
        (UsageError(["One thing."]), 2),
        (SignInNeeded("No credential."), 4),
        (NotAllowed("Refused."), 4),
        (PreflightFailed(FINDINGS), 5),
    ],
)
def test_each_error_has_its_exit_code(error: VhdliftError, code: int, capsys: Said) -> None:
    """The exit code is the same with and without --json, and in the object."""
    assert tell(error) == code
    assert capsys.readouterr().out == ""
    assert tell(error, as_json=True) == code
    said = capsys.readouterr()
    assert (json.loads(said.out)["exit_code"], said.err) == (code, "")


def test_a_hint_stands_below_the_sentence(capsys: Said) -> None:
    """What to do follows what happened."""
    tell(VhdliftError("It failed.", "Try that."))
    assert capsys.readouterr().err == "error: It failed.\nTry that.\n"


def test_every_finding_is_told_with_its_command(capsys: Said) -> None:
    """Warnings are listed too, but only errors are counted."""
    tell(PreflightFailed(FINDINGS))
    said = capsys.readouterr().err
    assert said.startswith("error: 2 problems found before the start; nothing was touched.\n")
    for finding in FINDINGS:
        assert finding["message"] in said
    assert "az vm list-skus" in said


def test_an_unexpected_error_is_told_in_a_sentence_and_kept_in_the_log(tmp_path: Path, capsys: Said) -> None:
    """One sentence and where the log is; the traceback is in the log, which only its owner can read."""
    register("very-secret-value")
    assert tell_unexpected(_raised(RuntimeError("it broke on very-secret-value"))) == 1
    said, log = capsys.readouterr().err, tmp_path / "logs" / "vhdlift.log"
    assert "RuntimeError" in said
    assert str(log) in said
    assert "Traceback" not in said
    assert "Traceback" in log.read_text()
    assert stat.S_IMODE(log.stat().st_mode) == 0o600
    assert "very-secret-value" not in said + log.read_text()


def test_the_traceback_is_shown_on_request(capsys: Said, monkeypatch: pytest.MonkeyPatch) -> None:
    """VHDLIFT_DEBUG=1 is for whoever mends the program."""
    monkeypatch.setenv("VHDLIFT_DEBUG", "1")
    tell_unexpected(_raised(RuntimeError("it broke")))
    assert "Traceback" in capsys.readouterr().err


def test_a_log_that_cannot_be_written_is_said(
    tmp_path: Path, capsys: Said, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Even then there is a sentence and no traceback."""
    (tmp_path / "file").write_text("")
    monkeypatch.setenv("VHDLIFT_STATE_DIR", str(tmp_path / "file"))
    assert tell_unexpected(_raised(RuntimeError("it broke"))) == 1
    assert "cannot be written" in capsys.readouterr().err


def _raised(error: Exception) -> Exception:
    try:
        raise error
    except RuntimeError as caught:
        return caught
