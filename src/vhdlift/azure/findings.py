"""One thing that speaks against a run."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Literal

Severity = Literal["error", "warning"]


@dataclass(frozen=True)
class Finding:
    """What was found before a run.

    Attributes:
        code: which check it comes from; never changes.
        severity: an `error` would make the run fail.
        message: one sentence.
        asked: what was asked of Azure.
        command: the `az` command, or the option, that mends it or shows more; may be empty.
    """

    code: str
    severity: Severity
    message: str
    asked: str
    command: str = ""

    def to_json(self) -> dict[str, str]:
        """Plain data."""
        return asdict(self)
