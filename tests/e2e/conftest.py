from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.e2e.tool import Tool
from tests.localcloud import LocalCloud, serving


@pytest.fixture(scope="session")
def shared_cloud(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LocalCloud]:
    with serving(tmp_path_factory.mktemp("armlocal"), "--port", "0", "--time-scale", "0.005") as cloud:
        yield cloud


@pytest.fixture
def cloud(shared_cloud: LocalCloud) -> LocalCloud:
    """The local Azure as it starts: a running source VM and nothing else."""
    shared_cloud.reset()
    return shared_cloud


@pytest.fixture
def tool(cloud: LocalCloud, tmp_path: Path) -> Tool:
    return Tool(cloud.env, tmp_path)
