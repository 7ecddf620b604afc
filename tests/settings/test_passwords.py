"""Passwords: which are refused, and that those we make never are."""

from __future__ import annotations

from pathlib import Path

import pytest

from vhdlift.errors import UsageError
from vhdlift.settings import load_settings, make_admin_password

NOWHERE = Path("/nonexistent")


def load(password: str, **options: str) -> None:
    load_settings(options, {"VHDLIFT_ADMIN_PASSWORD": password}, NOWHERE)


@pytest.mark.parametrize(
    "password",
    [
        "Short-1",
        "Aa1-" + "x" * 120,
        "onlysmallletters",
        "small-and-special",
        "P@ssw0rd",
        "Tab\tin-Pass-1",
        "My-VHDlift-pass1",
    ],
)
def test_refused(password: str) -> None:
    """Too short, too long, too plain, well known, or with the user's name in it; never repeated."""
    with pytest.raises(UsageError) as caught:
        load(password)
    (problem,) = caught.value.problems
    assert problem.startswith("VHDLIFT_ADMIN_PASSWORD must ")
    assert password not in problem


def test_a_short_user_name_may_be_in_the_password() -> None:
    """Windows compares names of three characters and more only."""
    load("Abcdefgh-123", admin_username="ab")


def test_a_made_password_is_always_accepted() -> None:
    """Two hundred of them pass Azure's rules, none twice, none with characters that look alike."""
    made = {make_admin_password() for _ in range(200)}
    assert len(made) == 200
    for password in made:
        load(password)
        assert len(password) == 24
        assert not set(password) & set("0Oo1lI|5S2Z8B`'\"$%&<> ")
