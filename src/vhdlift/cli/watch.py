"""`vhdlift watch`: follow a run that another process works on."""

from __future__ import annotations

import asyncio
import time
from typing import TYPE_CHECKING, Any

from vhdlift.cli.ending import tell_end
from vhdlift.cli.interrupt import Interrupted, interrupted
from vhdlift.cli.stored import is_abandoned, opened, showing
from vhdlift.cli.taking import PLACES, AsJson, RunId, takes_settings
from vhdlift.cli.view import view_of
from vhdlift.settings import load_settings

if TYPE_CHECKING:
    from vhdlift.cli.following import Tell
    from vhdlift.cli.view import Showing, View
    from vhdlift.engine.store import Outcome, Store
    from vhdlift.settings import Settings

LOOK_SECONDS = 0.2
ASK_SECONDS = 1.0
STARTING_SECONDS = 60.0
"""How long a run in which nothing has happened may be without a process: one is being started for it."""
CHANGING_SECONDS = 2.0
"""How long any other run may be without one: another may take it over."""

GOES_ON = "The run goes on. `vhdlift watch {run}` follows it, `vhdlift cancel {run}` ends it."


@takes_settings(*PLACES)
def watch(given: dict[str, Any], run: RunId, as_json: AsJson = False) -> int:
    """Follow a run, whoever works on it, until it ends; the exit code is the run's own.

    Ctrl-C ends the watching, not the run.
    """
    settings = load_settings(given)
    with opened(settings) as store:
        shown = showing(store, store.find(run), as_json, news_only=False)
        return follow_stored(settings, store, shown)


def follow_stored(
    settings: Settings, store: Store, shown: Showing, tell: Tell = tell_end, *, goes_on: str = GOES_ON
) -> int:
    """Show the events of the run as they reach the database, and its outcome at the end; the exit code.

    Args:
        settings: where runs are remembered.
        store: the run database.
        shown: the run, and how it is shown.
        tell: says how it ended; returns the exit code.
        goes_on: what to say to whoever stops watching, with `{run}` in place of the run's id.

    Raises:
        Interrupted: Ctrl-C, or the run goes no further because no process works on it.
    """
    run_id = shown.run.id
    try:
        with view_of(shown) as view:
            outcome = asyncio.run(_until_ended(settings, store, run_id, view))
    except KeyboardInterrupt:
        raise Interrupted("Stopped watching.", goes_on.format(run=run_id)) from None
    return tell(shown.run, outcome, shown.as_json)


async def _until_ended(settings: Settings, store: Store, run_id: str, view: View) -> Outcome:
    seen = 0
    worked_on = asked = time.monotonic()
    while True:
        now = await asyncio.to_thread(store.find, run_id)
        for event in await asyncio.to_thread(store.events, run_id, seen):
            seen = event.sequence
            view.show(event)
        if now.ended_at is not None and now.outcome is not None:
            return now.outcome
        if time.monotonic() - asked > ASK_SECONDS:
            asked = time.monotonic()
            if not await asyncio.to_thread(is_abandoned, settings, now):
                worked_on = asked
            elif asked - worked_on > (CHANGING_SECONDS if seen else STARTING_SECONDS):
                raise interrupted(run_id)
        await asyncio.sleep(LOOK_SECONDS)
