"""Azurite as a child process: started over HTTPS on a free port, told its accounts, and never left behind."""

from __future__ import annotations

import asyncio
import json
import os
import re
from typing import TYPE_CHECKING, BinaryIO

from armlocal.azurite.install import HERE, ensure_installed, node

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

_LISTENS = re.compile(r"successfully listens on (\S+)")
_START_SECONDS = 60.0
_STOP_SECONDS = 5.0

Keys = tuple[str, str]


class StorageDiedError(Exception):
    """Azurite ended, or did not start; its log says why."""


class AzuriteProcess:
    """One running Azurite; `url` has no path and no slash at its end."""

    def __init__(self, process: asyncio.subprocess.Process, log: Path) -> None:
        self.url = ""
        self._process = process
        self._log = log
        self._busy = asyncio.Lock()

    @classmethod
    async def start(cls, folder: Path, certificate: Path, key: Path) -> AzuriteProcess:
        """Starts Azurite and waits until it listens.

        Args:
            folder: where it keeps its data and its log; made if absent.
            certificate: PEM chain for 127.0.0.1.
            key: its private key, PEM.

        Raises:
            InstallError: it is not in the cache and npm failed.
            StorageDiedError: it did not start.
        """
        home = await asyncio.to_thread(ensure_installed)
        log = folder / "azurite.log"
        with _new_log(log) as sink:
            process = await asyncio.create_subprocess_exec(
                *_command(folder, certificate, key),
                env=_environment(home),
                stdin=asyncio.subprocess.PIPE,
                stdout=asyncio.subprocess.PIPE,
                stderr=sink,
            )
        started = cls(process, log)
        try:
            async with asyncio.timeout(_START_SECONDS):
                started.url = await started._line(_LISTENS)
        except BaseException:
            await started.stop()
            raise
        return started

    async def set_accounts(self, accounts: Mapping[str, Keys]) -> None:
        """From now on these accounts exist, and no others; keys are base64."""
        text = "".join(f"{name}:{first}:{second};" for name, (first, second) in accounts.items())
        async with self._busy:
            assert self._process.stdin is not None
            self._process.stdin.write(json.dumps({"accounts": text or ";"}).encode() + b"\n")
            await self._process.stdin.drain()
            await self._line(re.compile(r'^\{"accounts":(\d+)\}'))

    async def stop(self) -> None:
        """Ends it; nothing happens when it has ended."""
        if self._process.stdin is not None:
            self._process.stdin.close()
        try:
            async with asyncio.timeout(_STOP_SECONDS):
                await self._process.wait()
        except TimeoutError:
            self._process.kill()
            await self._process.wait()

    async def _line(self, wanted: re.Pattern[str]) -> str:
        """The first group of the next line on stdout that matches."""
        assert self._process.stdout is not None
        while line := await self._process.stdout.readline():
            if found := wanted.search(line.decode(errors="replace")):
                return found.group(1)
        raise StorageDiedError(f"Azurite ended; see {self._log}")


def _new_log(path: Path) -> BinaryIO:
    path.parent.mkdir(parents=True, exist_ok=True)
    return path.open("ab")


def _command(folder: Path, certificate: Path, key: Path) -> list[str]:
    return [
        *(str(node()), str(HERE / "launcher.js"), "--blobHost", "127.0.0.1", "--blobPort", "0"),
        *("--silent", "--disableTelemetry", "--skipApiVersionCheck"),
        *("--location", str(folder), "--cert", str(certificate), "--key", str(key)),
    ]


def _environment(home: Path) -> dict[str, str]:
    """No account at all at first, and compiled modules kept for the next start."""
    ours = {
        "AZURITE_HOME": str(home),
        "AZURITE_ACCOUNTS": ";",
        "NODE_COMPILE_CACHE": str(home.with_suffix(".compiled")),
    }
    return {**os.environ, **ours}
