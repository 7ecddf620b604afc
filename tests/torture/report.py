"""The table at the end, and what each point that did not survive differed in."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from tests.torture.points import GROUPS
from tests.torture.scenes import Verdict

COLUMNS = ("group", "points tried", "survived", "leaked", "source VM restored", "not reached")
MEANINGS = {
    "calls": "killed at a call, before or after it took effect, then resumed",
    "events": "killed when a step was told as started, or as done, then resumed",
    "faults": "a fault of Azure in a step",
    "undo": "killed at a call of an undo, then resumed",
    "cleanup": "`vhdlift cleanup` killed at a call, then repeated",
    "cancel": "`vhdlift cancel` killed at a call, then repeated",
    "deletions": "a fault of Azure in a deletion of an undo",
}


def table(verdicts: Sequence[Verdict]) -> str:
    """One row a group, in Markdown, and one for all."""
    lines = ["| " + " | ".join(COLUMNS) + " |", "|---" + "|---:" * (len(COLUMNS) - 1) + "|"]
    for group in GROUPS:
        own = [verdict for verdict in verdicts if verdict.point.group == group]
        if own:
            lines.append(_row(f"{group}: {MEANINGS[group]}", own))
    return "\n".join([*lines, _row("all", verdicts)])


def _row(name: str, verdicts: Sequence[Verdict]) -> str:
    tried = [verdict for verdict in verdicts if verdict.reached]
    numbers = (
        len(tried),
        sum(not verdict.wrong for verdict in tried),
        sum(verdict.leaked for verdict in tried),
        sum(verdict.source_restored for verdict in tried),
        len(verdicts) - len(tried),
    )
    return "| " + " | ".join([name, *map(str, numbers)]) + " |"


def failures(verdicts: Iterable[Verdict]) -> str:
    """Each failing point: what differed, and the command that repeats it."""
    return "\n".join(story(verdict) for verdict in verdicts if verdict.wrong)


def story(verdict: Verdict) -> str:
    """One failing point."""
    told = "\n".join(f"    {one}" for one in verdict.wrong)
    return f"{verdict.point.id}\n{told}\n  again: make torture ARGS='--only {verdict.point.id}'"
