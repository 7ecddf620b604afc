"""Reading a value from the form in which an option, a variable or a file gives it."""

from __future__ import annotations

import json
import ssl
from datetime import time
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from pathlib import Path


def plain(value: Any) -> Any:
    """Text of what a file may give as a number or as a time of day."""
    if isinstance(value, time):
        return value.strftime("%H:%M")
    return str(value) if isinstance(value, int) else value


def split(value: Any) -> Any:
    """A list: from a list as it is, from text split at commas, from text that is a JSON list."""
    if not isinstance(value, str):
        return value
    if value.lstrip().startswith("["):
        return _json(value, "must be values separated by commas, or a JSON list")
    return [part.strip() for part in value.split(",") if part.strip()]


def pairs(value: Any) -> Any:
    """Tags: from a table as it is, from `name=value` texts, from a JSON object."""
    if isinstance(value, str) and value.lstrip().startswith("{"):
        value = _json(value, "must be name=value, separated by commas, or a JSON object")
    if not isinstance(value, str | list | tuple):
        return value
    found: dict[str, str] = {}
    for pair in split(value):
        name, equals, text = str(pair).partition("=")
        if not equals:
            raise ValueError("must be name=value")
        if name.strip() in found:
            raise ValueError("must not name a tag twice")
        found[name.strip()] = text
    return found


def absolute(value: Path) -> Path:
    """The path with `~` replaced, independent of the directory that a child process starts in."""
    return value.expanduser().absolute()


def certificates(value: Path) -> Path:
    """A readable PEM file with at least one certificate."""
    path = absolute(value)
    try:
        ssl.create_default_context(cafile=path)
    except (OSError, ssl.SSLError):
        raise ValueError("must be a readable PEM file of certificates") from None
    return path


def _json(value: str, rule: str) -> Any:
    try:
        return json.loads(value)
    except ValueError:
        raise ValueError(rule) from None
