"""What is said when a command fails: a sentence, what to do about it, and the exit code."""

from __future__ import annotations

import os
import traceback
from pathlib import Path
from typing import Any

from vhdlift.cli import findings, output
from vhdlift.errors import PreflightFailed, UsageError, VhdliftError
from vhdlift.redaction import redact


def tell(error: VhdliftError, as_json: bool = False) -> int:
    """Say what failed, on stderr or as an error object on stdout; the exit code."""
    if as_json:
        output.emit("error", as_data(error))
        return int(error.exit_code)
    if isinstance(error, UsageError) and len(error.problems) > 1:
        output.print_error(f"{len(error.problems)} problems; nothing was touched.")
        for problem in error.problems:
            output.print_info(f"  - {problem}")
    elif isinstance(error, PreflightFailed):
        _tell_findings(error)
    else:
        output.print_error(error.sentence)
    if error.hint:
        output.print_info(error.hint)
    return int(error.exit_code)


def as_data(error: VhdliftError) -> dict[str, Any]:
    """The error as plain data, for `--json`."""
    data: dict[str, Any] = {
        "error": type(error).__name__,
        "message": error.sentence,
        "hint": error.hint,
        "exit_code": int(error.exit_code),
    }
    if isinstance(error, UsageError):
        data["problems"] = error.problems
    if isinstance(error, PreflightFailed):
        data["findings"] = error.findings
    return data


def tell_unexpected(error: Exception, as_json: bool = False) -> int:
    """One sentence and where the whole story is; the story itself only with VHDLIFT_DEBUG=1."""
    story = redact("".join(traceback.format_exception(error)))
    if os.environ.get("VHDLIFT_DEBUG") == "1":
        output.print_info(story)
    sentence = f"Something unexpected happened ({type(error).__name__}): {redact(str(error)) or 'no message'}"
    return tell(VhdliftError(sentence, f"{_write_down(story)} VHDLIFT_DEBUG=1 shows them here."), as_json)


def _tell_findings(error: PreflightFailed) -> None:
    refused = len(findings.of(error.findings, "error"))
    what = _count(refused, "problem") if refused else _count(len(error.findings), "warning")
    output.print_error(f"{what} found before the start; nothing was touched.")
    for line in findings.table(error.findings):
        output.print_info(line)


def _count(number: int, noun: str) -> str:
    return f"{number} {noun}" if number == 1 else f"{number} {noun}s"


def _write_down(story: str) -> str:
    """Keep it in the program's own log; where the details are, as a sentence."""
    import structlog  # noqa: PLC0415  # only a crash pays for it

    from vhdlift.logs import logging_to  # noqa: PLC0415

    folder = _state_dir() / "logs"
    try:
        with logging_to(folder) as log:
            structlog.get_logger().error("crashed", story=story)
    except VhdliftError as problem:
        return f"The details could not be kept. {problem.sentence}"
    return f"The details are in {log}."


def _state_dir() -> Path:
    if chosen := os.environ.get("VHDLIFT_STATE_DIR"):
        return Path(chosen)
    import platformdirs  # noqa: PLC0415  # only a crash without a setting needs it

    return Path(platformdirs.user_state_dir("vhdlift"))
