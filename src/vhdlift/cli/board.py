"""A run as a picture: events in, rows out; pure, so that every view shows the same.

A board is never changed: `board.after(event)` is the next one. A thread that draws may hold on to one.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from vhdlift.model import Event

Plan = Mapping[str, Sequence[str]]  # what each step needs, by its name, in the order of the plan
WAITING = "waiting"
RUNNING = "running"
ENDED_BADLY = ("failed", "cancelled")
OVER = ("done", "warning", "skipped")
SHORT, MINUTE = 10, 60
SHOWN_AS = {"started": RUNNING, "progress": RUNNING}


@dataclass(frozen=True)
class Row:
    """One step: `state` is an event's state, or `waiting`, or `running`."""

    step: str
    needs: tuple[str, ...] = ()
    state: str = WAITING
    since: datetime | None = None
    until: datetime | None = None
    message: str = ""
    details: Mapping[str, Any] = field(default_factory=dict)

    def after(self, event: Event) -> Row:
        """The row when `event` has happened; an undo keeps the times of the step's own work.

        A step that failed still shows as failed when it was undone: that is what the reader looks for.
        """
        at = moment(event.timestamp)
        state = RUNNING if event.details.get("under_way") else SHOWN_AS.get(event.state, event.state)
        since = at if event.state == "started" or self.since is None else self.since
        if self.state == "failed" and state == "undone":
            return self
        if state == RUNNING:
            return replace(
                self, state=state, since=since, until=None, message=event.message, details=event.details
            )
        return replace(self, state=state, since=since, until=self.until or at, message=event.message)

    def seconds(self, now: datetime) -> float | None:
        """How long the step took, or has taken up to `now`; None when it never started."""
        if self.since is None:
            return None
        return max(0.0, ((self.until or now) - self.since).total_seconds())


@dataclass(frozen=True)
class Board:
    """All steps of a run in the order of its plan, and where the run stands."""

    rows: Mapping[str, Row]
    status: str = "provisioning"
    since: datetime | None = None
    until: datetime | None = None

    @classmethod
    def of(cls, plan: Plan) -> Board:
        """A board on which nothing has happened."""
        return cls({name: Row(name, tuple(needs)) for name, needs in plan.items()})

    def after(self, event: Event) -> Board:
        """The board when `event` has happened; a step that the plan no longer has gets a row at the end."""
        at = moment(event.timestamp)
        if event.details.get("final"):  # about the run, told in the name of the step that failed
            return replace(self, status=event.status, until=at)
        rows = self.rows if event.status not in ENDED_BADLY else _broken_off(self.rows, at)
        row = rows.get(event.step, Row(event.step)).after(event)
        return replace(
            self,
            rows={**rows, event.step: row},
            status=event.status,
            since=self.since or at,
            until=at,
        )

    def waits_for(self, row: Row) -> tuple[str, ...]:
        """The steps that must be done before this one can start."""
        return tuple(name for name in row.needs if name in self.rows and self.rows[name].state not in OVER)

    def count(self, *states: str) -> int:
        """How many steps are in one of `states`."""
        return sum(row.state in states for row in self.rows.values())


def _broken_off(rows: Mapping[str, Row], at: datetime) -> dict[str, Row]:
    """The rows when the run goes no further: the clocks of the steps under way stop."""
    return {
        name: replace(row, until=row.until or at) if row.state == RUNNING else row
        for name, row in rows.items()
    }


def moment(timestamp: str) -> datetime:
    """An event's timestamp (ISO 8601, UTC) as a time."""
    return datetime.fromisoformat(timestamp).astimezone(UTC)


def duration(seconds: float | None) -> str:
    """A length of time as people read it: `0.4s`, `12s`, `12:34`, `1:02:03`; empty for None."""
    if seconds is None:
        return ""
    if seconds < MINUTE:
        return f"{seconds:.1f}s" if seconds < SHORT else f"{int(seconds)}s"
    minutes, rest = divmod(int(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02}:{rest:02}" if hours else f"{minutes}:{rest:02}"


def size(number: float) -> str:
    """A number of bytes for people: `1.2 GiB`."""
    for unit in ("B", "KiB", "MiB", "GiB"):
        if number < 1024:  # noqa: PLR2004  # the base of the units
            return f"{number:.0f} {unit}" if unit == "B" else f"{number:.1f} {unit}"
        number /= 1024
    return f"{number:.1f} TiB"
