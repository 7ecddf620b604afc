"""Show a run while something works on it, then say how it ended."""

from __future__ import annotations

from shlex import quote
from typing import TYPE_CHECKING, Any

from vhdlift.cli.ending import tell_end
from vhdlift.cli.interrupt import Interrupted, run_unless_interrupted
from vhdlift.cli.view import view_of

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine

    from vhdlift.cli.view import Showing
    from vhdlift.engine.store import Outcome
    from vhdlift.model import Event, Run, Spec

    Tell = Callable[[Run, Outcome, bool], int]
    Work = Callable[[Callable[[Event], None]], Coroutine[Any, Any, Outcome]]


def follow(showing: Showing, work: Work, tell: Tell = tell_end) -> int:
    """Show the events of `work` as they come, and its outcome at the end; the exit code.

    Args:
        showing: what is worked on, and how it is shown.
        work: takes where to hand events to, and returns how the run ended.
        tell: says how it ended; returns the exit code.

    Raises:
        Interrupted: Ctrl-C; the picture stays as it was. Says so when the source VM may be off.
    """
    source = SourceVm()
    with view_of(showing) as view:

        def show(event: Event) -> None:
            source.hear(event)
            view.show(event)

        try:
            outcome = run_unless_interrupted(work(show), showing.run.id)
        except Interrupted as stopped:
            raise source.told_with(stopped, showing.run.spec) from None
    return tell(showing.run, outcome, showing.as_json)


class SourceVm:
    """Whether the source VM may be off because of the run, as the run's events tell it."""

    def __init__(self) -> None:
        self._ran = self._stopped = False

    def hear(self, event: Event) -> None:
        """Take an event in."""
        if (event.step, event.state) == ("source_inspected", "done"):
            self._ran = event.details.get("source_power_state") == "running"
        elif event.step == "source_stopped":
            self._stopped = event.state != "undone"
        elif (event.step, event.state) == ("source_restarted", "done"):
            self._stopped = False

    def told_with(self, stopped: Interrupted, spec: Spec) -> Interrupted:
        """The same error, which also says how the VM is started, if it may be off."""
        if not (self._ran and self._stopped) or spec.source_stop == "none":
            return stopped
        start = (
            f"az vm start --resource-group {quote(spec.source_resource_group)} --name {quote(spec.source_vm)}"
        )
        sentence = f"{stopped.sentence} The source VM {spec.source_vm} may be off: `{start}` starts it."
        return Interrupted(sentence, stopped.hint)
