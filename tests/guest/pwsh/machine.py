"""A Linux machine that passes for the guest's Windows: folders, programs, values, its own script."""

from __future__ import annotations

import hashlib
import io
import json
import os
import subprocess
import sys
import zipfile
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from uuid import UUID

from fixedvhd import BASIC_DATA, EFI_SYSTEM, MIB, RECOVERY, Partition, build_footer, build_gpt
from tests.guest.grammar import functions, parse, text_of
from tests.guest.pwsh.cloud import Cloud
from vhdlift.guest.render import agent, csharp
from vhdlift.guest.values import GuestValues
from vhdlift.tools import TOOLS, Tool

HERE = Path(__file__).parent
ROOT = HERE.parent.parent.parent
LONGEST_SECONDS = 180
SIZE = 32 * MIB
SECRET = "c2VjcmV0LXNlY3JldC1zZWNyZXQtc2VjcmV0"
HIDDEN = "s3cr3tW0rd"
DOUBLES = "\n".join((HERE / name).read_text("ascii") for name in ("doubles.ps1", "disks.ps1"))
# What the bootstrap leaves for the agent; the folder for the disk stands there as if from an earlier attempt.
BEGUN = """
if (-not (Test-Path -LiteralPath $script:StatePath)) {
    Open-Values
    Open-OrNewJob
    Set-Fact -Name 'work_folder' -Value $env:GUEST_WORK
    Register-Agent
}
"""
AGENT = BEGUN + "Start-Agent\nexit $script:ExitCode\n"
_PROGRAM = """#!/bin/sh
printf '%s\\n' "$(basename "$0") $*" >> "$GUEST_WORLD/deeds.txt"
exit 0
"""
_CADDY = """#!/bin/sh
printf '%s\\n' "caddy.exe $*" >> "$GUEST_WORLD/deeds.txt"
if [ "$1" = hash-password ]; then read -r word && printf '%s\\n' '$2a$14$of-what-came-in'; fi
"""
_AZCOPY = """#!{python}
import json, sys, urllib.request
if sys.argv[1:] == ["--version"]:
    print("azcopy version 10.32.8")
    sys.exit()
words = sys.argv[1:]
kind = next(w.partition("=")[2] for w in words if w.startswith("--blob-type"))
assert words[0] == "copy" and "--check-length=true" in words, words
told = json.dumps({{"PercentComplete": "50.0"}})
print(json.dumps({{"MessageType": "Progress", "MessageContent": told}}), flush=True)
with open(words[1], "rb") as file:
    put = urllib.request.Request(words[2], file.read(), {{"x-ms-blob-type": kind}}, method="PUT")
urllib.request.urlopen(put).close()
"""


def source(size: int = SIZE, *, contents: bytes = b"NTFS    ") -> bytes:
    """A small fixed VHD: EFI, Windows (partition 2), recovery behind it; each begins with its kind."""
    rows = (
        (1, EFI_SYSTEM, 1, 3, b"MSDOS5.0"),
        (2, BASIC_DATA, 4, 24, contents),
        (3, RECOVERY, 28, 2, b"NTFS    "),
    )
    partitions = [
        Partition(n, kind, UUID(int=n), first * 2048, (first + count) * 2048 - 1)
        for n, kind, first, count, _ in rows
    ]
    body = bytearray(size + 512)
    for patch in build_gpt(size, UUID(int=9), partitions):
        body[patch.offset : patch.offset + len(patch.data)] = patch.data
    for _, _, first, _, name in rows:
        body[first * MIB : first * MIB + 11] = b"\xeb\x52\x90" + name
        body[first * MIB + 4096 : first * MIB + 8192] = bytes(range(256)) * 16
    body[size:] = build_footer(size, UUID(int=5), datetime(2026, 1, 1, tzinfo=UTC))
    return bytes(body)


@dataclass(frozen=True)
class Done:
    """How a script ended."""

    code: int
    said: str

    @property
    def killed(self) -> bool:
        """By a signal, which a starter of PowerShell's may pass on as a number above 128."""
        return self.code < 0 or self.code > 128


