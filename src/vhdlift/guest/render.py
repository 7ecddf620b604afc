"""The guest script as one text: the head with its values, the agent, the bootstrap.

::

    comment, #requires
    $SNAPSHOT_URL = '...'            the head: one literal a line, see GuestValues
    ...
    # [agent begins]
    common/*.ps1, phases/01.. .ps1   what the bootstrap copies to agent.ps1, without the head
    # [agent ends]
    phases/00_bootstrap.ps1, entry.ps1
"""

from __future__ import annotations

from functools import cache
from importlib import resources
from typing import TYPE_CHECKING

from vhdlift.errors import UsageError
from vhdlift.guest.values import GuestValues, quote

if TYPE_CHECKING:
    from collections.abc import Mapping
    from importlib.resources.abc import Traversable

__all__ = ["GuestValues", "agent", "phases", "quote", "render", "render_masked"]

BEGINS, ENDS = "# [agent begins]", "# [agent ends]"
_BOOTSTRAP = "00_bootstrap.ps1"
_PLACE = "#{csharp}"
_TITLE = """\
# The setup script of vhdlift: run once as SYSTEM by the CustomScriptExtension, on Windows PowerShell 5.1.
# It holds signatures, and deletes itself.
#requires -Version 5.1
"""


def render(values: GuestValues) -> str:
    """The script for one run. It holds secrets: upload it to a private blob and keep no copy.

    Raises:
        UsageError: values that cannot be quoted or that the guest could not use; names every field.
    """
    if problems := values.problems():
        raise UsageError(problems)
    return _join(values.texts())


def render_masked(values: GuestValues) -> str:
    """The same script with `***` for each secret, for people to read."""
    if problems := values.problems():
        raise UsageError(problems)
    return _join(values.masked())


def phases() -> tuple[str, ...]:
    """The names of the phases in their order, as the file names have it."""
    return tuple(f.name.removesuffix(".ps1").split("_", 1)[1] for f in _files("phases", ".ps1"))


@cache
def agent() -> str:
    """The part that becomes `agent.ps1`: no values, the same for every run."""
    parts = [f.read_text("ascii") for f in _files("common", ".ps1")]
    parts += [f.read_text("ascii") for f in _files("phases", ".ps1") if f.name != _BOOTSTRAP]
    return "\n".join(parts).replace(_PLACE, csharp())


@cache
def csharp() -> str:
    """The byte work as one C# text; it stands in a here-string, which it must not end."""
    text = "\n".join(f.read_text("ascii") for f in _files("csharp", ".cs")).rstrip()
    if "\n'@" in text:
        raise ValueError("a line of the C# begins with '@, which ends the here-string around it")
    return text


def _join(texts: Mapping[str, str]) -> str:
    head = "".join(f"${name.upper()} = {quote(text, name)}\n" for name, text in texts.items())
    package = resources.files("vhdlift.guest")
    bootstrap = (package / "phases" / _BOOTSTRAP).read_text("ascii")
    entry = (package / "entry.ps1").read_text("ascii")
    return f"{_TITLE}{head}\n{BEGINS}\n{agent()}\n{ENDS}\n{bootstrap}\n{entry}"


def _files(folder: str, suffix: str) -> list[Traversable]:
    files = (resources.files("vhdlift.guest") / folder).iterdir()
    return sorted((f for f in files if f.name.endswith(suffix)), key=lambda f: f.name)
