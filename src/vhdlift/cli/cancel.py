"""`vhdlift cancel`: end a run that is under way, or that was interrupted, and undo it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from vhdlift.cli.cleanup import undo
from vhdlift.cli.ending import tell_undone
from vhdlift.cli.stored import opened, showing, warn_of_posts
from vhdlift.cli.taking import NOT_KEPT, AsJson, RunId, takes_settings
from vhdlift.cli.watch import follow_stored
from vhdlift.errors import UsageError
from vhdlift.settings import load_settings

if TYPE_CHECKING:
    from vhdlift.engine.store import RunRow, Store

GOES_ON = "The run is being undone. `vhdlift watch {run}` follows it."


@takes_settings(*NOT_KEPT)
def cancel(given: dict[str, Any], run: RunId, as_json: AsJson = False) -> int:
    """End a run and undo what it did: the source VM gets its power state back, all else is removed.

    The process that works on the run does it, wherever it runs; if there is none, this one does. Exit
    code 0 when nothing is left, 3 when something could not be removed.
    """
    from vhdlift.engine import api  # noqa: PLC0415  # slow to import

    settings = load_settings(given)
    with opened(settings) as store:
        row = _going(store, run)
        shown = showing(store, row, as_json, news_only=True)
        if not api.is_worked_on(settings, row):
            # Nobody has it any more, perhaps because it has completed since we looked.
            _going(store, run)
            warn_of_posts(settings, store, row)
            return undo(settings, shown)
        api.request_cancel(settings, row.id)
        return follow_stored(settings, store, shown, tell_undone, goes_on=GOES_ON)


def _going(store: Store, run: str) -> RunRow:
    """The run.

    Raises:
        UsageError: it has ended.
    """
    row = store.find(run)
    if row.ended_at is not None:
        raise UsageError(
            [f"Run {row.id} has ended already: {row.status}."],
            f"`vhdlift cleanup {row.id}` removes what it made.",
        )
    return row
