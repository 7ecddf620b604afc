"""The order of the tests."""

from __future__ import annotations

import pytest


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """The slow ones first: at the end, all others would wait for them."""
    items.sort(key=lambda item: item.get_closest_marker("slow") is None)
