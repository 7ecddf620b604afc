"""Faults that were asked for: which request goes wrong, and how.

A fault names an operation as `METHOD type`, for instance `PUT Microsoft.Compute/virtualMachines`,
`POST Microsoft.Compute/virtualMachines/deallocate` or `LIST Microsoft.Network/dnsZones` (a GET of a list);
`* *` is every operation that has a name.
An operation that is over with its only answer takes effect and then answers `fail_at_end`'s error; with
`never_ends` its answer never comes.
"""

from __future__ import annotations

from dataclasses import dataclass
from random import Random
from typing import Any, Literal, get_args

from armlocal.holding import Holds

Kind = Literal[
    "error",
    "throttle",
    "drop",
    "fail_at_end",
    "never_ends",
    "vanish",
    "hold",
    "garbage",
    "huge",
    "redirect",
    "slow",
    "truncate",
]
ON_THE_WAY = frozenset({"garbage", "huge", "redirect", "slow", "truncate"})
"""Kinds that are about the answer's way to the client: `armlocal.spoiling`."""
EVERY = 0
ANY = "* *"


@dataclass
class Fault:
    """One fault.

    Attributes:
        operation: which requests it counts, without regard to case.
        kind: `hold` lets it wait until it is released (`armlocal.holding`);
            `error` answers with an error body; `throttle` with 429 and Retry-After; `drop` closes the
            connection without an answer; `fail_at_end` lets the operation start and end as Failed;
            `never_ends` lets it start and never end; `vanish` has its addresses answer 404; `garbage`
            answers with `body`, `huge` with `size` bytes, `redirect` with `location`; `slow` answers
            `seconds` later; `truncate` loses the second half of the answer.
        nth: the how-manieth matching request since it was set; 0 for every one.
        chance: in place of `nth`, how likely each matching request is to be struck: 0.01 for one of 100.
        seed: which of them are; the same for the same.
        resource: only ids that contain this text; "" for all.
        status: HTTP status of `error`, `garbage` and `redirect`.
        code: ARM code of what is answered.
        message: its sentence.
        retry_after: seconds of the Retry-After header, sent as they are; None for no header (429: 1).
        when: for `drop`, `hold`, `garbage`, `huge` and `redirect`: `before` or `after` the request took
            effect; for `vanish`: `before` the first poll, or `after` the operation is over.
        body: of `garbage`.
        content_type: of `garbage`.
        location: of `redirect`.
        seconds: of `slow`, not scaled.
        size: of `huge`, in bytes.
        seen: matching requests so far.
        hits: how often it went off.
    """

    operation: str
    kind: Kind
    nth: int = 1
    chance: float = 0.0
    seed: int = 0
    resource: str = ""
    status: int = 500
    code: str = "InternalServerError"
    message: str = "An internal error occurred."
    retry_after: float | None = None
    when: Literal["before", "after"] = "before"
    body: str = "<html><body>Bad gateway</body></html>"
    content_type: str = "text/html"
    location: str = ""
    seconds: float = 1.0
    size: int = 100 * 2**20
    seen: int = 0
    hits: int = 0

    def strikes(self, operation: str, resource_id: str) -> bool:
        """Counts one request; True when it is the one that goes wrong."""
        named = self.operation == ANY or self.operation.lower() == operation.lower()
        if not named or self.resource.lower() not in resource_id.lower():
            return False
        self.seen += 1
        if self.chance:
            # Drawn anew from seed and count, so that a fault is nothing but data.
            return Random(f"{self.seed} {self.seen}").random() < self.chance  # noqa: S311
        return self.nth in (EVERY, self.seen)


_DEFAULTS: dict[str, dict[str, Any]] = {
    "throttle": {
        "status": 429,
        "code": "TooManyRequests",
        "message": "The request is being throttled.",
        "retry_after": 1,
    },
    "fail_at_end": {"code": "InternalOperationError", "message": "An internal error has occurred."},
    "vanish": {"when": "after"},
    "garbage": {"status": 200},
    "redirect": {"status": 307},
    "slow": {"when": "after"},
    "truncate": {"when": "after"},
}


def read_fault(data: dict[str, Any]) -> Fault:
    """A fault from JSON.

    Raises:
        ValueError: a key or a value that there is not; the sentence says which.
    """
    kind = data.get("kind")
    if kind not in get_args(Kind):
        raise ValueError(f"kind must be one of {', '.join(get_args(Kind))}, not {kind!r}")
    operation = data.get("operation")
    if not isinstance(operation, str) or " " not in operation:
        raise ValueError(
            f"operation must be METHOD and type, such as 'PUT Microsoft.Compute/disks', not {operation!r}"
        )
    unknown = set(data) - set(Fault.__dataclass_fields__) | (set(data) & {"seen", "hits"})
    if unknown:
        raise ValueError(f"a fault has no {', '.join(sorted(unknown))}")
    values = {**_DEFAULTS.get(str(kind), {}), **{k: v for k, v in data.items() if v is not None}}
    values["nth"] = EVERY if values.get("nth") == "every" else int(values.get("nth", 1))
    if not 0 <= float(values.get("chance", 0)) <= 1:
        raise ValueError(f"chance must be from 0 to 1, not {values['chance']!r}")
    if values.get("when", "before") not in ("before", "after"):
        raise ValueError(f"when must be before or after, not {values['when']!r}")
    return Fault(**values)


class Faults:
    """All faults in force."""

    def __init__(self) -> None:
        self.all: list[Fault] = []
        self.holds = Holds()

    def strike(self, operation: str, resource_id: str) -> Fault | None:
        """Counts one request with every fault; the first that goes off, or None."""
        others = ON_THE_WAY | {"hold"}
        return self._first([fault for fault in self.all if fault.kind not in others], operation, resource_id)

    def strike_answer(self, operation: str, resource_id: str) -> Fault | None:
        """Counts one request with every fault of its answer's way; the first that goes off, or None."""
        return self._first([fault for fault in self.all if fault.kind in ON_THE_WAY], operation, resource_id)

    def strike_hold(self, operation: str, resource_id: str) -> Fault | None:
        """Counts one request with every hold; the first that goes off, or None."""
        return self._first([fault for fault in self.all if fault.kind == "hold"], operation, resource_id)

    def _first(self, faults: list[Fault], operation: str, resource_id: str) -> Fault | None:
        struck = [fault for fault in faults if fault.strikes(operation, resource_id)]
        if not struck:
            return None
        struck[0].hits += 1
        return struck[0]
