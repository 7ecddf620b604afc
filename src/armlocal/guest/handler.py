"""The CustomScriptExtension's handler: it downloads the files, and looks whether the command can run.

Sentences of failures are those of the Windows handler 1.10, as its users and its documentation quote them.
"""

from __future__ import annotations

import asyncio
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any
from urllib.parse import unquote, urlsplit

import httpx

if TYPE_CHECKING:
    from collections.abc import Mapping

_TRIES = 3
_PAUSE = 10.0
_FILE = re.compile(r"-File\s+(?:\"([^\"]+)\"|(\S+))", re.IGNORECASE)


class HandlerError(Exception):
    """The extension fails; the text is its inner message."""


@dataclass(frozen=True)
class Command:
    """What the extension was asked to run, and from where."""

    line: str
    uris: tuple[str, ...]


def read_settings(settings: Mapping[str, Any], protected: Mapping[str, Any]) -> Command:
    """The command, from either part of the settings.

    Raises:
        HandlerError: a key stands in both parts, or there is no command.
    """
    for key in ("commandToExecute", "fileUris"):
        if key in settings and key in protected:
            raise HandlerError(
                f"Invalid handler configuration. Exiting. Error Message: Invalid Configuration - '{key}' was "
                "specified in both the public and the protected settings; it may be in one of them only"
            )
    both = {**settings, **protected}
    line = both.get("commandToExecute")
    if not isinstance(line, str) or not line.strip():
        raise HandlerError(
            "Invalid handler configuration. Exiting. Error Message: Invalid Configuration - CommandToExecute "
            "is not specified in the configuration; it must be specified"
        )
    return Command(line, tuple(both.get("fileUris") or ()))


async def download(client: httpx.AsyncClient, uris: tuple[str, ...], scale: float) -> dict[str, bytes]:
    """The files by their names: what follows the container in the address's path.

    Raises:
        HandlerError: one could not be downloaded, after three tries.
    """
    files = {}
    for uri in uris:
        name = unquote(urlsplit(uri).path).rsplit("/", 1)[-1]
        files[name] = await _fetch(client, uri, scale)
    return files


def script_of(command: Command, files: Mapping[str, bytes]) -> bytes:
    """The script that the command names.

    Raises:
        HandlerError: it names none that was downloaded.
    """
    found = _FILE.search(command.line)
    name = (found[1] or found[2]) if found else ""
    name = name.removeprefix(".\\").removeprefix("./")
    if name not in files:
        said = (
            f"The argument '{name}' to the -File parameter does not exist. Provide the path to an existing "
            "'.ps1' file as an argument to the -File parameter."
        )
        raise failed_command(said, -196608)
    return files[name]


def failed_command(stderr: str, code: int = 1) -> HandlerError:
    """The failure of a command that ended with another code than 0."""
    return HandlerError(
        f"Command execution finished, but failed because it returned a non-zero exit code of: '{code}'. The "
        f"command had an error output of: '{stderr}' For more information, check the instance view by "
        "executing Get-AzVmssVm or Get-AzVm (https://aka.ms/GetAzVm). These commands can be executed using "
        "CloudShell (https://aka.ms/CloudShell)"
    )


async def _fetch(client: httpx.AsyncClient, uri: str, scale: float) -> bytes:
    said = ""
    for attempt in range(1, _TRIES + 1):
        try:
            answer = await client.get(uri)
        except httpx.HTTPError as error:
            said = f"Unable to connect to the remote server ({type(error).__name__})"
        except httpx.InvalidURL:
            raise HandlerError("Invalid URI: The format of the URI could not be determined.") from None
        else:
            if answer.is_success:
                return answer.content
            said = f"The remote server returned an error: ({answer.status_code}) {answer.reason_phrase}."
        if attempt < _TRIES:
            await asyncio.sleep(_PAUSE * scale)
    raise HandlerError(f"Failed to download all specified files. Exiting. Error Message: {said}")
