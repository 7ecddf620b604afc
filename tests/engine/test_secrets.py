"""What a process knows of the secrets of its runs."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from tests.engine.conftest import settings_in
from tests.engine.doubles import Cloud, Fake, run_of
from vhdlift import redaction
from vhdlift.engine.engine import Engine
from vhdlift.redaction import MARK, REMEMBERED
from vhdlift.steps.base import Context


async def test_what_a_step_registers_is_known_until_its_run_and_others_are_over(
    tmp_path: Path, cloud: Cloud
) -> None:
    secret = "only-this-run-has-it"

    async def sign_in(_c: Context) -> dict[str, Any]:
        redaction.register(secret)
        return {}

    run, step = run_of(), Fake(cloud, "signed_in", do=sign_in)
    opened = Engine.open(
        settings_in(tmp_path), steps=(step,), open_clients=cloud.clients, inventory=cloud.inventory
    )
    async with opened as engine:
        await engine.start(run)
        await engine.follow(run.id, lambda _event: None)
        engine.release(run.id)
        assert redaction.redact(secret) == MARK
        for number in range(REMEMBERED):
            redaction.let_go(f"other run {number}")
        assert redaction.redact(secret) == secret
