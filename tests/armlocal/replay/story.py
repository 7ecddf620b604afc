"""Recordings as data: a file is one of them, a line one exchange.

The first line names the recording and whose it is. The lines after it are in the order of the recording:

* `{"given": "PUT /subscriptions/{sub}/...", "send": {...}}` makes what was there before; not compared.
* `{"n": 3, "do": "PUT ...", "query": {...}, "send": {...}, "status": 201, "headers": "...", "keys": "..."}`
  is an exchange: `n` is its number in the recording, `when` its If-Match or If-None-Match, `keys` the
  answer's (`shape`), `form` a body that is a form. In `headers` the word `common` stands for the five that
  almost all answers have.
* `"poll": 3, "at": "location"` in place of `do` is a GET of an address that exchange 3 was answered with.
* `"running": true` says that the operations before it were not over yet.

Names are as recorded, without those of groups and subscriptions; passwords are not kept. What a recording
has of types that the stand-in does not carry, and what it has twice, is not here.
"""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from armlocal.ids import parse_id
from tests.armlocal.replay.shape import unfold

if TYPE_CHECKING:
    from collections.abc import Iterator

RECORDED = Path(__file__).with_name("recorded")
COMMON = "cache-control expires pragma strict-transport-security x-content-type-options"


@dataclass(frozen=True)
class Expected:
    """An answer of the real service: its status, the headers it had, the keys of its body."""

    status: int
    headers: frozenset[str]
    keys: frozenset[str]


@dataclass(frozen=True)
class Exchange:
    """One line; `expected` is None for what is only given."""

    number: int
    method: str
    path: str
    query: dict[str, str]
    send: Any
    form: dict[str, str]
    when: dict[str, str]
    poll: int | None
    at: str
    running: bool
    expected: Expected | None

    @property
    def operation(self) -> str:
        """What `differences.toml` calls it: `PUT Microsoft.Network/virtualNetworks`, or `POLL` of that."""
        if not self.path.startswith("/subscriptions"):
            return f"{self.method} {self.path.rsplit('/', 1)[-1]}"
        arm_id = parse_id(self.path)
        verb = "LIST" if self.method == "GET" and arm_id.is_collection else self.method
        return f"{verb} {arm_id.type}"


@dataclass(frozen=True)
class Story:
    """One recording.

    Attributes:
        name: of its file here.
        recording: of the recording where it was published.
        source: whose it is and from when.
        exchanges: in their order.
    """

    name: str
    recording: str
    source: str
    exchanges: list[Exchange] = field(default_factory=list)


def stories() -> Iterator[Story]:
    """All recordings, by name."""
    for file in sorted(RECORDED.glob("*.ndjson")):
        first, *lines = [json.loads(line) for line in file.read_text(encoding="utf-8").splitlines()]
        story = Story(file.stem, first["recording"], first["source"])
        for line in lines:
            story.exchanges.append(_exchange(line))
        yield story


def _exchange(line: dict[str, Any]) -> Exchange:
    method, _, path = line.get("do", line.get("given", "GET ")).partition(" ")
    return Exchange(
        number=line.get("n", 0),
        method=method,
        path=path,
        query=line.get("query", {}),
        send=line.get("send"),
        form=line.get("form", {}),
        when=line.get("when", {}),
        poll=line.get("poll"),
        at=line.get("at", ""),
        running=line.get("running", False),
        expected=None if "given" in line else _expected(line),
    )


def _expected(line: dict[str, Any]) -> Expected:
    headers = line["headers"].replace("common", COMMON).split()
    return Expected(line["status"], frozenset(headers), frozenset(unfold(line.get("keys", ""))))
