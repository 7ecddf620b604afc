"""`vhdlift plan`: what a run would do and make, how long and for how much, told without asking anyone."""

from __future__ import annotations

from dataclasses import replace
from itertools import takewhile
from pathlib import Path  # noqa: TC003  # typer reads it
from typing import TYPE_CHECKING, Annotated, Any

import typer

from vhdlift.cli import estimate as estimates
from vhdlift.cli import output
from vhdlift.cli.machinery import current_plan
from vhdlift.cli.taking import AsJson, takes_settings
from vhdlift.errors import ExitCode
from vhdlift.forecast.costs import price_table
from vhdlift.model import CONTAINER, SERVICES, Run
from vhdlift.settings import load_settings

if TYPE_CHECKING:
    from vhdlift.cli.board import Plan
    from vhdlift.cli.estimate import Estimate

OF_THE_SOURCE = "where the source VM is"
OF_THE_RUN = "..."


@takes_settings()
def plan(
    given: dict[str, Any],
    disk_gib: Annotated[
        float | None,
        typer.Option("--disk-gib", min=1, help="The size of the source's OS disk. [default: 127, as usual]"),
    ] = None,
    used_gib: Annotated[
        float | None,
        typer.Option("--used-gib", min=1, help="How much of it holds data. [default: half]"),
    ] = None,
    prices: Annotated[
        Path | None, typer.Option("--prices", help="A price table (JSON) in place of the list prices.")
    ] = None,
    as_json: AsJson = False,
) -> int:
    """Show the steps of a run, when each starts, the names of all that would be made, and the expected cost.

    Nothing is touched and nobody is asked, so no sign-in is needed. Names that end in ... are completed
    from the id that a run gets when it starts. Durations are from recorded times and the disk's size.
    """
    assumed = estimates.Assumed(disk_gib, used_gib, price_table(prices))
    settings = load_settings(given, for_run=True)
    spec = settings.spec(location=settings.location or OF_THE_SOURCE)
    run = Run("0" * 26, spec, "1970-01-01T00:00:00Z", "")
    steps = current_plan()
    made = estimates.estimate(spec, steps, assumed)
    if as_json:
        output.emit("result", {**as_data(run, steps, made), "exit_code": int(ExitCode.COMPLETED)})
        return int(ExitCode.COMPLETED)
    for line in lines(run, steps, made):
        output.write(line)
    return int(ExitCode.COMPLETED)


def as_data(run: Run, steps: Plan, made: Estimate) -> dict[str, Any]:
    """Steps, names and estimate as plain data."""
    return {
        "steps": [{"name": name, "needs": list(needs)} for name, needs in steps.items()],
        "names": dict(names(run)),
        "spec": run.spec.to_json(),
        "estimate": estimates.as_data(made),
    }


def lines(run: Run, steps: Plan, made: Estimate) -> list[str]:
    """Steps, names and costs as three tables."""
    spec = run.spec
    total = f"About {estimates.clock(made.seconds)} for"
    at_once = max(
        sum(one.starts <= step.starts < one.ends for one in made.steps.values())
        for step in made.steps.values()
    )
    head = f"{spec.source_vm} -> {spec.vm_name} in {spec.resource_group}, {spec.location}"
    return [
        head,
        "",
        *output.table(("", "step", "starts", "takes", "waits for"), estimates.step_rows(steps, made)),
        "",
        f"{total} a disk of {made.disk_gib:g} GiB that holds {made.used_gib:g} GiB.",
        "Steps with a * are the critical path: the run ends later when they do.",
        f"Steps with one start begin together; {at_once} are under way at the same time, at most.",
        "",
        *output.table(("what is made", "name"), [(what, name) for what, name in names(run)]),
        "",
        *estimates.cost_lines(made),
    ]


def names(run: Run) -> list[tuple[str, str]]:
    """What would be made, and what it would be called; the run's own part of a name as `...`."""
    ours = run.names
    others = [replace(run, id=str(number)).names for number in range(8)]

    def name(attribute: str) -> str:
        found = [str(getattr(one, attribute)) for one in (ours, *others)]
        same = takewhile(lambda chars: len(set(chars)) == 1, zip(*found, strict=True))
        return found[0] if len(set(found)) == 1 else "".join(chars[0] for chars in same) + OF_THE_RUN

    return [
        ("resource group", f"{ours.group} (unless it exists)"),
        ("snapshot, until the VHD is verified", name("snapshot")),
        ("storage account of the VHD", name("export_account")),
        ("the VHD", f"{CONTAINER}/{ours.artefact}"),
        ("its manifest", f"{CONTAINER}/{ours.manifest}"),
        ("storage account of the script, for a while", name("script_account")),
        ("setup script", ours.script_blob),
        ("virtual network", ours.vnet),
        ("public IP address", ours.public_ip),
        ("network security group", f"{ours.nsg} (unless it exists)"),
        ("network interface", ours.nic),
        ("DNS zone", f"{ours.zone} (unless it exists)"),
        *((f"A record of {service}", ours.host(service)) for service in SERVICES),
        ("virtual machine", ours.vm),
        ("its OS disk", ours.os_disk),
    ]
