"""How long a run would take and what it would cost, as the plan shows it."""

from __future__ import annotations

import textwrap
from dataclasses import asdict, dataclass, field
from typing import TYPE_CHECKING, Any

from vhdlift.cli import output
from vhdlift.cli.output import COLUMNS
from vhdlift.forecast.costs import costs, price_table
from vhdlift.forecast.times import beside, durations, forecast

if TYPE_CHECKING:
    from vhdlift.cli.board import Plan
    from vhdlift.forecast.costs import Cost
    from vhdlift.forecast.times import Forecast
    from vhdlift.model import Spec

USUAL_DISK_GIB = 127.0
"""The OS disk of a Windows image in Azure."""
USUAL_SHARE = 0.5
_MINUTE, _HOUR = 60, 3600


@dataclass(frozen=True)
class Assumed:
    """What an estimate takes for granted about the source disk, in GiB; and the prices."""

    disk_gib: float | None = None
    used_gib: float | None = None
    prices: dict[str, Any] = field(default_factory=price_table)


@dataclass(frozen=True)
class Estimate:
    """When each step starts and ends, and what is paid for."""

    disk_gib: float
    used_gib: float
    steps: dict[str, Forecast]
    costs: list[Cost]
    prices: dict[str, Any]

    @property
    def seconds(self) -> float:
        """From the start to the end of the last step."""
        return max((step.ends for step in self.steps.values()), default=0.0)


def estimate(spec: Spec, plan: Plan, assumed: Assumed) -> Estimate:
    """The estimate for a plan; what is not known of the source disk is taken as usual."""
    disk = assumed.disk_gib or float(spec.target_size_gib or USUAL_DISK_GIB)
    used = min(assumed.used_gib or disk * USUAL_SHARE, disk)
    steps = forecast(plan, durations(used, read_back=spec.verify == "full"))
    seconds = max((step.ends for step in steps.values()), default=0.0)
    paid = costs(spec, assumed.prices, hours=seconds / _HOUR, disk_gib=disk, used_gib=used)
    return Estimate(disk, used, steps, paid, assumed.prices)


def as_data(made: Estimate) -> dict[str, Any]:
    """Plain data: seconds, GiB and the table's currency."""
    prices = {key: made.prices[key] for key in ("currency", "location", "as_of", "source")}
    return {
        "seconds": round(made.seconds),
        "disk_gib": made.disk_gib,
        "used_gib": made.used_gib,
        "steps": {
            name: {**asdict(step), "ends": step.ends, "beside": beside(made.steps, name)}
            for name, step in made.steps.items()
        },
        "costs": [asdict(cost) for cost in made.costs],
        "prices": prices,
    }


def step_rows(plan: Plan, made: Estimate) -> list[tuple[str, ...]]:
    """Number (with a star on the critical path), name, start, duration and needs, in order of the starts."""
    ordered = sorted(plan, key=lambda name: made.steps[name].starts)
    return [
        (
            f"{number}*" if made.steps[name].critical else str(number),
            name,
            clock(made.steps[name].starts),
            clock(made.steps[name].takes),
            ", ".join(plan[name]),
        )
        for number, name in enumerate(ordered, 1)
    ]


def cost_lines(made: Estimate) -> list[str]:
    """The costs as a table, and where the prices are from."""
    currency = made.prices["currency"]
    rows = [(cost.what, _money(cost.run), _money(cost.month)) for cost in made.costs]
    total = ("in all, as far as known", _money(_sum(made, "run")), _money(_sum(made, "month")))
    return [
        *output.table(("what is paid for", f"the run ({currency})", "each month it stays"), [*rows, total]),
        "",
        *textwrap.wrap(
            f"Prices of {made.prices['location']}, {made.prices['as_of']}. {_source(made)}", COLUMNS
        ),
        "--prices takes a table of your own.",
    ]


def _source(made: Estimate) -> str:
    """Where the prices are from, and what else the table says of itself."""
    return " ".join(
        f"{str(made.prices[key]).rstrip('.')}." for key in ("source", "note") if made.prices.get(key)
    )


def clock(seconds: float) -> str:
    """Seconds as `m:ss`, or `h:mm:ss` from an hour on."""
    minutes, rest = divmod(round(seconds), _MINUTE)
    hours, minutes = divmod(minutes, _MINUTE)
    return f"{hours}:{minutes:02}:{rest:02}" if hours else f"{minutes}:{rest:02}"


def _sum(made: Estimate, column: str) -> float:
    return float(sum(getattr(cost, column) or 0.0 for cost in made.costs))


def _money(amount: float | None) -> str:
    return "not in the table" if amount is None else f"{amount:.2f}"
