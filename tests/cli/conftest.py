"""The command in a process of its own, and runs to look at."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests import prepared
from vhdlift.engine.api import new_run
from vhdlift.engine.store import Store, now
from vhdlift.model import Event, Run, Spec, State
from vhdlift.settings import Settings

LONGEST_SECONDS = 240.0
# How a measurement of coverage is handed down.
MEASURED = ("COVERAGE_PROCESS_START", "COVERAGE_PROCESS_CONFIG")
PLAN = [{"name": "first", "needs": []}, {"name": "second", "needs": ["first"]}]


@dataclass(frozen=True)
class Transcript:
    """What a command said, and its exit code."""

    code: int
    out: str
    err: str


Command = Callable[..., Transcript]


@pytest.fixture
def state_dir(tmp_path: Path) -> Path:
    """Where the commands of one test remember their runs."""
    return tmp_path / "state"


@pytest.fixture
def environment(state_dir: Path) -> dict[str, str]:
    """An environment in which no setting of the developer's own is left."""
    kept = {name: os.environ[name] for name in ("PATH", "HOME", "LANG", *MEASURED) if name in os.environ}
    return {**kept, "VHDLIFT_STATE_DIR": str(state_dir), "VHDLIFT_TIME_SCALE": "0.02", "PYTHONUTF8": "1"}


@pytest.fixture
def vhdlift(environment: dict[str, str], tmp_path: Path, tmp_path_factory: pytest.TempPathFactory) -> Command:
    """Run `vhdlift` with these arguments in an empty directory."""
    said = tmp_path_factory.mktemp("said")
    count = 0

    def command(*args: str, env: Mapping[str, str] | None = None) -> Transcript:
        nonlocal count
        count += 1
        asked = prepared.Command(args, {**environment, **(env or {})}, tmp_path, said / str(count))
        out, err = asked.communicate(LONGEST_SECONDS)
        return Transcript(asked.wait(), out, err)

    return command


@pytest.fixture
def settings(state_dir: Path) -> Settings:
    """Settings of the same state directory."""
    return Settings(
        source_vm="old-pc",
        source_resource_group="old-rg",
        subscription_id="11111111-2222-3333-4444-555555555555",
        vm_name="lab1",
        domain="example.org",
        location="uksouth",
        email=("me@example.org",),
        smtp_host="localhost",
        smtp_from="lab@example.org",
        state_dir=state_dir,
        time_scale=0.02,
    )


@pytest.fixture
def spec(settings: Settings) -> Spec:
    return settings.spec()


@pytest.fixture
def run(spec: Spec) -> Run:
    return new_run(spec)


@pytest.fixture
def store(settings: Settings) -> Iterator[Store]:
    opened = Store.open(settings)
    yield opened
    opened.close()


def tell(store: Store, run: Run, step: str, state: State) -> None:
    """Store an event, as a run does."""
    message = f"The {step}"
    store.add_event(f"{step}:{state}", Event(run.id, 0, "provisioning", step, state, message, now()))


@pytest.fixture
def stored(store: Store, run: Run) -> Run:
    """A run whose first step is done and whose second is under way."""
    store.add_run(run, PLAN)
    tell(store, run, "first", "started")
    tell(store, run, "first", "done")
    store.add_facts(run.id, "first", {"address": "192.0.2.1"})
    tell(store, run, "second", "started")
    return run
