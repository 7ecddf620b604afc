"""Small parts of the guest double."""

from __future__ import annotations

from typing import Any

import pytest
from standardwebhooks import Webhook

from armlocal.guest.telling import signature
from armlocal.guest.wishes import read_wish
from tests.armlocal.lab import SECRET


def test_a_signature_is_the_standards() -> None:
    """The specification's own library takes it."""
    headers = {"webhook-id": "a.guest.1", **signature(SECRET, "a.guest.1", b'{"a": 1}')}
    assert Webhook(SECRET).verify(b'{"a": 1}', headers) == {"a": 1}


WRONG: list[dict[str, Any]] = [
    {"phase": "x", "kind": "fail"},
    {"phase": "upload", "kind": "x"},
    {"phase": "tools", "kind": "lie"},
    {"a": 1},
]


@pytest.mark.parametrize("row", WRONG)
def test_a_wish_that_there_is_not_is_refused(row: dict[str, Any]) -> None:
    """A misspelt wish is told, not ignored."""
    with pytest.raises(ValueError, match=r"must be|has no|can lie"):
        read_wish(row)
