"""`vhdlift resume`: go on with a run that was interrupted."""

from __future__ import annotations

from typing import Any

from vhdlift.cli import output
from vhdlift.cli.following import follow
from vhdlift.cli.password import with_password
from vhdlift.cli.stored import opened, showing, warn_of_posts
from vhdlift.cli.taking import NOT_KEPT, AsJson, RunId, takes_settings
from vhdlift.settings import load_settings


@takes_settings(*NOT_KEPT)
def resume(given: dict[str, Any], run: RunId, as_json: AsJson = False) -> int:
    """Go on with a run that was interrupted: by Ctrl-C, a crash, or a laptop that closed.

    What is done is not done again. Secrets are not stored, so they have to be in the environment as
    they were; so do the settings below, or as options. The exit code is the run's own, as with
    `vhdlift provision`.
    """
    from vhdlift.engine import api  # noqa: PLC0415  # slow to import

    settings = load_settings(given)
    with opened(settings) as store:
        row = store.find(run)
        warn_of_posts(settings, store, row)
        facts, shown = store.facts(row.id), showing(store, row, as_json, news_only=row.ended_at is None)
    if row.ended_at is None and "vm_id" not in facts and settings.admin_password is None:
        settings = with_password(settings, row.run.spec.vm_name)
        output.print_info("It counts unless the VM was being made when the run was interrupted.")
    return follow(shown, lambda show: api.resume(settings, row.id, show))
