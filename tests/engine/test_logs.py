"""What processes of ours write down beside events: nothing secret, and nothing on the terminal."""

from __future__ import annotations

import json
import logging
import os
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest

from tests.engine.doubles import run_of
from vhdlift.engine import tables
from vhdlift.engine.store import Store
from vhdlift.logs import logging_to
from vhdlift.redaction import register
from vhdlift.settings import Settings

SECRET = "No-Such-Run-0815"


def test_a_librarys_warning_goes_to_our_log_without_secrets(tmp_path: Path) -> None:
    register(SECRET)
    problem = ValueError(f"https://x/y?sig=abcDEF%3D {SECRET}")
    with logging_to(tmp_path) as file:
        logging.getLogger("asyncio").error("Task %s was never retrieved", SECRET, exc_info=problem)
    line = json.loads(file.read_text())
    assert (line["event"], line["logger"]) == ("Task [redacted] was never retrieved", "asyncio")
    assert "ValueError: https://x/y?[redacted] [redacted]" in line["exception"]


def test_the_log_is_left_alone_afterwards(tmp_path: Path) -> None:
    with logging_to(tmp_path) as file:
        pass
    logging.getLogger("asyncio").warning("late")
    assert file.read_text() == ""


@pytest.mark.parametrize("broken", [False, True])
def test_a_worker_that_cannot_work_says_why_without_secrets(tmp_path: Path, broken: bool) -> None:
    """Its stderr is a file that stays; neither a refusal nor a crash writes a secret into it."""
    state = tmp_path / SECRET
    if broken:
        store = Store.open(Settings(state_dir=state))
        store.add_run(replace(run_of(), id=SECRET), [])
        with store.engine.begin() as db:
            db.execute(tables.runs.update().values(outcome={"leftovers": [], "kept": [], SECRET: "?"}))
        store.close()
    env = {**os.environ, "VHDLIFT_STATE_DIR": str(state), "AZURE_CLIENT_SECRET": SECRET}
    for name in ("AZURE_TENANT_ID", "AZURE_CLIENT_ID"):
        env[name] = "00000000-0000-0000-0000-000000000001"
    worker = [sys.executable, "-m", "vhdlift.engine.worker", SECRET]
    ended = subprocess.run(worker, env=env, cwd=tmp_path, capture_output=True, text=True, check=False)
    assert ended.returncode == 1
    assert "[redacted]" in ended.stderr
    assert SECRET not in ended.stderr
    assert ("Traceback" in ended.stderr) is broken