@dataclass
class Machine:
    """One machine: what is on it survives its processes."""

    pwsh: str
    library: Path
    folder: Path
    cloud: Cloud
    more: dict[str, str] = field(default_factory=dict)

    def __post_init__(self) -> None:
        for name in ("data/vhdlift/tools", "system/System32", "world", "work"):
            (self.folder / name).mkdir(parents=True)
        for name in ("chkdsk", "defrag", "vssadmin", "bcdboot", "bcdedit", "reg"):
            self._program(self.folder / f"system/System32/{name}.exe", _PROGRAM)
        windows = self.folder / "world/volumes/2/Windows/System32/config"
        windows.mkdir(parents=True)
        (windows / "SYSTEM").write_bytes(b"regf")
        self.cloud.tools |= {
            "azcopy": _zipped("azcopy_10/azcopy.exe", _AZCOPY.format(python=sys.executable)),
            "caddy": _zipped("caddy.exe", _CADDY),
            "dufs": _zipped("dufs.exe", _PROGRAM),
        }

    def _program(self, path: Path, text: str) -> None:
        path.write_text(text)
        path.chmod(0o755)

    def values(self, **more: Any) -> GuestValues:
        """What a run would tell its guest."""
        url = self.cloud.url
        tools = {
            name: Tool(f"{url}/tools/{name}.zip", hashlib.sha256(content).hexdigest(), "1")
            for name, content in self.cloud.tools.items()
        }
        given: dict[str, Any] = {
            "snapshot_url": f"{url}/snapshot?sig={HIDDEN}A",
            "azure_sas_token": f"sv=2024-11-04&sig={HIDDEN}B",
            "webhook_url": f"{url}/hook?code={HIDDEN}C",
            "webhook_secret": f"whsec_{SECRET}",
            "run_id": "01RUN",
            "vm_name": "lab1",
            "resource_group": "rg",
            "location": "uksouth",
            "container_url": f"{url}/vhdusb",
            "artefact_name": "old1.vhd",
            "source_vm": "old1",
            "target_size_bytes": "0",
            "sas_expires": f"{datetime.now(UTC) + timedelta(hours=30):%Y-%m-%dT%H:%M:%SZ}",
            "time_scale": "0.001",
            "hyper_v": "off",
            "tools": {**TOOLS, **tools},
        }
        return GuestValues(**{**given, **more})

    def seal(self, **more: Any) -> None:
        """The values where the bootstrap would have put them."""
        texts = {name.upper(): text for name, text in self.values(**more).texts().items()}
        (self.folder / "data/vhdlift/values.dpapi").write_text(json.dumps(texts))

    def run(self, body: str = AGENT, *, head: str = "", **env: str) -> Done:
        """Run the guest's functions, then the doubles, then `body`, in a process of its own."""
        text = "\n".join((f"Add-Type -Path '{self.library}'", head, agent(), DOUBLES, MUTEX, body))
        return self.run_file(self._script(text), **env)

    def run_file(self, path: Path, **env: str) -> Done:
        """Run a script file."""
        done = subprocess.run(
            [self.pwsh, "-NoProfile", "-NonInteractive", "-File", str(path)],
            cwd=self.folder,
            env={**self.env(), **self.more, **env},
            capture_output=True,
            text=True,
            check=False,
            timeout=LONGEST_SECONDS,
        )
        return Done(done.returncode, done.stdout + done.stderr)

    def _script(self, text: str) -> Path:
        path = self.folder / "script.ps1"
        path.write_text(text, "ascii")
        return path

    def env(self) -> Mapping[str, str]:
        """Windows' variables, and those of the doubles."""
        return {
            **os.environ,
            "ProgramData": str(self.folder / "data"),
            "ProgramFiles": str(self.folder / "programs"),
            "SystemRoot": str(self.folder / "system"),
            "SystemDrive": "C:",
            "TZ": "UTC",
            "PYTHONPATH": str(ROOT),
            "POWERSHELL_TELEMETRY_OPTOUT": "1",
            "GUEST_WORLD": str(self.folder / "world"),
            "GUEST_WORK": str(self.folder / "work"),
            "GUEST_PYTHON": sys.executable,
            "GUEST_MUTEX": f"Global\\vhdlift-{hashlib.sha256(str(self.folder).encode()).hexdigest()[:12]}",
            "GUEST_FREE": str(15 * MIB),
            "GUEST_LEAST": str(MIB),
            "GUEST_TAKEN": str(UUID(int=7)),
        }

    def state(self) -> dict[str, Any]:
        """What the guest remembers."""
        found: dict[str, Any] = json.loads((self.folder / "data/vhdlift/state.json").read_text())
        return found

    def log(self) -> str:
        """The guest's log."""
        return (self.folder / "data/vhdlift/agent.log").read_text()

    def deeds(self) -> list[str]:
        """What the doubles did."""
        path = self.folder / "world/deeds.txt"
        return path.read_text().splitlines() if path.exists() else []


MUTEX = "$script:MutexName = $env:GUEST_MUTEX"


def build_library(pwsh: str, folder: Path) -> Path:
    """The guest's C#, compiled once by PowerShell's own compiler."""
    source_file, library = folder / "guest.cs", folder / "guest.dll"
    source_file.write_text(csharp(), "ascii")
    script = folder / "build.ps1"
    script.write_text(
        f"$text = [IO.File]::ReadAllText('{source_file}')\n"
        f"Add-Type -TypeDefinition $text -OutputAssembly '{library}' -OutputType Library -IgnoreWarnings\n"
    )
    command = [pwsh, "-NoProfile", "-NonInteractive", "-File", str(script)]
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=LONGEST_SECONDS)
    assert library.exists(), done.stdout + done.stderr
    return library


def guest_function(name: str) -> str:
    """The guest's own function, for a test that a double stands in the way of."""
    return text_of(functions(parse(agent()))[name]) + "\n"


def _zipped(name: str, text: str) -> bytes:
    memory = io.BytesIO()
    with zipfile.ZipFile(memory, "w") as archive:
        archive.writestr(name, text)
    return memory.getvalue()
