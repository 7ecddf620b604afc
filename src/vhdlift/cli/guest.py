"""`vhdlift guest`: look into the guest's log, or let it try again, on the VM of a run."""

from __future__ import annotations

import asyncio
from enum import StrEnum
from typing import TYPE_CHECKING, Annotated, Any

import typer

from vhdlift.cli import output
from vhdlift.cli.ending import leftovers as leftover_lines
from vhdlift.cli.stored import opened
from vhdlift.cli.taking import CLOUD, PLACES, AsJson, RunId, takes_settings
from vhdlift.errors import ExitCode
from vhdlift.guest.commands import LOGS, RESUME
from vhdlift.settings import load_settings

if TYPE_CHECKING:
    from vhdlift.azure.run_command import Printed
    from vhdlift.engine.store import RunRow, Store
    from vhdlift.settings import Settings


class Action(StrEnum):
    """What is done on the VM."""

    LOGS = "logs"
    RESUME = "resume"


What = Annotated[Action, typer.Argument(help="logs: the end of its log. resume: try again after a failure.")]
_SCRIPTS = {Action.LOGS: LOGS, Action.RESUME: RESUME}


@takes_settings(*PLACES, *CLOUD)
def guest(given: dict[str, Any], action: What, run: RunId, as_json: AsJson = False) -> int:
    """Reach the guest, the program on the target VM, through Azure's Run Command.

    `logs` prints the end of its log, 4 KB at most. `resume` gives a phase that failed all its attempts again;
    the VM must still be there, as with --on-failure keep. Exit code 3 when the command itself could not be
    removed from the VM.
    """
    settings = load_settings(given)
    with opened(settings) as store:
        row = store.find(run)
        printed = asyncio.run(_run(settings, store, row, action))
    code = ExitCode.LEFTOVERS if printed.left else ExitCode.COMPLETED
    if as_json:
        left = [one.to_json() for one in printed.left]
        result = {"run_id": row.id, "output": printed.output, "leftovers": left, "exit_code": int(code)}
        output.emit("result", result)
    else:
        output.write(printed.output.replace("\r\n", "\n").rstrip())
        for line in leftover_lines(printed.left):
            output.print_info(line)
    return int(code)


async def _run(settings: Settings, store: Store, row: RunRow, action: Action) -> Printed:
    from vhdlift.azure.clients import open_clients  # noqa: PLC0415  # slow to import
    from vhdlift.azure.run_command import run_on_vm  # noqa: PLC0415

    async def ledger(resource_id: str) -> None:
        await asyncio.to_thread(store.add_ledger, row.id, "vhd_exported", resource_id)

    mine = settings.model_copy(update={"subscription_id": row.run.spec.subscription_id})
    async with open_clients(mine) as azure:
        return await run_on_vm(azure, row.run, action.value, _SCRIPTS[action], ledger)
