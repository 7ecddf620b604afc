"""A small crowd in weather five times as bad; `make crowd` plays the large one."""

from __future__ import annotations

import pytest

from tests.crowd.__main__ import main


@pytest.mark.slow
def test_a_few_runs_at_once_all_end_well_in_bad_weather() -> None:
    assert main(["--before", "0", "--runs", "3", "--chance", "0.05", "--time-scale", "0.01"]) == 0
