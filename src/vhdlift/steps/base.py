"""What a step is, and what it is given.

A step is a named pair `do` / `undo`. `do` may run more than once, so it looks before it makes. `undo`
works from names, succeeds when there is nothing, and returns what it could not remove. Neither prints,
notifies, sleeps for luck or knows its neighbours.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Protocol

if TYPE_CHECKING:
    from vhdlift.azure.clients import Azure
    from vhdlift.errors import Leftover
    from vhdlift.model import Facts, Names, Run
    from vhdlift.settings import Settings

Made = dict[str, Any]
Ledger = Callable[[str], Awaitable[None]]
Progress = Callable[[str, dict[str, Any]], Awaitable[None]]


@dataclass(frozen=True)
class Context:
    """All that a step may use.

    Attributes:
        run: the run, with names and tags.
        azure: clients of the subscription, opened for this step alone.
        settings: where secrets are; never handed on.
        facts: what the steps before this one (all that it needs, directly or not) handed on. In an undo:
            what was recorded, which may be nothing.
        ledger: `await ledger(resource_id)` before a create call is sent.
        progress: `await progress(message, details)` becomes a `progress` event of this step.
        warn: the same as a `warning` about a step that goes on.
    """

    run: Run
    azure: Azure
    settings: Settings
    facts: Facts
    ledger: Ledger
    progress: Progress
    warn: Progress

    @property
    def names(self) -> Names:
        """What this run calls the things it makes."""
        return self.run.names


class Step(Protocol):
    """One row of the plan.

    Three marks are for a few steps only, and absent from all others: `undo_first = True` undoes a step
    before all others, and `remembers_first = True` keeps what a step made until those are undone;
    `may_fail = True` makes whatever goes wrong in its `do` a warning.
    """

    @property
    def name(self) -> str:
        """What webhooks, logs and docs call the step; it never changes."""

    @property
    def title(self) -> str:
        """What it does, in a few words."""

    @property
    def needs(self) -> tuple[str, ...]:
        """The names of the steps that must be done first."""

    async def do(self, c: Context) -> Made:
        """Make it, or take over what this run made before; return facts, never a secret.

        Raises:
            VhdliftError: it cannot be done; `StepWarning` if the run may go on.
        """

    async def undo(self, c: Context) -> Sequence[Leftover]:
        """Remove what this run made; return what could not be removed, nothing when all is gone."""
