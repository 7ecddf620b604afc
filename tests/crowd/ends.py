"""What is wrong with how the runs of a crowd ended; nothing, if all ended well."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from tests.crowd.sources import GROUP
from tests.localcloud import LocalCloud
from vhdlift.engine.store import Outcome
from vhdlift.model import RUN_TAG, Run

_ONLY_FOR_THE_WORK = ("/snapshots/", "/storageaccounts/vhdtmp")


def complaints(cloud: LocalCloud, runs: Iterable[tuple[Run, Outcome]]) -> list[str]:
    """One sentence for each thing that is not as it has to be."""
    left, posts = cloud.left(), cloud.webhooks()
    found = [f"{row['id']} is {row.get('powerState')}" for row in left if _is_stopped_source(row)]
    for run, outcome in runs:
        found += [f"{run.spec.vm_name}: {said}" for said in _of_run(run, outcome, left, posts)]
    return found


def _of_run(run: Run, outcome: Outcome, left: list[Any], posts: list[Any]) -> Iterator[str]:
    own = [str(row["id"]) for row in left if row["tags"].get(RUN_TAG) == run.id]
    if outcome.status != "completed":
        yield f"{outcome.status} in {outcome.failed_step}: {outcome.reason}"
        yield from (f"left {one}" for one in own)
    yield from (f"leftover {row.resource_id}: {row.reason}" for row in outcome.leftovers)
    yield from (
        f"still there: {one}" for one in own if any(part in one.lower() for part in _ONLY_FOR_THE_WORK)
    )
    yield from _of_posts([post for post in posts if post["run_id"] == run.id])


def _of_posts(posts: list[Mapping[str, Any]]) -> Iterator[str]:
    """A repeat carries the same number; in the order of their first arrival there is no gap."""
    numbers = list(dict.fromkeys(post["sequence"] for post in posts))
    if numbers != list(range(1, len(numbers) + 1)):
        yield f"posts out of order, or missing: {numbers}"
    if not posts or posts[-1]["status"] not in ("completed", "failed"):
        yield "its last post does not tell its end"


def _is_stopped_source(row: Mapping[str, Any]) -> bool:
    is_source = f"/resourcegroups/{GROUP}/" in str(row["id"]).lower() and "powerState" in row
    return is_source and row["powerState"] != "running"
