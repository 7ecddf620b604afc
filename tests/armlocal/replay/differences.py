"""The one list of what the stand-in answers otherwise than recorded, and why: `differences.toml`."""

from __future__ import annotations

import re
import tomllib
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable

    from tests.armlocal.replay.player import Difference


@dataclass(frozen=True)
class Entry:
    """A known difference.

    Attributes:
        reason: why it stays.
        what: texts as in `Difference.what`; `*` stands for anything.
        operations: where, on the same terms.
        stories: in which recordings, by the names of their files, on the same terms.
    """

    reason: str
    what: tuple[str, ...]
    operations: tuple[str, ...]
    stories: tuple[str, ...]

    def lines(self) -> list[tuple[str, str, str]]:
        """Each story, operation and difference that it speaks of: none may be there for nothing."""
        return [(s, o, w) for s in self.stories for o in self.operations for w in self.what]

    def covers(self, found: Difference) -> bool:
        """Whether it knows this difference."""
        return any(_matches(line, found) for line in self.lines())


def entries() -> list[Entry]:
    """The whole list."""
    text = Path(__file__).with_name("differences.toml").read_text(encoding="utf-8")
    return [
        Entry(
            row["reason"],
            tuple(row["what"]),
            tuple(row.get("operations", ("*",))),
            tuple(row.get("stories", ("*",))),
        )
        for row in tomllib.loads(text)["difference"]
    ]


def unlisted(found: Iterable[Difference], known: list[Entry]) -> list[str]:
    """What no entry knows."""
    return [
        f"{d.story} [{d.number}] {d.operation}: {d.what}"
        for d in found
        if not any(entry.covers(d) for entry in known)
    ]


def outlived(found: list[Difference], known: list[Entry]) -> list[str]:
    """Texts, operations and stories of the list that nothing shows any more."""
    gone = []
    for entry in known:
        mine = [d for d in found if entry.covers(d)]
        gone += [f"what = {w}" for w in entry.what if not any(_like(w, d.what) for d in mine)]
        gone += [f"operation = {o}" for o in entry.operations if not any(_like(o, d.operation) for d in mine)]
        gone += [f"story = {s}" for s in entry.stories if not any(_like(s, d.story) for d in mine)]
    return gone


def _matches(line: tuple[str, str, str], found: Difference) -> bool:
    story, operation, what = line
    return _like(story, found.story) and _like(operation, found.operation) and _like(what, found.what)


def _like(pattern: str, text: str) -> bool:
    return re.fullmatch(re.escape(pattern).replace(r"\*", ".*"), text, re.IGNORECASE) is not None
