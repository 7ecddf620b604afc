"""What a webhook receiver sees of a run, in good weather and in bad."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.engine.conftest import settings_in
from tests.engine.doubles import Cloud, Fake, play, run_of
from tests.receiver import Receiver, receiving
from vhdlift.engine.store import Store
from vhdlift.errors import VhdliftError
from vhdlift.steps.base import Context

CLOSED_PORT = "http://127.0.0.1:1/hook"


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    with receiving() as listening:
        yield listening


async def test_every_event_arrives_in_order_in_the_one_body_shape(
    tmp_path: Path, cloud: Cloud, receiver: Receiver
) -> None:
    run = run_of()
    settings = settings_in(tmp_path, VHDLIFT_WEBHOOK_URL=receiver.url)
    await play(settings, cloud, Fake(cloud, "a"), Fake(cloud, "completed", "a"), run=run)
    bodies = receiver.bodies()
    assert [body["sequence"] for body in bodies] == [1, 2, 3, 4]
    assert bodies[0] == {
        "vm_name": "lab1",
        "status": "provisioning",
        "resource_group": "lab1-rg",
        "location": "uksouth",
        "run_id": run.id,
        "sequence": 1,
        "details": {
            "step": "a",
            "state": "started",
            "message": "makes a",
            "timestamp": bodies[0]["details"]["timestamp"],
        },
    }
    assert bodies[-1]["status"] == "completed"


async def test_the_order_holds_when_the_receiver_fails_at_first(
    tmp_path: Path, cloud: Cloud, receiver: Receiver
) -> None:
    receiver.statuses = [500, 301, 503, 204]
    await play(
        settings_in(tmp_path, VHDLIFT_WEBHOOK_URL=receiver.url),
        cloud,
        Fake(cloud, "a"),
        Fake(cloud, "b", "a"),
    )
    assert [body["sequence"] for body in receiver.bodies()] == [1, 2, 3, 4]


async def test_a_receiver_that_is_down_neither_fails_nor_hides(tmp_path: Path, cloud: Cloud) -> None:
    settings = settings_in(tmp_path, VHDLIFT_WEBHOOK_URL=CLOSED_PORT)
    run = run_of()
    outcome = await play(settings, cloud, Fake(cloud, "a"), run=run)
    store = Store.open(settings)
    assert (outcome.status, outcome.undelivered) == ("completed", 2)
    assert [event.sequence for event in store.undelivered(run.id)] == [1, 2]
    store.close()


async def test_a_failure_names_the_step_and_the_cause(
    tmp_path: Path, cloud: Cloud, receiver: Receiver
) -> None:
    async def fail(_c: Context) -> dict[str, Any]:
        raise VhdliftError("No cores are left.")

    await play(
        settings_in(tmp_path, VHDLIFT_WEBHOOK_URL=receiver.url),
        cloud,
        Fake(cloud, "a"),
        Fake(cloud, "b", "a", do=fail),
    )
    failed = [body for body in receiver.bodies() if body["details"]["state"] == "failed"]
    assert [(body["status"], body["details"]["step"], body["details"]["error"]) for body in failed] == [
        ("failed", "b", "No cores are left."),
        ("failed", "b", "No cores are left."),
    ]
    assert failed[-1]["details"]["final"] is True
    assert receiver.bodies()[-1] == failed[-1]


async def test_each_warning_of_a_step_that_goes_on_is_told(
    tmp_path: Path, cloud: Cloud, receiver: Receiver
) -> None:
    async def worry(c: Context) -> dict[str, Any]:
        for minutes in (5, 5, 10):  # the second says nothing new
            await c.warn(f"silent for {minutes} minutes", {"minutes": minutes})
        return {}

    settings = settings_in(tmp_path, VHDLIFT_WEBHOOK_URL=receiver.url)
    outcome = await play(settings, cloud, Fake(cloud, "a", do=worry))
    told = [body["details"] for body in receiver.bodies() if body["details"]["state"] == "warning"]
    assert [details["message"] for details in told] == ["silent for 5 minutes", "silent for 10 minutes"]
    assert all(details["under_way"] for details in told)
    assert outcome.status == "completed"


async def test_posts_are_signed_with_the_secret(tmp_path: Path, cloud: Cloud, receiver: Receiver) -> None:
    secret = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"
    settings = settings_in(tmp_path, VHDLIFT_WEBHOOK_URL=receiver.url, VHDLIFT_WEBHOOK_SECRET=secret)
    await play(settings, cloud, Fake(cloud, "a"))
    headers = {key.lower(): value for key, value in receiver.posts[0][0].items()}
    assert headers["webhook-signature"].startswith("v1,")
    assert headers["webhook-id"].endswith(".1")
