"""The texts of mails as Jinja2 templates, and how they write numbers and times."""

from __future__ import annotations

from datetime import UTC, datetime
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

from jinja2 import Environment, FileSystemLoader, StrictUndefined, select_autoescape

if TYPE_CHECKING:
    from collections.abc import Mapping

_MINUTE, _HOUR = 60, 3600


def render(name: str, values: Mapping[str, Any]) -> str:
    """The text of a template, such as `completed/body.html`; values are escaped in HTML, and only there."""
    return _environment().get_template(name).render(values)


@cache
def _environment() -> Environment:
    environment = Environment(
        # In a list: to tell a path from a list, Python would look through every class of Azure's SDKs.
        loader=FileSystemLoader([Path(__file__).parent]),
        autoescape=select_autoescape(["html"]),
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters |= {"gib": gib, "duration": duration, "utc": utc}
    return environment


def gib(size: int) -> str:
    """Bytes as GiB with two digits: `126.50 GiB`."""
    return f"{size / 2**30:.2f} GiB"


def duration(seconds: float) -> str:
    """Seconds as people say them: `8 s`, `3 min 12 s`, `1 h 04 min`."""
    whole = round(seconds)
    if whole < 1:
        return "under 1 s"
    if whole < _MINUTE:
        return f"{whole} s"
    if whole < _HOUR:
        return f"{whole // _MINUTE} min {whole % _MINUTE:02} s"
    return f"{whole // _HOUR} h {whole % _HOUR // _MINUTE:02} min"


def utc(time: datetime) -> str:
    """A moment with its zone: `7 March 2026, 14:05 UTC`."""
    moment = time.astimezone(UTC)
    return f"{moment.day} {moment:%B %Y, %H:%M} UTC"
