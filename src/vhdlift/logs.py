"""Where the program's own log goes: a file in the state directory, one JSON object a line, nothing secret.

For the engineer who looks for a fault. What users should know are events, not log lines. The warnings of
libraries go there too: on the terminal, where Python would put them, nobody takes secrets out of them.
"""

from __future__ import annotations

import logging
from contextlib import contextmanager
from typing import TYPE_CHECKING

import structlog

from vhdlift.errors import VhdliftError
from vhdlift.redaction import redact_json

if TYPE_CHECKING:
    from collections.abc import Iterator, MutableMapping
    from pathlib import Path
    from typing import Any, TextIO


@contextmanager
def logging_to(folder: Path) -> Iterator[Path]:
    """Send all log lines to `vhdlift.log` in this folder, for the user's eyes only; gives the file.

    Raises:
        VhdliftError: it cannot be written.
    """
    path = folder / "vhdlift.log"
    with _opened(path) as file:
        structlog.configure(
            processors=[
                structlog.processors.add_log_level,
                structlog.processors.TimeStamper(fmt="iso", utc=True),
                # Plain tracebacks: richer ones show local variables, and secrets are among them.
                structlog.processors.format_exc_info,
                _redacted,
                structlog.processors.JSONRenderer(),
            ],
            wrapper_class=structlog.make_filtering_bound_logger(logging.INFO),
            logger_factory=structlog.WriteLoggerFactory(file=file),
        )
        libraries = _Libraries(logging.WARNING)
        logging.getLogger().addHandler(libraries)
        try:
            yield path
        finally:
            logging.getLogger().removeHandler(libraries)
            structlog.reset_defaults()


def _opened(path: Path) -> TextIO:
    try:
        path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        path.touch(mode=0o600)
        return path.open("a", encoding="utf-8", buffering=1)
    except OSError as problem:
        sentence = f"The log {path} cannot be written: {problem.strerror}."
        raise VhdliftError(sentence, "VHDLIFT_STATE_DIR names another directory for it.") from None


class _Libraries(logging.Handler):
    """Hands on what comes by the standard library's logging."""

    def emit(self, record: logging.LogRecord) -> None:
        """One line of theirs as one of ours."""
        ours = structlog.get_logger()
        ours.log(record.levelno, record.getMessage(), logger=record.name, exc_info=record.exc_info)


def _redacted(_logger: Any, _method: str, event: MutableMapping[str, Any]) -> MutableMapping[str, Any]:
    clean: MutableMapping[str, Any] = redact_json(dict(event))
    return clean
