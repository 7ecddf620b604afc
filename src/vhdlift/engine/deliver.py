"""Takes the run's events to the webhook: in order, each until it is taken, refused for long, or too old.

It works from the events in the database, so it slows nothing and goes on after a crash where it was.
"""

from __future__ import annotations

import asyncio
import time
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import structlog

from vhdlift.engine import runtime
from vhdlift.model import Event, Run
from vhdlift.notify import webhook

if TYPE_CHECKING:
    from collections.abc import Mapping

    from vhdlift.engine.runtime import Runtime
    from vhdlift.settings import Settings

log = structlog.get_logger("vhdlift.deliver")

LOOK_SECONDS = 1.0


@runtime.kept_from_history
async def next_event(run_id: str, after: int) -> int | None:
    """The number of the first event above `after` to be posted, waited for; None when none will come."""
    rt = runtime.current()
    store = rt.store
    while True:
        count = rt.wakes.count(run_id)
        # Asked first: an event that comes between the two questions must not be missed.
        ended = (await asyncio.to_thread(store.find, run_id)).ended_at is not None
        waiting = await asyncio.to_thread(store.unposted, run_id, after)
        if waiting:
            return waiting[0]
        if ended:
            return None
        await rt.wakes.wait(run_id, count, LOOK_SECONDS)


@runtime.kept_from_history
async def post_event(run_data: Mapping[str, Any], sequence: int) -> int:
    """Post one event, again and again with growing pauses, until its deadline; returns 1 if it arrived."""
    rt = runtime.current()
    run = Run.from_json(run_data)
    event = (await asyncio.to_thread(rt.store.events, run.id, sequence - 1))[0]
    result = await _until_taken(rt, run, event)
    if isinstance(result, webhook.Sent):
        await _mark(rt, event, "sent")
        return 1
    log.warning("webhook_gave_up", run=run.id, sequence=sequence, reason=result.reason)
    await _mark(rt, event, "gave up", result.reason)
    return 0


async def _until_taken(rt: Runtime, run: Run, event: Event) -> webhook.Sent | webhook.Retry | webhook.GaveUp:
    """The last result: taken, given up, or the reason at the time when it was too late."""
    limits, settings = webhook.DELIVERY, rt.settings_of(run.id)
    scale = settings.time_scale
    pauses = limits.delays(scale)
    reason, refused_since = "not tried yet", None
    await _mark(rt, event, "waiting", reason)
    while True:
        result = await _attempt(settings, run, event)
        if not isinstance(result, webhook.Retry) or _age_seconds(event) > limits.deadline * scale:
            return result
        refused_since = (refused_since or time.monotonic()) if result.refused else None
        if refused_since and time.monotonic() - refused_since > limits.patience * scale:
            return result
        if result.reason != reason:
            reason = result.reason
            await _mark(rt, event, "waiting", reason)
        await asyncio.sleep(max(next(pauses), result.after or 0.0))


async def _attempt(
    settings: Settings, run: Run, event: Event
) -> webhook.Sent | webhook.Retry | webhook.GaveUp:
    if settings.webhook_url is None:  # it is not stored, and this process was not told
        return webhook.Retry("no address is set: VHDLIFT_WEBHOOK_URL")
    url = settings.webhook_url.get_secret_value()
    secret = settings.webhook_secret.get_secret_value() if settings.webhook_secret else None
    body, name = event.webhook_body(run), f"{run.id}.{event.sequence}"
    try:
        async with webhook.open_client(settings) as client:
            return await webhook.post_status_update(
                client, url, secret, body, name, scale=settings.time_scale
            )
    except Exception as problem:  # a fault of ours must not end the delivery of all that follows
        log.exception("webhook_crashed", run=run.id, sequence=event.sequence)
        return webhook.Retry(f"an unexpected {type(problem).__name__}")


async def _mark(rt: Runtime, event: Event, result: str, reason: str = "") -> None:
    await asyncio.to_thread(rt.store.mark_delivery, event.run_id, event.sequence, result, reason)


def _age_seconds(event: Event) -> float:
    return (datetime.now(UTC) - datetime.fromisoformat(event.timestamp)).total_seconds()
