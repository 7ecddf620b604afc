"""What a test wants to go wrong inside the guest: a phase that fails, falls silent, drags on or lies."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal, get_args

Kind = Literal["fail", "silent", "slow", "lie"]
PHASES = (
    *("bootstrap", "preflight", "tools", "hyperv", "download", "verify_source", "inspect", "clean", "shrink"),
    *("usb_prep", "finalize_vhd", "verify_result", "upload", "services", "finish"),
)
LIARS = ("finalize_vhd", "verify_result", "upload")


@dataclass
class Wish:
    """One phase that does not go well.

    Attributes:
        phase: which one.
        kind: `fail`; `silent`: nothing is heard from there on; `slow`: it takes `seconds` longer; `lie`:
            `finalize_vhd` leaves a damaged partition table, `verify_result` tells another SHA-256, `upload`
            changes a byte on the way. A liar says that all went well.
        times: how often it happens; 0 for always.
        final: a failure that another attempt cannot mend.
        message: what a failure says.
        seconds: how much longer, at scale 1.
        vm: only on machines whose id contains this text, without regard to case.
        seen: how often it happened.
    """

    phase: str
    kind: Kind
    times: int = 1
    final: bool = True
    message: str = "it was asked to fail"
    seconds: float = 600.0
    vm: str = ""
    seen: int = 0


class Wishes:
    """All wishes in force."""

    def __init__(self) -> None:
        self.all: list[Wish] = []

    def take(self, phase: str, vm_id: str) -> Wish | None:
        """What shall happen in this phase now; counts it."""
        for wish in self.all:
            fits = wish.phase == phase and wish.vm.lower() in vm_id.lower()
            if fits and (wish.times == 0 or wish.seen < wish.times):
                wish.seen += 1
                return wish
        return None


def read_wish(data: dict[str, Any]) -> Wish:
    """A wish from JSON.

    Raises:
        ValueError: a key or a value that there is not; the sentence says which.
    """
    unknown = set(data) - set(Wish.__dataclass_fields__) | (set(data) & {"seen"})
    if unknown:
        raise ValueError(f"a wish has no {', '.join(sorted(unknown))}")
    if data.get("kind") not in get_args(Kind):
        raise ValueError(f"kind must be one of {', '.join(get_args(Kind))}")
    if data.get("phase") not in PHASES:
        raise ValueError(f"phase must be one of {', '.join(PHASES)}")
    if data["kind"] == "lie" and data["phase"] not in LIARS:
        raise ValueError(f"only {', '.join(LIARS)} can lie")
    return Wish(**data)
