"""A size that is named by the stick it has to fit on."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from vhdlift.errors import UsageError
from vhdlift.settings import load_settings

NOWHERE = Path("/nonexistent")


@pytest.mark.parametrize(("stick", "gib"), [(4, 2), ("256", 226), (1000, 884), (4000, 2040)])
def test_a_stick_gives_the_target_size(stick: Any, gib: int) -> None:
    """Decimal gigabytes without the reserve, in whole GiB, and never more than a VHD can have."""
    assert load_settings({"usb_gb": stick}, {}, NOWHERE).target_size_gib == gib


@pytest.mark.parametrize("stick", [3, 4001, "256GB", "x", -256, "2.5"])
def test_other_sticks_are_refused_by_name(stick: Any) -> None:
    """The message names the option, once, and invents no target size."""
    with pytest.raises(UsageError) as refused:
        load_settings({"usb_gb": stick}, {}, NOWHERE)
    (problem,) = refused.value.problems
    assert "--usb-gb (VHDLIFT_USB_GB)" in problem


def test_a_stick_and_a_size_are_one_too_many(tmp_path: Path) -> None:
    """Wherever each of them is written, and both are named."""
    (tmp_path / "vhdlift.toml").write_text("target_size_gib = 100\n")
    with pytest.raises(UsageError) as refused:
        load_settings({"usb_gb": 256}, {}, tmp_path)
    (problem,) = refused.value.problems
    assert "--usb-gb" in problem
    assert "--target-size-gib" in problem


def test_without_a_stick_the_size_is_left_open() -> None:
    """Then the VHD keeps the source disk's."""
    assert load_settings({}, {}, NOWHERE).target_size_gib is None
