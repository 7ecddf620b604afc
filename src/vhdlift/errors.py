"""Every error that vhdlift raises on purpose, and what the user can do about each.

::

    VhdliftError(sentence, hint)
      UsageError(problems)         exit 2: settings or usage; carries every problem found
      SignInNeeded                 exit 4: no credential, or a wrong one
      NotAllowed                   exit 4: signed in, but Azure refuses the action
      PreflightFailed(findings)    exit 5: something in Azure would make the run fail
      StepFailed(step, reason)     exit 1, or 3 when the undo left something behind
      AzureRefused                 Azure said no; carries its code
      TookTooLong                  a wait passed its deadline; says what was awaited
      GuestFailed                  the program on the target VM gave up; names its phase
      ArtefactWrong                the VHD read back is not the one that was promised
      StepWarning                  a step that may fail did; the run goes on

Arguments are positional and plain data, so that an error survives being stored and read back.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass
from enum import IntEnum
from typing import Any


class ExitCode(IntEnum):
    """What the process tells the pipeline."""

    COMPLETED = 0
    FAILED = 1
    USAGE = 2
    LEFTOVERS = 3
    NOT_ALLOWED = 4
    PREFLIGHT = 5
    INTERRUPTED = 130


EXIT_MEANINGS = {
    ExitCode.COMPLETED: "completed (or, with `--no-wait`, started)",
    ExitCode.FAILED: "failed, and everything the run made is gone (or kept, with `--on-failure keep`)",
    ExitCode.USAGE: "usage or settings wrong: every problem listed, nothing touched",
    ExitCode.LEFTOVERS: "failed, and there are leftovers: each with its id, the reason and the `az` command "
    "that removes it",
    ExitCode.NOT_ALLOWED: "not signed in, or not allowed",
    ExitCode.PREFLIGHT: "preflight found problems: every problem listed, nothing touched",
    ExitCode.INTERRUPTED: "interrupted: the run goes on with `vhdlift resume RUN`, or ends with "
    "`vhdlift cancel RUN`; the message says so",
}


@dataclass(frozen=True)
class Leftover:
    """Something the run made in Azure and could not remove.

    Attributes:
        resource_id: the ARM id, or a blob's URL without its signature.
        reason: one sentence, with Azure's error code where there is one.
        command: the `az` command that removes it.
    """

    resource_id: str
    reason: str
    command: str

    def to_json(self) -> dict[str, str]:
        """Plain data, for events and the database."""
        return asdict(self)


class VhdliftError(Exception):
    """A sentence a user understands, and a hint what to do; the root of the tree."""

    exit_code = ExitCode.FAILED

    def __init__(self, sentence: str, hint: str = "") -> None:
        super().__init__(sentence, hint)
        self.sentence = sentence
        self.hint = hint

    def __str__(self) -> str:
        return self.sentence


class UsageError(VhdliftError):
    """Settings or usage are wrong: every problem at once, nothing touched."""

    exit_code = ExitCode.USAGE

    def __init__(self, problems: list[str], hint: str = "") -> None:
        super().__init__("; ".join(problems), hint)
        self.args = (problems, hint)
        self.problems = problems


class EngineStopped(VhdliftError):
    """A fault of ours has ended a run, and what it made is there."""

    exit_code = ExitCode.LEFTOVERS


class SignInNeeded(VhdliftError):
    """No credential works."""

    exit_code = ExitCode.NOT_ALLOWED


class NotAllowed(VhdliftError):
    """Signed in, but Azure refuses the action (403)."""

    exit_code = ExitCode.NOT_ALLOWED


class PreflightFailed(VhdliftError):
    """Azure is in a state in which the run would fail; carries the findings as plain data."""

    exit_code = ExitCode.PREFLIGHT

    def __init__(self, findings: list[dict[str, Any]], hint: str = "") -> None:
        super().__init__("; ".join(str(f["message"]) for f in findings), hint)
        self.args = (findings, hint)
        self.findings = findings


class StepFailed(VhdliftError):
    """A step of the plan failed; the only error that starts an undo."""

    def __init__(self, step: str, reason: str, hint: str = "") -> None:
        super().__init__(f"{step}: {reason}", hint)
        self.args = (step, reason, hint)
        self.step = step
        self.reason = reason


class AzureRefused(VhdliftError):
    """Azure answered with an error; nested details are in the sentence, the innermost code in `code`."""

    def __init__(self, sentence: str, code: str = "", status: int = 0, hint: str = "") -> None:
        super().__init__(sentence, hint)
        self.args = (sentence, code, status, hint)
        self.code = code
        self.status = status


class TookTooLong(VhdliftError):
    """A wait passed its deadline."""


class GuestFailed(VhdliftError):
    """The program on the target VM gave up; the sentence names the phase."""


class ArtefactWrong(VhdliftError):
    """The VHD read back is not the one that was promised."""


class StepWarning(VhdliftError):
    """A step whose failure does not fail the run failed; may name leftovers."""

    def __init__(self, sentence: str, hint: str = "", leftovers: list[Leftover] | None = None) -> None:
        super().__init__(sentence, hint)
        self.args = (sentence, hint, leftovers)
        self.leftovers = leftovers or []
