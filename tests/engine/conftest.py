from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.engine.doubles import Cloud
from tests.postgres import Postgres, postgres
from vhdlift.settings import Settings, load_settings


def settings_in(folder: Path, **extra: str) -> Settings:
    env = {
        "VHDLIFT_SOURCE_VM": "old",
        "VHDLIFT_SOURCE_RESOURCE_GROUP": "lab",
        "VHDLIFT_VM_NAME": "lab1",
        "VHDLIFT_LOCATION": "uksouth",
        "VHDLIFT_DOMAIN": "example.org",
        "VHDLIFT_STATE_DIR": str(folder / "state"),
        "VHDLIFT_TIME_SCALE": "0.02",
        "AZURE_SUBSCRIPTION_ID": "00000000-0000-0000-0000-000000000001",
        **extra,
    }
    return load_settings({}, env=env, cwd=folder)


@pytest.fixture(scope="session")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Postgres]:
    """A PostgreSQL server for all tests of a process."""
    with postgres(tmp_path_factory.mktemp("server")) as running:
        yield running


@pytest.fixture(params=["sqlite", "postgresql"])
def settings(request: pytest.FixtureRequest, tmp_path: Path) -> Settings:
    """Settings with an empty run database, of each kind."""
    if request.param == "sqlite":
        return settings_in(tmp_path)
    server: Postgres = request.getfixturevalue("server")
    return settings_in(tmp_path, VHDLIFT_DATABASE_URL=server.fresh())


@pytest.fixture
def cloud() -> Cloud:
    return Cloud()
