"""`vhdlift worker`: a process that carries on the runs of others."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

from vhdlift.cli import output
from vhdlift.cli.taking import NOT_KEPT, AsJson, takes_settings
from vhdlift.errors import ExitCode
from vhdlift.settings import load_settings

if TYPE_CHECKING:
    from vhdlift.model import Run


@takes_settings(*NOT_KEPT)
def worker(given: dict[str, Any], as_json: AsJson = False) -> int:
    """Carry on the runs that nobody works on, and deliver posts that still wait, until Ctrl-C or SIGTERM.

    A run whose process died goes on here after fifteen seconds; one that its user interrupted waits for its
    user. With VHDLIFT_DATABASE_URL, workers on several machines share all runs, and each takes over those
    of a machine that went away. Credentials, passwords and addresses come from this process's environment,
    and should be the same for all workers.
    """
    from vhdlift.engine import api  # noqa: PLC0415  # slow to import

    def taken(run: Run) -> None:
        if as_json:
            output.emit("taken", {"run_id": run.id, "vm_name": run.spec.vm_name})
        else:
            output.write(f"Took up run {run.id} ({run.spec.vm_name}).")

    settings = load_settings(given)
    output.print_info("Looking for runs that nobody works on. Ctrl-C ends the worker, not the runs.")
    try:
        asyncio.run(api.serve(settings, on_taken=taken))
    except KeyboardInterrupt:
        output.print_info("Stopped. What was under way goes on with the next worker, or `vhdlift resume`.")
    return int(ExitCode.COMPLETED)
