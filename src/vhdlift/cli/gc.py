"""`vhdlift gc`: remove what runs left behind that are past their expiry, found by tags alone."""

from __future__ import annotations

from typing import Any

from vhdlift.cli.bytag import DryRun, InGroup, Wish, Yes, carry_out
from vhdlift.cli.taking import CLOUD, AsJson, takes_settings
from vhdlift.settings import load_settings


@takes_settings(*CLOUD)
def gc(
    given: dict[str, Any],
    resource_group: InGroup = "",
    dry_run: DryRun = False,
    yes: Yes = False,
    as_json: AsJson = False,
) -> int:
    """Remove all that runs made whose tag vhdlift-expires is in the past, finished VHDs included.

    The subscription is looked through for the tag vhdlift-run; no database is needed. To keep a run for
    longer, change vhdlift-expires on any of its resources to a later time, or to never. Exit code 0 when
    nothing expired is left, 3 when something could not be removed or looked at.
    """
    wish = Wish(group=resource_group, dry_run=dry_run, yes=yes, as_json=as_json)
    return carry_out(load_settings(given), wish)
