"""The end of the guest's log, fetched from the VM itself when the guest gave up."""

from __future__ import annotations

from typing import TYPE_CHECKING

from vhdlift.azure.run_command import run_on_vm
from vhdlift.errors import GuestFailed, VhdliftError
from vhdlift.guest.commands import LOGS
from vhdlift.steps.guest_report import clean

if TYPE_CHECKING:
    from vhdlift.steps.base import Context

_TAIL = 4000


async def with_log(c: Context, failure: GuestFailed, reported: str) -> GuestFailed:
    """The failure with the end of the log: from the VM if it can be had, else what the last report had of it.

    Never raises for what Azure answers: that the log cannot be had is no news beside the failure.
    """
    try:
        log = clean((await run_on_vm(c.azure, c.run, "logs", LOGS, c.ledger)).output, _TAIL)
    except VhdliftError as problem:
        await c.progress(f"Its log could not be read on the VM: {clean(problem.sentence, 500)}", {})
        log = ""
    log = log or clean(reported, _TAIL)
    return GuestFailed(failure.sentence + (f"\nThe end of its log:\n{log}" if log else ""), failure.hint)
