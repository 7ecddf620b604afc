"""The order of the tests, and how long one may take."""

from __future__ import annotations

import pytest
from hypothesis import settings

# How long an example takes says more of the machine than of the code.
settings.register_profile("any machine", deadline=None)
settings.load_profile("any machine")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """The slow ones first: at the end, all others would wait for them."""
    items.sort(key=lambda item: item.get_closest_marker("slow") is None)
