"""What an engine is put together from: the real steps and clients, or the doubles of a test."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from vhdlift.engine.runtime import Runtime
from vhdlift.engine.sharing import shared

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from contextlib import AbstractAsyncContextManager

    from vhdlift.engine.store import Store
    from vhdlift.settings import Settings
    from vhdlift.steps.base import Step

    OpenClients = Callable[[Settings], AbstractAsyncContextManager[Any]]
    Inventory = Callable[[Any, str, Sequence[str]], Any]


def frozen(steps: tuple[Step, ...]) -> list[dict[str, Any]]:
    """The plan as data: it goes into the run, so that a later version finds it as it was."""
    return [{"name": step.name, "needs": list(step.needs)} for step in steps]


def assembled(
    settings: Settings,
    store: Store,
    steps: tuple[Step, ...] | None,
    open_clients: OpenClients | None,
    inventory: Inventory | None,
) -> tuple[Runtime, list[dict[str, Any]]]:
    """The real steps and clients, where no doubles were given."""
    known: Mapping[str, Step]
    if steps is None:
        from vhdlift.steps import PROVISION, STEPS  # noqa: PLC0415

        plan, known = PROVISION, STEPS
    else:
        plan, known = steps, {step.name: step for step in steps}
    if open_clients is None or inventory is None:
        from vhdlift.azure import clients, ownership  # noqa: PLC0415

        open_clients = open_clients or clients.open_clients
        inventory = inventory or ownership.inventory
    return Runtime(settings, store, known, shared(open_clients), inventory), frozen(plan)
