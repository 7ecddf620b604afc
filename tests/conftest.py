"""The order of the tests, and which of several processes plays them."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import settings
from xdist.scheduler import LoadScopeScheduling  # type: ignore[import-untyped]

# How long an example takes says more of the machine than of the code.
settings.register_profile("any machine", deadline=None)
settings.load_profile("any machine")

# All tests of such a file look at one run of the whole job, which takes long to make.
OF_ONE_RUN = ("tests/e2e/test_whole_job.py",)


class WhoeverIsFree(LoadScopeScheduling):  # type: ignore[misc]
    """Gives each test to the next process that is free, and the tests of one run to one process."""

    def _split_scope(self, nodeid: str) -> str:
        file = nodeid.split("::", maxsplit=1)[0]
        return file if file in OF_ONE_RUN else nodeid


def pytest_xdist_make_scheduler(config: pytest.Config, log: Any) -> WhoeverIsFree:
    """What hands out the tests."""
    return WhoeverIsFree(config, log)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """The slow ones first: at the end, all others would wait for them."""
    items.sort(key=lambda item: item.get_closest_marker("slow") is None)
