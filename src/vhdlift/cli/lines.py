"""A run as plain lines, for logs and pipes: one as a step starts, one as it ends, a few on a long way."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Self

from vhdlift.cli import output
from vhdlift.cli.board import moment

if TYPE_CHECKING:
    from vhdlift.model import Event

PERCENT_BETWEEN_LINES = 10
INDENT = 22


class Lines:
    """Writes a line for each event that is worth one."""

    def __init__(self) -> None:
        self._told: dict[str, Event] = {}

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        """Nothing is open."""

    def show(self, event: Event) -> None:
        """Write the event's line, if it is worth one."""
        if event.state != "progress" or is_news(event, self._told.get(event.step)):
            self._told[event.step] = event
            output.write(line(event))


def line(event: Event) -> str:
    """`HH:MM:SS  state  step  message`, in local time."""
    clock = moment(event.timestamp).astimezone().strftime("%H:%M:%S")
    state = "..." if event.state == "progress" else event.state
    return f"{clock}  {state:<8}  {event.step:<25}  {told(event)}".rstrip()


def told(event: Event) -> str:
    """The message, and how far the work is where that is known; further lines are indented below it."""
    far = _percent(event.details) if event.state == "progress" else None
    message = event.message.replace("\n", "\n" + " " * INDENT)
    return message if far is None else f"{message} ({far:.0f}%)"


def is_news(event: Event, told_before: Event | None) -> bool:
    """Whether progress says more than the line before it: another phase or state, or ten percent more."""
    if told_before is None or told_before.state != "progress":
        return True
    old, new = told_before.details, event.details
    if any(old.get(key) != new.get(key) for key in ("phase", "phase_state", "attempt")):
        return True
    was, now = _percent(old), _percent(new)
    if was is None or now is None:
        return event.message != told_before.message
    return now - was >= PERCENT_BETWEEN_LINES or (now >= 100 > was)  # noqa: PLR2004  # of a hundred


def _percent(details: Any) -> float | None:
    percent = details.get("percent")
    return float(percent) if isinstance(percent, int | float) else None
