"""A stand-in with its starting world, whose disks, exports and guest are small doubles in memory."""

from __future__ import annotations

import asyncio
import copy
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from armlocal.parts import CommandResult, ExtensionResult
from armlocal.startingworld import make_starting_world
from tests.armlocal.armworld import LOCATION, SCALE, Arm, running_arm

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path

    from armlocal.state import Resource
    from tests.armlocal.conftest import Certificates

GIB = 1024**3
PASSWORD = "Correct-Horse-7"
IMAGE = {
    "publisher": "MicrosoftWindowsServer",
    "offer": "WindowsServer",
    "sku": "2022-datacenter-g2",
    "version": "latest",
}


@dataclass
class Disks:
    """Sizes instead of bytes."""

    sizes: dict[str, int] = field(default_factory=dict)

    def plant_source(self, disk_id: str) -> None:
        self.sizes[disk_id.lower()] = 2 * GIB

    def snapshot(self, source_id: str, target_id: str) -> None:
        self.sizes[target_id.lower()] = self.sizes[source_id.lower()]

    def has(self, resource_id: str) -> bool:
        return resource_id.lower() in self.sizes

    def open(self, resource_id: str) -> Path:
        raise KeyError(resource_id)

    def size(self, resource_id: str) -> int:
        return self.sizes[resource_id.lower()]

    def remove(self, resource_id: str) -> None:
        self.sizes.pop(resource_id.lower(), None)

    def reset(self) -> None:
        self.sizes.clear()


@dataclass
class Grants:
    """What was granted and revoked."""

    granted: dict[str, int] = field(default_factory=dict)

    def grant(self, resource_id: str, seconds: int) -> str:
        self.granted[resource_id.lower()] = seconds
        return "/_export/md-1/abcd?sv=2018-03-28&sr=b&sig=x"

    def revoke(self, resource_id: str) -> None:
        self.granted.pop(resource_id.lower(), None)

    def reset(self) -> None:
        self.granted.clear()


@dataclass
class Handler:
    """The guest: ends as `result` says, after `seconds`."""

    result: ExtensionResult = field(default_factory=lambda: ExtensionResult(ok=True, stdout="started"))
    seconds: float = 0.0
    seen: list[tuple[str, dict[str, Any], dict[str, Any]]] = field(default_factory=list)
    command: CommandResult = field(default_factory=lambda: CommandResult(0, "said"))
    scripts: list[tuple[str, str]] = field(default_factory=list)
    stopped: list[str] = field(default_factory=list)

    async def run_command(self, vm: Resource, script: str) -> CommandResult:
        await asyncio.sleep(self.seconds)
        self.scripts.append((vm.name, script))
        return self.command

    async def run_extension(
        self, vm: Resource, settings: dict[str, Any], protected_settings: dict[str, Any]
    ) -> ExtensionResult:
        self.seen.append((vm.name, settings, protected_settings))
        await asyncio.sleep(self.seconds)
        return self.result

    async def stop(self, vm_id: str) -> None:
        self.stopped.append(vm_id)

    async def reset(self) -> None:
        self.seen.clear()


@dataclass(frozen=True)
class Machines:
    """A running stand-in with its doubles, and a group `t` with a free NIC."""

    arm: Arm
    disks: Disks
    grants: Grants
    guest: Handler
    nic: str

    @property
    def vm(self) -> str:
        """Where the tests' own machine is, or would be."""
        return self.arm.id("t", "Microsoft.Compute/virtualMachines/vm1")

    @property
    def source_disk(self) -> str:
        """The disk of the starting world's machine."""
        return self.arm.id("lab", "Microsoft.Compute/disks/lab-source_OsDisk")

    def body(self, **changes: Any) -> dict[str, Any]:
        """A machine that is taken; `a__b=value` changes `properties.a.b`, None takes the key away."""
        body = copy.deepcopy(_body(self.nic))
        for path, value in changes.items():
            *parents, last = path.split("__")
            place = body["properties"]
            for key in parents:
                place = place[key]
            place[last] = value
        return body

    async def make(self, **changes: Any) -> Any:
        """Makes the machine, and waits for it."""
        made = await self.arm.compute.virtual_machines.begin_create_or_update(
            "t", "vm1", self.body(**changes)
        )
        return await made.result()

    async def do(self, action: str, *arguments: Any, of: str = "virtual_machines") -> Any:
        """Calls a `begin_` method of the compute client, and waits."""
        poller = await getattr(getattr(self.arm.compute, of), f"begin_{action}")(*arguments)
        return await poller.result()

    async def slowly(self) -> None:
        """From now on operations take their recorded time."""
        self.arm.world.scale = 1.0


def _body(nic: str) -> dict[str, Any]:
    return {
        "location": LOCATION,
        "tags": {"run": "r1"},
        "properties": {
            "hardwareProfile": {"vmSize": "Standard_D2s_v5"},
            "storageProfile": {
                "imageReference": IMAGE,
                "osDisk": {
                    "createOption": "FromImage",
                    "managedDisk": {"storageAccountType": "StandardSSD_LRS"},
                },
            },
            "osProfile": {"computerName": "vm1", "adminUsername": "boss", "adminPassword": PASSWORD},
            "securityProfile": {
                "securityType": "TrustedLaunch",
                "uefiSettings": {"secureBootEnabled": True, "vTpmEnabled": True},
            },
            "networkProfile": {"networkInterfaces": [{"id": nic}]},
        },
    }


@asynccontextmanager
async def running_machines(
    certificates: Certificates, folder: Path, scale: float = SCALE
) -> AsyncIterator[Machines]:
    """Starts it."""
    async with running_arm(certificates, folder, scale=scale) as arm:
        disks, grants, guest = Disks(), Grants(), Handler()
        arm.world.disks, arm.world.exports, arm.world.guest = disks, grants, guest
        await make_starting_world(arm.world, arm.router)
        await arm.make_group("t")
        network = {
            "location": LOCATION,
            "properties": {
                "addressSpace": {"addressPrefixes": ["10.0.0.0/16"]},
                "subnets": [{"name": "s", "properties": {"addressPrefix": "10.0.0.0/24"}}],
            },
        }
        vnet = arm.id("t", "Microsoft.Network/virtualNetworks/v")
        await arm.router.invoke(arm.world, "PUT", vnet, network)
        nic = arm.id("t", "Microsoft.Network/networkInterfaces/nic1")
        configuration = {"name": "i", "properties": {"subnet": {"id": f"{vnet}/subnets/s"}}}
        body = {"location": LOCATION, "properties": {"ipConfigurations": [configuration]}}
        await arm.router.invoke(arm.world, "PUT", nic, body)
        yield Machines(arm, disks, grants, guest, nic)
