"""Show a run while something works on it, then say how it ended."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from vhdlift.cli.ending import tell_end
from vhdlift.cli.interrupt import run_unless_interrupted
from vhdlift.cli.view import view_of

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine

    from vhdlift.cli.view import Showing
    from vhdlift.engine.store import Outcome
    from vhdlift.model import Event, Run

    Tell = Callable[[Run, Outcome, bool], int]
    Work = Callable[[Callable[[Event], None]], Coroutine[Any, Any, Outcome]]


def follow(showing: Showing, work: Work, tell: Tell = tell_end) -> int:
    """Show the events of `work` as they come, and its outcome at the end; the exit code.

    Args:
        showing: what is worked on, and how it is shown.
        work: takes where to hand events to, and returns how the run ended.
        tell: says how it ended; returns the exit code.

    Raises:
        Interrupted: Ctrl-C; the picture stays as it was.
    """
    with view_of(showing) as view:
        outcome = run_unless_interrupted(work(view.show), showing.run.id)
    return tell(showing.run, outcome, showing.as_json)
