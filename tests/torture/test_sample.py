"""A few points of the torture; `make torture` plays them all."""

from __future__ import annotations

import pytest

from tests.torture.__main__ import main

# One in a call, at an event, with a fault, and in an undo: the groups that come first.
POINTS = 4


@pytest.mark.slow
def test_a_sample_of_the_torture_is_survived() -> None:
    assert main(["--sample", str(POINTS), "-j", "1"]) == 0
