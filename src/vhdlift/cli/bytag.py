"""Removing runs by their tags: looked for, shown, asked about, removed; `gc` and `cleanup --run-id` share it.

No database is needed, and none is changed.
"""

from __future__ import annotations

import asyncio
import sys
from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated, Any

import typer

from vhdlift.cli import output
from vhdlift.cli.asking import confirmed
from vhdlift.cli.ending import leftovers as leftover_lines
from vhdlift.errors import ExitCode, UsageError
from vhdlift.model import NEVER

if TYPE_CHECKING:
    from datetime import datetime

    from vhdlift.azure.belongings import Belongings, Survey
    from vhdlift.errors import Leftover
    from vhdlift.settings import Settings

InGroup = Annotated[
    str, typer.Option("--resource-group", metavar="GROUP", help="Look in this resource group only.")
]
DryRun = Annotated[bool, typer.Option("--dry-run", help="Only show what would be removed.")]
Yes = Annotated[bool, typer.Option("--yes", "-y", help="Do not ask first.")]

_DAY = 24 * 3600


@dataclass(frozen=True)
class Wish:
    """What is to be removed, and how.

    Attributes:
        run_id: the run; any when it is empty, and then only those that are past their expiry.
        group: the only resource group to look in; empty for the whole subscription.
        dry_run: only show.
        yes: do not ask.
        as_json: whether `--json` was given.
    """

    run_id: str = ""
    group: str = ""
    dry_run: bool = False
    yes: bool = False
    as_json: bool = False


@dataclass(frozen=True)
class Found:
    """A run that has something in Azure: what, as ids, and what is not known about its source VM."""

    belongings: Belongings
    ids: list[str]
    doubt: str
    now: datetime

    @property
    def is_expired(self) -> bool:
        """Whether its time is over, by Azure's clock."""
        expires = self.belongings.expires
        return expires is not None and expires < self.now

    def to_json(self) -> dict[str, Any]:
        """Plain data."""
        expires, source = self.belongings.expires, self.belongings.source
        return {
            "run_id": self.belongings.run_id,
            "expires": expires.isoformat() if expires else NEVER,
            "expired": self.is_expired,
            "source_vm": f"{source.group}/{source.name}" if source else None,
            "power_to_give_back": source.wanted if source else None,
            "resources": self.ids,
            "doubt": self.doubt,
        }


def carry_out(settings: Settings, wish: Wish) -> int:
    """Look, show, ask, remove; the exit code.

    Raises:
        UsageError: nobody can be asked, and `--yes` was not given.
        VhdliftError: Azure could not be asked.
    """
    if not (wish.dry_run or wish.yes or sys.stdin.isatty()):
        raise UsageError(
            ["Nobody can be asked here, and nothing is removed unasked."],
            "--dry-run shows what would be removed; --yes removes it.",
        )
    survey, found = asyncio.run(_look(settings, wish))
    chosen = [one for one in found if wish.run_id or one.is_expired]
    if not wish.as_json:
        _show(wish, found, chosen)
    left = list(survey.unseen)
    if chosen and not wish.dry_run:
        if not (wish.yes or confirmed(_question(chosen))):
            output.print_info("Nothing was touched.")
            return int(ExitCode.FAILED)
        left += asyncio.run(_remove(settings, wish, chosen))
    return _tell_end(wish, found, chosen, left)


async def _look(settings: Settings, wish: Wish) -> tuple[Survey, list[Found]]:
    from vhdlift.azure.belongings import survey  # noqa: PLC0415  # slow to import
    from vhdlift.azure.clients import open_clients  # noqa: PLC0415
    from vhdlift.azure.patience import heard_by  # noqa: PLC0415
    from vhdlift.azure.removal import doubt_about_source  # noqa: PLC0415

    async with open_clients(settings) as azure:
        with heard_by(_heard):
            seen = await survey(azure, wish.run_id, wish.group)
            runs = sorted(seen.runs.values(), key=lambda one: one.run_id)
            return seen, [
                Found(one, one.ids(azure), await doubt_about_source(azure, one), seen.now) for one in runs
            ]


async def _remove(settings: Settings, wish: Wish, chosen: list[Found]) -> list[Leftover]:
    """One run after the other: each has its source VM given back before anything of it goes."""
    from vhdlift.azure.clients import open_clients  # noqa: PLC0415
    from vhdlift.azure.patience import heard_by  # noqa: PLC0415
    from vhdlift.azure.removal import remove  # noqa: PLC0415

    left: list[Leftover] = []
    async with open_clients(settings) as azure:
        with heard_by(_heard):
            for one in chosen:
                run_id = one.belongings.run_id

                def told(thing_id: str, rows: list[Leftover], run_id: str = run_id) -> None:
                    _tell(wish, run_id, thing_id, rows)

                left += await remove(azure, one.belongings, told, wish.group)
    return left


async def _heard(said: str, _details: dict[str, Any]) -> None:
    output.print_info(said)


def _show(wish: Wish, found: list[Found], chosen: list[Found]) -> None:
    if not chosen:
        where = f"in the resource group {wish.group}" if wish.group else "in the subscription"
        what = f"carries the tag of run {wish.run_id}" if wish.run_id else "is past its expiry"
        output.write(f"Nothing {where} {what}.")
    for one in chosen:
        output.write(f"run {one.belongings.run_id}, {_age(one)}: {len(one.ids)} to remove")
        source = one.belongings.source
        if source is not None and source.wanted is not None:
            output.write(f"  first, {source.group}/{source.name} is given back its state: {source.wanted}")
        for thing_id in one.ids:
            output.write(f"  {thing_id}")
    for one in (one for one in found if one not in chosen):
        output.write(f"run {one.belongings.run_id}, {_age(one)}: its {len(one.ids)} stay")
    for one in (one for one in chosen if one.doubt):
        output.print_warn(one.doubt)


def _age(one: Found) -> str:
    expires = one.belongings.expires
    if expires is None:
        return "which does not expire"
    days = abs(int((one.now - expires).total_seconds())) // _DAY
    spoken = "less than a day" if days == 0 else "1 day" if days == 1 else f"{days} days"
    return f"expired {spoken} ago" if one.is_expired else f"which expires in {spoken}"


def _question(chosen: list[Found]) -> str:
    things = sum(len(one.ids) for one in chosen)
    runs = "this run" if len(chosen) == 1 else f"these {len(chosen)} runs"
    return f"Remove all that {runs} made ({things} resources, finished VHDs included)?"


def _tell(wish: Wish, run_id: str, thing_id: str, left: list[Leftover]) -> None:
    if wish.as_json:
        state = "leftover" if left else "undone"
        rows = [row.to_json() for row in left]
        output.emit("event", {"run_id": run_id, "state": state, "resource_id": thing_id, "leftovers": rows})
    else:
        output.write(f"{'LEFT' if left else 'gone':<5} {thing_id}")


def _tell_end(wish: Wish, found: list[Found], chosen: list[Found], left: list[Leftover]) -> int:
    code = ExitCode.LEFTOVERS if left and not wish.dry_run else ExitCode.COMPLETED
    if wish.as_json:
        data = {
            "dry_run": wish.dry_run,
            "runs": [{**one.to_json(), "chosen": one in chosen} for one in found],
            "leftovers": [row.to_json() for row in left],
        }
        output.emit("result", {**data, "exit_code": int(code)})
        return int(code)
    if left:
        output.print_error("Not everything could be looked at." if wish.dry_run else "Something is left.")
        for line in leftover_lines(left):
            output.print_info(line)
    elif chosen and not wish.dry_run:
        output.print_success("All of it is gone.")
    return int(code)
