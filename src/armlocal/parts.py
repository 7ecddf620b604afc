"""The parts beside ARM that the world needs, as Protocols: storage, disks, exports, the guest.

The core calls these and nothing else of them; tests pass small doubles in.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Protocol

if TYPE_CHECKING:
    from pathlib import Path

    from armlocal.state import Resource


class StorageBackend(Protocol):
    """The service that holds blobs (Azurite)."""

    async def add_account(self, name: str, key1: str, key2: str) -> None:
        """Makes the account usable with these base64 keys; the same account again changes its keys."""

    async def remove_account(self, name: str) -> None:
        """Takes the account and its blobs away; nothing happens when there is none."""

    def endpoint(self, name: str) -> str:
        """The blob endpoint, `https://127.0.0.1:port/name/`."""

    async def reset(self) -> None:
        """Takes all accounts away."""


class DiskFiles(Protocol):
    """The bytes of disks and snapshots: raw fixed VHDs under the lower-case ARM id. Its calls block."""

    def plant_source(self, disk_id: str) -> None:
        """Puts the source machine's disk under this id (made once, then cloned). May take seconds."""

    def snapshot(self, source_id: str, target_id: str) -> None:
        """Copies the bytes of one disk or snapshot to another id, sharing blocks where it can be done."""

    def has(self, resource_id: str) -> bool:
        """Whether there are bytes under this id. Disks made from an image or empty have none."""

    def open(self, resource_id: str) -> Path:
        """The file: data and footer.

        Raises:
            KeyError: there are no bytes under this id.
        """

    def size(self, resource_id: str) -> int:
        """The virtual size in bytes, without the footer.

        Raises:
            KeyError: there are no bytes under this id.
        """

    def remove(self, resource_id: str) -> None:
        """Takes the bytes away; nothing happens when there are none."""

    def reset(self) -> None:
        """Takes all bytes away, but what it made the source disk from."""


class Exports(Protocol):
    """Read access to disks and snapshots by SAS."""

    def grant(self, resource_id: str, seconds: int) -> str:
        """A new grant: path and query such as `/_export/md-x/abcd?sv=...&sig=...`.

        Args:
            resource_id: the disk or snapshot.
            seconds: how long it holds, from now.
        """

    def revoke(self, resource_id: str) -> None:
        """Ends all grants of this id; nothing happens when there are none."""

    def reset(self) -> None:
        """Ends all grants."""


@dataclass(frozen=True)
class ExtensionResult:
    """How the extension's handler ended on the machine.

    Attributes:
        ok: whether the command returned 0.
        stdout: what it printed, the last 4 KB.
        message: when not ok, the inner message of ARM's error: what the handler says went wrong.
    """

    ok: bool
    stdout: str = ""
    message: str = ""


@dataclass(frozen=True)
class CommandResult:
    """How a script ended that Run Command ran on the machine."""

    exit_code: int
    output: str = ""
    error: str = ""


class Guest(Protocol):
    """What happens inside the target machine."""

    async def run_extension(
        self, vm: Resource, settings: dict[str, Any], protected_settings: dict[str, Any]
    ) -> ExtensionResult:
        """Does what the CustomScriptExtension's handler does; returns when the command has ended.

        What the command started in the background may go on until `stop`.
        """

    async def run_command(self, vm: Resource, script: str) -> CommandResult:
        """Runs a PowerShell script as SYSTEM; returns when it has ended."""

    async def stop(self, vm_id: str) -> None:
        """The machine is off or gone: whatever runs on it ends. Nothing happens when nothing runs."""

    async def reset(self) -> None:
        """Ends everything on all machines."""
