"""A point of each group of the torture; `make torture` plays them all."""

from __future__ import annotations

import pytest

from tests.torture.__main__ import main
from tests.torture.points import GROUPS


@pytest.mark.slow
def test_a_sample_of_the_torture_is_survived() -> None:
    assert main(["--sample", str(len(GROUPS)), "-j", "1"]) == 0
