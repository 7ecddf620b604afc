from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.guest.pwsh.cloud import Cloud, serving
from tests.guest.pwsh.machine import Machine, build_library, source


@pytest.fixture(scope="session")
def pwsh() -> str:
    found = shutil.which("pwsh")
    if found is None:
        pytest.skip("PowerShell 7 (pwsh) is not on the PATH: the guest's phases were not run")
    return found


@pytest.fixture(scope="session")
def library(pwsh: str, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return build_library(pwsh, tmp_path_factory.mktemp("bytework"))


@pytest.fixture
def cloud() -> Iterator[Cloud]:
    with serving(Cloud(snapshot=source())) as started:
        yield started


@pytest.fixture
def machine(pwsh: str, library: Path, tmp_path: Path, cloud: Cloud) -> Machine:
    """With the values sealed, so that the agent can begin."""
    made = Machine(pwsh, library, tmp_path, cloud)
    made.seal()
    return made
