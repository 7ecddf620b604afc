"""The commands by name and help line; a command's module is imported when it is called, not before.

`vhdlift --help` must answer at once, and Azure's SDKs alone take longer to import than a person waits.
"""

from __future__ import annotations

import logging
from importlib import import_module
from typing import TYPE_CHECKING, Any

import typer
from typer.core import TyperGroup

if TYPE_CHECKING:
    from collections.abc import Callable

COMMANDS = {
    "rehearse": "The whole job on this machine, against a stand-in for Azure.",
    "check": "What would make a run fail, looked up without changing anything.",
    "plan": "The steps of a run and the names of everything it would make.",
    "provision": "A fresh Windows VM, and the source VM's disk as a bootable VHD.",
    "runs": "All runs, the newest first.",
    "show": "All about one run.",
    "watch": "Follow a run until it ends.",
    "resume": "Go on with a run that was interrupted.",
    "cancel": "End a run and undo what it did.",
    "cleanup": "Undo a run: remove everything it made.",
    "worker": "Carry on the runs that nobody works on.",
    "guest": "Read the log on the target VM, or let its program try again.",
    "gc": "Remove what expired runs left behind, found by tag alone.",
    "script": "The PowerShell program for the target VM, secrets replaced.",
}


class LazyGroup(TyperGroup):
    """A group that knows its commands' help lines without importing them."""

    def __init__(self, **attrs: Any) -> None:
        super().__init__(**attrs)
        self.suggest_commands = True
        self.commands = dict.fromkeys(COMMANDS)  # type: ignore[assignment]  # the names, for suggestions

    def list_commands(self, ctx: Any) -> list[str]:  # noqa: ARG002
        """The commands in the order a newcomer meets them."""
        return list(COMMANDS)

    def get_command(self, ctx: Any, cmd_name: str) -> Any:  # noqa: ARG002
        """The command, imported now; None when there is none of this name."""
        return load(cmd_name) if cmd_name in COMMANDS else None

    def format_commands(self, ctx: Any, formatter: Any) -> None:  # noqa: ARG002
        """Help lines from the table, with nothing imported."""
        with formatter.section("Commands"):
            formatter.write_dl(list(COMMANDS.items()))


def load(name: str) -> Any:
    """The parsed form of the function `name` in the module `vhdlift.cli.<name>`.

    Args:
        name: a key of `COMMANDS`.
    """
    logging.getLogger().addHandler(logging.NullHandler())  # libraries must not speak on our stderr
    module = import_module(f"vhdlift.cli.{name}")
    return as_command(getattr(module, name), COMMANDS[name])


def as_command(function: Callable[..., Any], short_help: str) -> Any:
    """A function with typed parameters as a command; its docstring is the help text."""
    app = typer.Typer(add_completion=False, rich_markup_mode=None)
    app.command(function.__name__, short_help=short_help)(function)
    return typer.main.get_command(app)
