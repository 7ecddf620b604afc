"""The last lines about a run: what there is now and where, or what failed and what is left."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from vhdlift.cli import output
from vhdlift.cli.board import size
from vhdlift.errors import ExitCode

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from vhdlift.engine.store import Outcome
    from vhdlift.errors import Leftover
    from vhdlift.model import Run

SERVICES = {"web": "Moonlight", "drop": "drop files", "pin": "pin code"}


def tell_end(run: Run, outcome: Outcome, as_json: bool) -> int:
    """Say how the run ended; the exit code."""
    if as_json:
        output.emit("result", as_data(run, outcome, outcome.exit_code))
        return int(outcome.exit_code)
    if outcome.status == "completed":
        output.write()
        for line in completed(run, outcome):
            output.write(line)
    else:
        _tell_failure(run, outcome)
    for line in [*remains(outcome), *undelivered(run, outcome)]:
        output.print_info(line)
    return int(outcome.exit_code)


def tell_undone(run: Run, outcome: Outcome, as_json: bool) -> int:
    """Say how an undo ended that the user asked for: it failed only if something is left; the exit code."""
    if outcome.status == "completed":  # before it could be cancelled
        return tell_end(run, outcome, as_json)
    code = ExitCode.LEFTOVERS if outcome.leftovers else ExitCode.COMPLETED
    if as_json:
        output.emit("result", as_data(run, outcome, code))
        return int(code)
    if outcome.leftovers:
        output.print_error("Not everything that the run made could be removed.")
    else:
        output.print_success(f"Everything that run {run.id} made is gone.")
    for line in [*remains(outcome), *undelivered(run, outcome)]:
        output.print_info(line)
    return int(code)


def as_data(run: Run, outcome: Outcome, code: ExitCode) -> dict[str, Any]:
    """How the run ended, as plain data."""
    data = {"run_id": run.id, "vm_name": run.spec.vm_name, **outcome.to_json()}
    return {**data, "exit_code": int(code)}


def completed(run: Run, outcome: Outcome) -> list[str]:
    """What there is now: the addresses, the artefact and the mail."""
    facts = outcome.facts or {}
    lines = [f"{run.spec.vm_name} is up, and the disk of {run.spec.source_vm} is ready as a VHD.", ""]
    addresses = facts.get("services", {})
    lines += [_item(label, addresses[name]) for name, label in SERVICES.items() if name in addresses]
    if url := facts.get("artefact_url"):
        lines += ["", *_artefact(str(url), facts)]
    if facts.get("email_to"):
        lines += ["", _item("mail to", ", ".join(facts["email_to"]))]
    return lines


def remains(outcome: Outcome) -> list[str]:
    """What could not be removed, with the command for each; and what was kept on purpose."""
    lines: list[str] = []
    if outcome.leftovers:
        lines += [f"Left behind ({len(outcome.leftovers)}):", *leftovers(outcome.leftovers)]
    if outcome.kept:
        lines += [f"Kept, as asked ({len(outcome.kept)}):", *(f"  {one}" for one in outcome.kept)]
    return lines


def leftovers(rows: Iterable[Leftover]) -> list[str]:
    """Each leftover as three lines: its id, the reason, the command that removes it."""
    return [
        text for row in rows for text in (f"  {row.resource_id}", f"    {row.reason}", f"    {row.command}")
    ]


def undelivered(run: Run, outcome: Outcome) -> list[str]:
    """That the webhook's receiver did not take everything, if so."""
    if not outcome.undelivered:
        return []
    return [f"{outcome.undelivered} webhook posts were not taken; `vhdlift show {run.id}` names them."]


def _tell_failure(run: Run, outcome: Outcome) -> None:
    where = f"{outcome.failed_step}: " if outcome.failed_step and outcome.status == "failed" else ""
    output.print_error(f"{where}{outcome.reason or outcome.status}")
    if outcome.hint:
        output.print_info(outcome.hint)
    if outcome.exit_code == ExitCode.FAILED and not outcome.kept:
        output.print_info("Everything the run made is gone.")
    elif outcome.kept:
        output.print_info(f"`vhdlift cleanup {run.id}` removes what was kept.")


def _artefact(url: str, facts: Mapping[str, Any]) -> list[str]:
    """The address on a line of its own, so that it can be copied whole."""
    length = facts.get("artefact_size")
    of = f" ({size(length)})" if isinstance(length, int) else ""
    digest = [f"  sha256 {facts['sha256']}"] if facts.get("sha256") else []
    return [f"  the VHD{of}", f"  {url}", *digest]


def _item(label: str, value: str) -> str:
    return f"  {label:<10}  {value}"
