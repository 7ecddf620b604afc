"""Which picture of a run the reader gets: live on a terminal, lines in a log, objects with `--json`."""

from __future__ import annotations

import sys
from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol, Self

from vhdlift.cli import output
from vhdlift.cli.lines import Lines

if TYPE_CHECKING:
    from vhdlift.cli.board import Plan
    from vhdlift.model import Event, Run


class View(Protocol):
    """Shows events as they come; open while the run goes on."""

    def __enter__(self) -> Self:
        """Start to show."""

    def __exit__(self, *_: object) -> None:
        """Show the last picture."""

    def show(self, event: Event) -> None:
        """Take in one event."""


class Objects:
    """One JSON object a line."""

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        """Nothing is open."""

    def show(self, event: Event) -> None:
        """Write the event."""
        output.emit("event", event.to_json())


class News:
    """Another view, without what was told when the run was last shown."""

    def __init__(self, view: View, after: int) -> None:
        self._view = view
        self._after = after

    def __enter__(self) -> Self:
        self._view.__enter__()
        return self

    def __exit__(self, *_: object) -> None:
        """Close the other view."""
        self._view.__exit__()

    def show(self, event: Event) -> None:
        """Hand on the event if it is new."""
        if event.sequence > self._after:
            self._view.show(event)


@dataclass(frozen=True)
class Showing:
    """What is to be shown of a run, and to whom.

    Attributes:
        run: whose events are shown.
        plan: the run's own plan.
        as_json: whether `--json` was given.
        after: the number of the last event that is no news; a picture of the whole run needs all.
    """

    run: Run
    plan: Plan
    as_json: bool = False
    after: int = 0


def view_of(showing: Showing) -> View:
    """The view for where stdout leads."""
    if showing.as_json:
        return News(Objects(), showing.after)
    if not output.is_terminal(sys.stdout):
        return News(Lines(), showing.after)
    from vhdlift.cli.board import Board  # noqa: PLC0415  # rich is slow to import
    from vhdlift.cli.live import LiveView  # noqa: PLC0415

    spec = showing.run.spec
    return LiveView(f"{spec.vm_name} in {spec.resource_group}", Board.of(showing.plan))
