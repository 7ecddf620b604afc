"""Parse, call, and turn what happened into an exit code, a sentence and a hint; nothing else."""

from __future__ import annotations

import os
import signal
import sys
from contextlib import suppress
from typing import TYPE_CHECKING, Annotated, Any

import typer

from vhdlift import __version__
from vhdlift.cli.group import LazyGroup
from vhdlift.errors import ExitCode, VhdliftError
from vhdlift.memory import give_back_what_is_freed

if TYPE_CHECKING:
    from collections.abc import Sequence
    from types import FrameType

app = typer.Typer(
    cls=LazyGroup,
    add_completion=False,
    rich_markup_mode=None,
    context_settings={"help_option_names": ["-h", "--help"]},
    epilog="Start with `vhdlift rehearse`: it needs no account. `vhdlift COMMAND --help` says more.",
)


def _version(asked: bool) -> None:
    if asked:
        typer.echo(f"vhdlift {__version__}")
        raise typer.Exit


@app.callback()
def vhdlift(
    _version: Annotated[
        bool,
        typer.Option("--version", callback=_version, is_eager=True, help="Show the version and exit."),
    ] = False,
) -> None:
    """A fresh Windows VM in Azure, and an existing one's disk as a bootable VHD.

    One command; told at each step by webhook, at the end by e-mail; nothing left behind.
    """


def main() -> None:
    """The entry point of the console script."""
    _open_what_is_closed()
    give_back_what_is_freed()
    signal.signal(signal.SIGTERM, _like_interrupt)
    code = run(sys.argv[1:])
    if code == ExitCode.INTERRUPTED:
        _leave(code)
    sys.exit(code)


def run(args: Sequence[str]) -> int:
    """Do what the arguments say; the exit code. Nothing is raised, and no traceback is shown."""
    given = list(args) or ["--help"]
    try:
        code = typer.main.get_command(app).main(given, prog_name="vhdlift", standalone_mode=False)
    except typer.TyperException as error:
        return _misused(error, args)
    except VhdliftError as error:
        from vhdlift.cli.failure import tell  # noqa: PLC0415  # only a failure pays for it

        return tell(error, as_json="--json" in args)
    except Exception as error:  # noqa: BLE001  # whatever it is, the user gets a sentence
        from vhdlift.cli.failure import tell_unexpected  # noqa: PLC0415

        return tell_unexpected(error, as_json="--json" in args)
    if code == ExitCode.INTERRUPTED:  # before there was a run, so there is nothing to go on with
        typer.echo("Interrupted.", err=True)
    return int(code or ExitCode.COMPLETED) if args else int(ExitCode.USAGE)


def _misused(error: typer.TyperException, args: Sequence[str]) -> int:
    """Usage errors of the parser: the sentence, and where the help is."""
    from vhdlift.cli.failure import tell  # noqa: PLC0415
    from vhdlift.errors import UsageError  # noqa: PLC0415

    context: Any = getattr(error, "ctx", None)
    command = context.command_path if context else "vhdlift"
    return tell(
        UsageError([error.format_message()], f"`{command} --help` shows what it takes."), "--json" in args
    )


def _open_what_is_closed() -> None:
    """Who starts us without stdout or stderr (`>&-`) wants to hear nothing; no file may take their place."""
    for name in ("stdout", "stderr"):
        if getattr(sys, name) is None:
            setattr(sys, name, open(os.devnull, "w"))  # noqa: PTH123, SIM115  # as long as the process


def _leave(code: int) -> None:
    """End at once: the engine's threads would work on, and hold the process, if they were waited for."""
    with suppress(OSError):
        sys.stdout.flush()
        sys.stderr.flush()
    os._exit(code)


def _like_interrupt(_number: int, _frame: FrameType | None) -> None:
    """A pipeline that ends us with SIGTERM gets the same care as a person with Ctrl-C."""
    signal.raise_signal(signal.SIGINT)
