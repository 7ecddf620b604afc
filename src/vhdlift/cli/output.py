"""The only place that writes to the terminal: results to stdout, notices to stderr, all of it redacted.

A reader that goes away (`vhdlift watch RUN | head`), a disk that is full or a terminal that was closed is no
reason to end a run: from then on the stream goes nowhere. What its encoding lacks is written as an escape.
"""

from __future__ import annotations

import json
import os
import sys
import textwrap
from typing import IO, TYPE_CHECKING, Any, TextIO, cast

import typer

from vhdlift.redaction import redact, redact_json

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence


COLUMNS = 80
GAP = 2


def write(text: str = "") -> None:
    """A line of the result, on stdout."""
    _line(sys.stdout, redact(text))


def emit(kind: str, data: Mapping[str, Any]) -> None:
    """One JSON object on one line of stdout; `type` says what it is: event, result or error."""
    _line(sys.stdout, json.dumps({"type": kind, **redact_json(dict(data))}, default=str))


def print_info(text: str) -> None:
    """A notice on stderr."""
    _line(sys.stderr, redact(text))


def print_warn(text: str) -> None:
    """A notice that something is not as it should be, though the work goes on."""
    _line(sys.stderr, f"{_styled(sys.stderr, '!', 'yellow')} {redact(text)}")


def print_error(text: str) -> None:
    """A notice that something failed."""
    _line(sys.stderr, f"{_styled(sys.stderr, 'error:', 'red')} {redact(text)}")


def print_success(text: str) -> None:
    """A notice that something is done."""
    _line(sys.stderr, f"{_styled(sys.stderr, 'ok:', 'green')} {redact(text)}")


def print_once(label: str, secret: str) -> None:
    """The one thing that is shown unredacted: a secret made here that its owner needs, on stderr."""
    _line(sys.stderr, f"{label}: {secret}")


def is_terminal(stream: TextIO) -> bool:
    """Whether a person looks at the stream."""
    return stream.isatty() and os.environ.get("TERM") != "dumb"


def steady(stream: TextIO) -> IO[str]:
    """The stream for a library that writes by itself: as here, nothing that it writes can fail."""
    return cast("IO[str]", _Steady(stream))


def table(head: tuple[str, ...], rows: Sequence[tuple[str, ...]]) -> list[str]:
    """Rows as lines with aligned columns, two spaces apart; the last column is wrapped at 80."""
    widths = [max(len(row[i]) for row in [head, *rows]) for i in range(len(head) - 1)]
    left = sum(widths) + GAP * len(widths)
    lines: list[str] = []
    for row in [head, *rows]:
        before = "".join(cell.ljust(width + GAP) for cell, width in zip(row, widths, strict=False))
        first, *more = textwrap.wrap(row[-1], max(COLUMNS - left, 20), break_on_hyphens=False) or [""]
        lines += [(before + first).rstrip(), *(" " * left + part for part in more)]
    return lines


def _styled(stream: TextIO, text: str, colour: str) -> str:
    plain = not is_terminal(stream) or "NO_COLOR" in os.environ
    return text if plain else typer.style(text, fg=colour, bold=True)


def _line(stream: TextIO, text: str) -> None:
    _put(stream, f"{text}\n")


def _put(stream: TextIO, text: str) -> None:
    encoding = stream.encoding or "utf-8"
    try:
        stream.write(text.encode(encoding, "backslashreplace").decode(encoding))
        stream.flush()
    except OSError as problem:
        _go_nowhere(stream)
        if stream is not sys.stderr and not isinstance(problem, BrokenPipeError):
            print_warn(f"Nothing more is written to stdout: {problem.strerror}.")


def _go_nowhere(stream: TextIO) -> None:
    """Later writes, and the interpreter's own flush at its end, must not fail again."""
    nowhere = os.open(os.devnull, os.O_WRONLY)
    os.dup2(nowhere, stream.fileno())
    os.close(nowhere)


class _Steady:
    def __init__(self, stream: TextIO) -> None:
        self._stream = stream

    def write(self, text: str) -> int:
        _put(self._stream, text)
        return len(text)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._stream, name)
