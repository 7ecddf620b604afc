"""Takes the run's events to the webhook: in order, each until it is taken or its deadline has passed.

It works from the events in the database, so it slows nothing and goes on after a crash where it was.
"""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import structlog

from vhdlift.engine import runtime
from vhdlift.model import Event, Run
from vhdlift.notify import webhook

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

log = structlog.get_logger("vhdlift.deliver")

LOOK_SECONDS = 0.1


async def next_event(run_id: str, after: int) -> int | None:
    """The number of the first event above `after` to be posted, waited for; None when none will come."""
    store = runtime.current().store
    while True:
        # Asked first: an event that comes between the two questions must not be missed.
        ended = (await asyncio.to_thread(store.find, run_id)).ended_at is not None
        waiting = await asyncio.to_thread(store.unposted, run_id, after)
        if waiting:
            return waiting[0]
        if ended:
            return None
        await asyncio.sleep(LOOK_SECONDS)


async def post_event(run_data: Mapping[str, Any], sequence: int) -> int:
    """Post one event, again and again with growing pauses, until its deadline; returns 1 if it arrived."""
    rt = runtime.current()
    run = Run.from_json(run_data)
    event = (await asyncio.to_thread(rt.store.events, run.id, sequence - 1))[0]
    pauses = webhook.DELIVERY.delays(rt.settings.time_scale)
    async with webhook.open_client(rt.settings) as client:
        result = await _until_taken(client, run, event, pauses)
    arrived = isinstance(result, webhook.Sent)
    reason = "" if isinstance(result, webhook.Sent) else result.reason
    if not arrived:
        log.warning("webhook_gave_up", run=run.id, sequence=sequence, reason=reason)
    await asyncio.to_thread(
        rt.store.mark_delivery, run.id, sequence, "sent" if arrived else "gave up", reason
    )
    return int(arrived)


async def _until_taken(
    client: Any, run: Run, event: Event, pauses: Iterator[float]
) -> webhook.Sent | webhook.Retry | webhook.GaveUp:
    settings = runtime.current().settings
    url = settings.webhook_url.get_secret_value() if settings.webhook_url else ""
    secret = settings.webhook_secret.get_secret_value() if settings.webhook_secret else None
    body, name, scale = event.webhook_body(run), f"{run.id}.{event.sequence}", settings.time_scale
    while True:
        result = await webhook.post_status_update(client, url, secret, body, name, scale=scale)
        overdue = _age_seconds(event) > webhook.DELIVERY.deadline * scale
        if not isinstance(result, webhook.Retry) or overdue:
            return result
        await asyncio.sleep(max(next(pauses), result.after or 0.0))


def _age_seconds(event: Event) -> float:
    return (datetime.now(UTC) - datetime.fromisoformat(event.timestamp)).total_seconds()
