"""Values as Azure gives them, compared and written as ours."""

from __future__ import annotations

from typing import Any


def text(value: Any) -> str:
    """An SDK's enumeration or string as text."""
    return str(getattr(value, "value", value) or "")


def same_location(one: str | None, other: str | None) -> bool:
    """Whether both name one location; Azure writes `UK South` in some places and `uksouth` in others."""
    return _plain(one) == _plain(other)


def _plain(location: str | None) -> str:
    return (location or "").replace(" ", "").lower()
