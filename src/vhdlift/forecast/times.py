"""The expected duration of each step, when it starts, and which steps decide when the run ends.

`times.json` has the figures and says where they are from. What depends on the disk is computed from the
bytes that are allocated on it, since only those are read and written.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from importlib.resources import files
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

GIB = 1024**3
_MB = 1_000_000


@dataclass(frozen=True)
class Forecast:
    """One step: seconds from the run's start to its own, and how long it takes.

    Attributes:
        starts: when all that it needs is done.
        takes: how long it is expected to take.
        critical: whether the run ends later when this step does.
    """

    starts: float
    takes: float
    critical: bool

    @property
    def ends(self) -> float:
        """Seconds from the run's start to this step's end."""
        return self.starts + self.takes


def durations(used_gib: float, *, read_back: bool) -> dict[str, float]:
    """Seconds that each step takes.

    Args:
        used_gib: how much of the source disk is allocated, in GiB.
        read_back: whether the whole artefact is read again at the end (`--verify full`).
    """
    table = json.loads(files(__package__).joinpath("times.json").read_text(encoding="utf-8"))
    seconds: dict[str, float] = {name: float(value) for name, value in table["steps"].items()}
    rate = {name: value * _MB for name, value in table["mb_per_second"].items()}
    used = used_gib * GIB
    # Downloaded, read once for its hash, uploaded.
    seconds["vhd_exported"] += used / rate["export"] + used / rate["disk"] + used / rate["upload"]
    if read_back:
        seconds["vhd_verified"] += used / rate["read_back"]
    return seconds


def forecast(plan: Mapping[str, Sequence[str]], takes: Mapping[str, float]) -> dict[str, Forecast]:
    """When each step of a plan starts, by its name, if each starts as soon as what it needs is done.

    Args:
        plan: what each step needs, in an order in which no step comes before its needs.
        takes: seconds of each step; one that is not there takes no time.
    """
    starts: dict[str, float] = {}
    ends: dict[str, float] = {}
    for name, needs in plan.items():
        starts[name] = max((ends[need] for need in needs), default=0.0)
        ends[name] = starts[name] + takes.get(name, 0.0)
    critical = _critical(plan, starts, ends)
    return {name: Forecast(starts[name], takes.get(name, 0.0), name in critical) for name in plan}


def beside(steps: Mapping[str, Forecast], name: str) -> list[str]:
    """The other steps that are under way while one is; a step that takes no time is beside nobody."""
    own = steps[name]
    return [
        other
        for other, step in steps.items()
        if other != name and max(step.starts, own.starts) < min(step.ends, own.ends)
    ]


def _critical(
    plan: Mapping[str, Sequence[str]], starts: Mapping[str, float], ends: Mapping[str, float]
) -> set[str]:
    """The chain of steps that the last one to end waited for."""
    chain: set[str] = set()
    name = max(reversed(list(plan)), key=lambda one: ends[one], default=None)
    while name is not None:
        chain.add(name)
        name = next((need for need in plan[name] if ends[need] == starts[name]), None)
    return chain
