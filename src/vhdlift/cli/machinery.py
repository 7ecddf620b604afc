"""What the commands work with: the engine and look-ups in Azure, as values; a test passes its own."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Coroutine

    from vhdlift.azure.findings import Finding
    from vhdlift.azure.preflight import Report
    from vhdlift.cli.board import Plan
    from vhdlift.engine.store import Outcome
    from vhdlift.model import Event, Run, Spec
    from vhdlift.settings import Settings

    OnEvent = Callable[[Event], None]


@dataclass(frozen=True)
class Machinery:
    """The parts below the command line that change something, or ask Azure.

    Attributes:
        spec: what the user asked for, completed from Azure where a setting follows from it.
        check: the findings of preflight; of a run's own names too, when there is one.
        new_run: a run with a fresh id.
        provision: starts a run and follows it to its end.
        start_worker: leaves a run to a process that outlives this one.
        plan: the steps of a new run.
    """

    spec: Callable[[Settings], Coroutine[Any, Any, Spec]]
    check: Callable[[Settings, Spec, Run | None], Awaitable[Report]]
    new_run: Callable[[Spec], Run]
    provision: Callable[[Settings, Run, OnEvent], Coroutine[Any, Any, Outcome]]
    start_worker: Callable[[Settings, Run], None]
    plan: Plan


def real() -> Machinery:
    """The engine and Azure themselves; importing them takes a moment."""
    from vhdlift.azure import preflight  # noqa: PLC0415
    from vhdlift.engine import api  # noqa: PLC0415

    return Machinery(
        spec=preflight.complete_spec,
        check=look_everywhere,
        new_run=api.new_run,
        provision=api.provision,
        start_worker=api.start_worker,
        plan=current_plan(),
    )


async def look_everywhere(settings: Settings, spec: Spec, run: Run | None) -> Report:
    """Preflight of Azure, of the mail server, of the webhook and of the clock, all at the same time.

    Raises:
        SignInNeeded: no credential works.
    """
    from vhdlift.azure import preflight  # noqa: PLC0415
    from vhdlift.cli.estimate import Assumed, estimate  # noqa: PLC0415
    from vhdlift.forecast.costs import price_table, vm_per_hour  # noqa: PLC0415
    from vhdlift.forecast.preflight import shutdown_in_the_way  # noqa: PLC0415
    from vhdlift.notify.preflight import mail_server, webhook  # noqa: PLC0415

    table = price_table()

    def price(size: str) -> str | None:
        known = vm_per_hour(size, table, windows=spec.license_type is None)
        return f"{known:.2f} {table['currency']}/h" if known is not None else None

    async def shutdown() -> list[Finding]:
        return shutdown_in_the_way(spec, estimate(spec, current_plan(), Assumed()).seconds)

    also = (lambda: mail_server(settings), lambda: webhook(settings, spec), shutdown)
    return await preflight.check(settings, spec, run, also=also, price=price)


def current_plan() -> Plan:
    """What each step of a new run needs, by its name."""
    from vhdlift.steps import PROVISION  # noqa: PLC0415

    return {step.name: step.needs for step in PROVISION}
