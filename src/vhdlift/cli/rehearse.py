"""`vhdlift rehearse`: the whole job on this machine, with nothing to set up and nothing to pay."""

from __future__ import annotations

import asyncio
import os
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from vhdlift.cli import output
from vhdlift.cli.board import size
from vhdlift.cli.fetching import fetch_artefact
from vhdlift.cli.interrupt import Interrupted
from vhdlift.cli.machinery import real
from vhdlift.cli.provision import Wishes, carry_out
from vhdlift.cli.standin import exports, isolated, standin
from vhdlift.cli.stored import opened
from vhdlift.cli.taking import AsJson  # noqa: TC001  # typer reads it
from vhdlift.errors import ExitCode, UsageError
from vhdlift.settings import load_settings, make_admin_password

if TYPE_CHECKING:
    import subprocess

    from vhdlift.settings import Settings

HOME = Path(".rehearsal")
VM_NAME = "rehearsal1"


def rehearse(
    folder: Annotated[
        Path | None,
        typer.Option("--dir", help="Where everything goes; must be empty. [default: .rehearsal/<time>]"),
    ] = None,
    time_scale: Annotated[
        float | None,
        typer.Option(
            "--time-scale", help="How long operations take, compared with the real service.", min=0.001
        ),
    ] = None,
    artefact: Annotated[
        Path | None, typer.Option("--artefact", metavar="FILE", help="Save the finished VHD to this file.")
    ] = None,
    keep_serving: Annotated[
        bool, typer.Option("--keep-serving", help="Leave the stand-in running until Ctrl-C.")
    ] = False,
    as_json: AsJson = False,
) -> int:
    """Rehearse the whole job on this machine: the real program against a stand-in for Azure.

    No account is needed, and no setting of yours is used, so nothing real can be touched. The exit code
    is that of the `vhdlift provision` that was rehearsed.
    """
    folder = _free_folder(folder)
    with standin(folder, time_scale) as process:
        settings = _settings(folder)
        code = _provision(settings, folder, as_json)
        saved = _save(settings, artefact) if code == ExitCode.COMPLETED and artefact else None
        _tell(folder, saved, as_json)
        if keep_serving:
            _serve(process, folder, as_json)
    return code


def whereabouts(folder: Path, saved: str | None) -> list[str]:
    """What there is to look at after a rehearsal, and how."""
    mails = sorted((folder / "mail").glob("*.eml"))
    told = [
        ("mail", str(mails[-1]) if mails else "none was sent"),
        ("webhook posts", str(folder / "webhooks.ndjson")),
        ("calls to Azure", str(folder / "requests.ndjson")),
        ("the run", f"vhdlift runs --state-dir {folder / 'state'}"),
        ("the VHD", saved or "kept in the stand-in's storage; --artefact FILE saves it"),
    ]
    return ["To look at:", *(f"  {label:<15} {value}" for label, value in told)]


def _free_folder(asked: Path | None) -> Path:
    """An empty folder: the one that was asked for, or a new one named after the time."""
    try:
        return _new_folder() if asked is None else _empty_folder(asked)
    except OSError as problem:
        said = f"the folder {str(asked or HOME)!r} cannot be used: {problem.strerror}"
        raise UsageError([said], "Name one that can be made, or is empty, with --dir.") from None


def _empty_folder(asked: Path) -> Path:
    if asked.exists() and (not asked.is_dir() or any(asked.iterdir())):
        raise UsageError([f"--dir is {str(asked)!r}: must be an empty folder, or none yet"])
    asked.mkdir(parents=True, exist_ok=True)
    return asked


def _new_folder() -> Path:
    stem = datetime.now().astimezone().strftime("%Y%m%d-%H%M%S")
    number = 1
    while True:
        folder = HOME / (stem if number == 1 else f"{stem}-{number}")
        try:
            folder.mkdir(parents=True)
        except FileExistsError:
            number += 1
        else:
            return folder


def _settings(folder: Path) -> Settings:
    """Those that the stand-in wrote down; the process's own environment becomes the same."""
    theirs = exports((folder / "env").read_text(encoding="utf-8"))
    environment = isolated(os.environ, theirs)
    environment["VHDLIFT_ADMIN_PASSWORD"] = make_admin_password()
    os.environ.clear()
    os.environ.update(environment)
    options = {"vm_name": VM_NAME, "state_dir": str(folder.absolute() / "state")}
    return load_settings(options, environment, folder, for_run=True)


def _provision(settings: Settings, folder: Path, as_json: bool) -> int:
    try:
        # Nothing here is anybody's, so no warning needs a second thought.
        return carry_out(settings, Wishes(as_json=as_json, force=True), real())
    except Interrupted:
        hint = f"The stand-in is stopped, so the run ends here; what there was is in {folder}."
        raise Interrupted("Interrupted: the rehearsal is not finished.", hint) from None


def _save(settings: Settings, file: Path) -> str:
    with opened(settings) as store:
        row = store.runs()[0]
        facts = store.facts(row.id)
    length = asyncio.run(fetch_artefact(settings, row.run, facts, file))
    return f"{file} ({size(length)})"


def _tell(folder: Path, saved: str | None, as_json: bool) -> None:
    if as_json:
        data: dict[str, Any] = {
            "dir": str(folder),
            "mail": [str(file) for file in sorted((folder / "mail").glob("*.eml"))],
            "webhooks": str(folder / "webhooks.ndjson"),
            "requests": str(folder / "requests.ndjson"),
            "artefact": saved,
        }
        output.emit("rehearsal", data)
        return
    output.write()
    for line in whereabouts(folder, saved):
        output.write(line)


def _serve(process: subprocess.Popen[bytes], folder: Path, as_json: bool) -> None:
    """Until Ctrl-C, which is how this is meant to end."""
    if not as_json:
        output.print_info(f"The stand-in goes on. In another terminal: . {folder / 'env'}   Ctrl-C ends it.")
    try:
        process.wait()
    except KeyboardInterrupt:
        output.print_info("")
