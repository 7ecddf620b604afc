"""One thing that speaks against a run."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Literal

Severity = Literal["error", "warning", "notice"]
ORDER: tuple[Severity, ...] = ("error", "warning", "notice")


@dataclass(frozen=True)
class Finding:
    """What was found before a run.

    Attributes:
        code: which look it comes from; never changes.
        severity: with an `error` the run would fail. A `warning` may make it fail, or touches what is not
            the run's, or could not be looked at: whoever starts it has to say so. A `notice` is told.
        message: what it means, in one sentence.
        asked: what was asked, and of whom where it was not Azure.
        command: the command, or the option, that mends it or shows more; may be empty.
    """

    code: str
    severity: Severity
    message: str
    asked: str
    command: str = ""

    def to_json(self) -> dict[str, str]:
        """Plain data."""
        return asdict(self)


def in_order(findings: list[Finding]) -> list[Finding]:
    """The gravest first; those of one severity as they were found."""
    return sorted(findings, key=lambda finding: ORDER.index(finding.severity))
