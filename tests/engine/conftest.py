from __future__ import annotations

from pathlib import Path

import pytest

from tests.engine.doubles import Cloud
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


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    return settings_in(tmp_path)


@pytest.fixture
def cloud() -> Cloud:
    return Cloud()
