"""One place to strike: a group, what is struck there, and how."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Self

GROUPS = ("calls", "events", "faults", "undo", "cleanup", "cancel", "deletions")
SIDES = ("before", "after", "late")
# What begins here comes from the run's id or from chance; what stands before is the same in every run.
_CHANCE = re.compile(
    r"(?<=vhdusb)[0-9a-f]{16}|(?<=vhdtmp)[0-9a-f]{16}|(?<![a-z])[0-9a-f]{8}|(?<=operationresults/).|(?<=statuses/)."
)
_BASE = re.compile(r"^/subscriptions/[^/]+/")


@dataclass(frozen=True)
class Point:
    """One place to strike.

    Attributes:
        group: one of `GROUPS`.
        what: the operation as armlocal names it, or a step.
        where: text in the path of the request that tells it from others of that operation.
        nth: the how-manieth such request of the run, or of its undo.
        how: for calls the side: `before` (the request is lost), `after` (its answer is lost) or `late` (it
            takes effect while the resumed run sends the same); for events a state; for faults a kind.
    """

    group: str
    what: str
    where: str = ""
    nth: int = 1
    how: str = "after"

    @property
    def id(self) -> str:
        """Text for `--only`, without anything that a shell would change."""
        return ",".join([self.group, self.what.replace(" ", "+"), self.where, str(self.nth), self.how])

    @classmethod
    def parse(cls, text: str) -> Self:
        """The point of an id.

        Raises:
            ValueError: it is none.
        """
        group, what, where, nth, how = text.split(",")
        if group not in GROUPS:
            raise ValueError(f"there is no group {group}")
        return cls(group, what.replace("+", " "), where, int(nth), how)


def marker(path: str) -> str:
    """The part of a request's path that tells its resource, without what differs from run to run."""
    path = path.split("?", maxsplit=1)[0].lower()
    if not _BASE.match(path):
        return ""
    tail = _BASE.sub("", path)
    if "/providers/" in tail:
        tail = tail.split("/providers/")[-1].split("/", 1)[-1]
    found = _CHANCE.search(tail)
    return tail[: found.start()] if found else tail
