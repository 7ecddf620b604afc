"""The run database, opened for reading by a command."""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING

from vhdlift.cli import output
from vhdlift.cli.view import Showing
from vhdlift.engine.store import Store

if TYPE_CHECKING:
    from collections.abc import Iterator

    from vhdlift.cli.board import Plan
    from vhdlift.engine.store import RunRow
    from vhdlift.settings import Settings


@contextmanager
def opened(settings: Settings) -> Iterator[Store]:
    """The database of these settings, closed at the end.

    Raises:
        VhdliftError: it cannot be opened.
    """
    store = Store.open(settings)
    try:
        yield store
    finally:
        store.close()


def try_out(settings: Settings) -> None:
    """Find out whether a run could be remembered, before anybody waits for Azure or notes a password.

    Raises:
        VhdliftError: the database cannot be opened.
    """
    with opened(settings):
        pass


def showing(store: Store, row: RunRow, as_json: bool, *, news_only: bool) -> Showing:
    """How a stored run is shown.

    Args:
        store: where it is remembered.
        row: the run.
        as_json: whether `--json` was given.
        news_only: whether what has happened so far was told before.
    """
    after = len(store.events(row.id)) if news_only else 0
    return Showing(row.run, plan_of(store, row), as_json, after)


def warn_of_posts(settings: Settings, store: Store, row: RunRow) -> None:
    """Say so when this process is about to work on a run that has a webhook, and was not told its address."""
    if settings.webhook_url is None and store.has_posted(row.id):
        output.print_warn(
            "No webhook is set, and this run has posted to one before: "
            "its posts wait until --webhook-url or VHDLIFT_WEBHOOK_URL is given."
        )


def plan_of(store: Store, row: RunRow) -> Plan:
    """The run's own plan, as it was when it started."""
    return {step["name"]: tuple(step["needs"]) for step in store.plan(row.id)}


def standing(settings: Settings, row: RunRow) -> str:
    """The run's status, or `interrupted` when nobody works on it though it has not ended."""
    return "interrupted" if is_abandoned(settings, row) else row.status


def is_abandoned(settings: Settings, row: RunRow) -> bool:
    """Whether the run has not ended and no process works on it.

    Raises:
        VhdliftError: the database server cannot be reached.
    """
    if row.ended_at is not None:
        return False
    from vhdlift.engine.api import is_worked_on  # noqa: PLC0415

    return not is_worked_on(settings, row)
