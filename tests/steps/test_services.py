"""What the mail may say about the services: only what the guest told, and never for long."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from typing import Any

import pytest

from tests.steps.conftest import RUN_ID
from tests.steps.test_vhd import Export, export  # noqa: F401  # the fixture
from vhdlift.steps.base import Context
from vhdlift.steps.service_report import NOT_ASKED, NOT_TOLD, services_told

OVER = [{"phase": "services", "state": "done", "seconds": 1.0}]


@pytest.fixture
def asked(export: Export) -> Context:  # noqa: F811
    """A run that wants two services."""
    run = export.context.run
    return replace(export.context, run=replace(run, spec=replace(run.spec, services=("drop", "web"))))


async def report(export: Export, **more: Any) -> None:  # noqa: F811
    told = {"schema": 1, "run_id": RUN_ID, "sequence": 9, "phase": "finish", "state": "done"}
    await export.report("old1.vhd.progress.json", {**told, **more})


async def test_each_service_is_as_the_guest_says(export: Export, asked: Context) -> None:  # noqa: F811
    """Secrets in its words are taken out; what was not asked for is not served, whatever it says."""
    await report(export, history=OVER, services={"drop": "on", "web": "GET x?sig=Abc123", "pin": "on"})
    told = await services_told(asked)
    assert told == {"drop": "on", "web": "GET x?[redacted]", "pin": NOT_ASKED}


async def test_services_that_are_being_set_up_are_waited_for(
    export: Export,  # noqa: F811
    asked: Context,
) -> None:
    """The report of an earlier phase says nothing yet."""
    await report(export, phase="services", state="started")
    looking = asyncio.create_task(services_told(asked))
    await asyncio.sleep(0)
    await report(export, history=OVER, services={"drop": "on", "web": "on"})
    assert (await looking)["drop"] == "on"


async def test_what_the_guest_does_not_say_is_not_claimed(export: Export, asked: Context) -> None:  # noqa: F811
    """A report that is absent, unreadable, or of a guest that gave up: nothing is on, and nothing fails."""
    expected = {"drop": NOT_TOLD, "web": NOT_TOLD, "pin": NOT_ASKED}
    assert await services_told(asked) == expected
    await report(export, run_id="another")
    assert await services_told(asked) == expected
    await report(export, state="failed")
    assert await services_told(asked) == expected


async def test_without_a_service_nobody_is_asked(export: Export) -> None:  # noqa: F811
    """Nothing was asked for, so nothing has to be read."""
    before = len(export.world.shelf.seen)
    assert set((await services_told(export.context)).values()) == {NOT_ASKED}
    assert len(export.world.shelf.seen) == before
