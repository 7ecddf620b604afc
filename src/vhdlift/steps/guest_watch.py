"""What the program on the target VM said, passed on as it comes, and how long it has been silent.

Times are by our own clock: the VM's may be wrong.
"""

from __future__ import annotations

import time
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

from vhdlift.azure.patience import spoken
from vhdlift.errors import GuestFailed
from vhdlift.steps.guest_report import clean

if TYPE_CHECKING:
    from vhdlift.errors import AzureRefused
    from vhdlift.steps.base import Context
    from vhdlift.steps.guest_report import Progress

_SIGNATURE_WARNINGS = (timedelta(hours=1), timedelta(hours=4))
_WHAT_TO_DO = (
    "They cannot be made longer while it works. If it will not be done by then, `vhdlift cancel` this run "
    "and start another, with a larger --vm-size or a smaller --target-size-gib"
)


@dataclass
class Watch:
    """What the guest said last, and when.

    Attributes:
        began: when it was first looked at, in seconds of a clock that only grows.
        heard: when it last said something new.
        progress: what that was.
        told_phases: entries of its history that were passed on.
        warned_silent: this silence has been told.
        warned_left: the shortest remaining life of its signatures that has been told.
    """

    began: float = field(default_factory=time.monotonic)
    heard: float = field(default_factory=time.monotonic)
    progress: Progress | None = None
    told_phases: int = 0
    warned_silent: bool = False
    warned_left: timedelta = timedelta.max

    async def tell(self, c: Context, now: Progress) -> None:
        """Pass on what is new, phases that ended between two looks included.

        Raises:
            GuestFailed: it gave up; the sentence has its phase.
        """
        if now == self.progress:
            return
        self._hear()
        before, self.progress = self.progress, now
        for end in now.history[self.told_phases :]:
            if (end.phase, end.state) != (now.phase, now.state):
                details = {"phase": end.phase, "phase_state": end.state, "seconds": end.seconds}
                await c.progress(f"{end.phase}: {end.state}", details)
        self.told_phases = max(self.told_phases, len(now.history))
        if now.state == "failed":
            raise _gave_up(now)
        if before is None or before.details() != now.details() or before.message != now.message:
            said = clean(now.message, 500)
            await c.progress(f"{now.phase}: {said or now.state}", now.details())

    async def lose(self, c: Context, problem: AzureRefused) -> None:
        """We do not hear, which says nothing about the guest: it works on, whatever our network does."""
        self._hear()
        await c.progress(f"Its reports cannot be read for now: {problem.sentence}", {})

    async def warn_of_silence(self, c: Context, why: str, given_up_after: float) -> None:
        """Tell that the guest has been silent for a while, once for each silence, and what is known of it."""
        self.warned_silent = True
        silent = self.silent_for()
        sentence = f"The target VM has said nothing for {spoken(silent)}; {self.last()}. {why}"
        phase = self.progress.phase if self.progress else None
        details = {"silent_seconds": round(silent), "given_up_after_seconds": round(given_up_after)}
        await c.warn(sentence, {"phase": phase, **details})

    async def warn_of_expiry(self, c: Context) -> None:
        """Tell that the signatures the guest works with end soon: four hours before, and an hour before."""
        expires = signatures_end(c)
        left = expires - datetime.now(UTC) if expires else timedelta.max
        near = next((limit for limit in _SIGNATURE_WARNINGS if left <= limit), None)
        if expires is None or near is None or near >= self.warned_left:
            return
        self.warned_left = near
        seconds = left.total_seconds()
        when = f"end in {spoken(seconds)}" if seconds > 0 else "have ended"
        sentence = f"The signatures that the target VM works with {when} ({_clock(expires)}); {self.last()}"
        details = {"seconds_left": max(0, round(seconds)), "sas_expires": c.facts["sas_expires"]}
        await c.warn(f"{sentence}. {_WHAT_TO_DO}.", details)

    def _hear(self) -> None:
        self.heard = time.monotonic()
        self.warned_silent = False

    def silent_for(self) -> float:
        """Seconds since the last change."""
        return time.monotonic() - self.heard

    def followed_for(self) -> float:
        """Seconds since the first look."""
        return time.monotonic() - self.began

    def last(self) -> str:
        """Where the guest was, for a sentence."""
        now = self.progress
        if now is None:
            return "it never reported anything"
        far = "" if now.percent is None else f" ({now.percent:g} %)"
        return f"its last report was {now.phase}: {now.state}{far}"


def signatures_end(c: Context) -> datetime | None:
    """When the first of the guest's signatures ends; None when no fact says it."""
    told: Any = c.facts.get("sas_expires")
    return datetime.fromisoformat(told) if told else None


def ended_signatures(c: Context) -> str:
    """A sentence for a failure, if the guest's signatures are over; otherwise nothing."""
    expires = signatures_end(c)
    if expires is None or expires > datetime.now(UTC):
        return ""
    return f" The signatures that it works with ended at {_clock(expires)}: it cannot write any more."


def _gave_up(progress: Progress) -> GuestFailed:
    said = clean(progress.message, 500)
    sentence = f"The target VM gave up in the phase {progress.phase}"
    return GuestFailed(sentence + (f": {said}" if said else ""))


def _clock(moment: datetime) -> str:
    return moment.astimezone(UTC).strftime("%Y-%m-%d %H:%M UTC")
