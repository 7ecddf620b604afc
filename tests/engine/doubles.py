"""Steps that make things in a list instead of in Azure, passed in where the engine takes steps."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager
from typing import Any

from vhdlift.engine import api
from vhdlift.engine.store import Outcome
from vhdlift.errors import Leftover, VhdliftError
from vhdlift.model import Event, Run, Spec
from vhdlift.settings import Settings
from vhdlift.steps.base import Context

Do = Callable[[Context], Awaitable[dict[str, Any]]]
Undo = Callable[[Context], Awaitable[Sequence[Leftover]]]

SPEC = Spec(
    subscription_id="00000000-0000-0000-0000-000000000001",
    source_vm="old",
    source_resource_group="lab",
    vm_name="lab1",
    resource_group="lab1-rg",
    location="uksouth",
    vm_size="Standard_D4s_v5",
    image="a:b:c:latest",
    os_disk_gb=128,
    admin_username="owner1",
    domain="example.org",
    subdomain="lab1",
    dns_resource_group=None,
    target_size_gib=None,
    ports=(80, 443),
    allow_from=("*",),
    email=(),
    tags={},
)


class Cloud:
    """What the fake steps have made and undone, in order."""

    def __init__(self) -> None:
        self.log: list[str] = []
        self.things: set[str] = set()
        self.refused: VhdliftError | None = None

    @asynccontextmanager
    async def clients(self, _settings: Settings) -> AsyncIterator[Cloud]:
        yield self

    async def sign_in(self) -> None:
        """Nothing but what `refused` says."""
        if self.refused is not None:
            raise self.refused

    async def inventory(self, _azure: Any, _run_id: str, _told: Sequence[str]) -> list[str]:
        return sorted(self.things)


class Fake:
    """A step that makes one thing, named after itself."""

    def __init__(
        self,
        cloud: Cloud,
        name: str,
        *needs: str,
        do: Do | None = None,
        undo: Undo | None = None,
        first: bool = False,
        remembers: bool = False,
    ) -> None:
        self.name = name
        self.title = f"makes {name}"
        self.needs = needs
        self.undo_first = first
        self.remembers_first = remembers
        self.may_fail = False
        self._cloud = cloud
        self._do = do
        self._undo = undo

    async def do(self, c: Context) -> dict[str, Any]:
        await c.ledger(f"/{self.name}")
        self._cloud.things.add(f"/{self.name}")
        made = await self._do(c) if self._do else {f"{self.name}_id": f"/{self.name}"}
        self._cloud.log.append(f"do {self.name}")
        return made

    async def undo(self, c: Context) -> Sequence[Leftover]:
        self._cloud.log.append(f"undo {self.name}")
        left = await self._undo(c) if self._undo else []
        if not left:
            self._cloud.things.discard(f"/{self.name}")
        return left


def run_of(**changes: Any) -> Run:
    """A run of the sample spec, with changes."""
    return api.new_run(Spec.from_json({**SPEC.to_json(), **changes}))


async def play(
    settings: Settings, cloud: Cloud, *steps: Fake, run: Run | None = None, events: list[Event] | None = None
) -> Outcome:
    """Run a plan of fake steps to its end."""
    seen = events if events is not None else []
    return await asyncio.wait_for(
        api.provision(
            settings,
            run or run_of(),
            seen.append,
            steps=steps,
            open_clients=cloud.clients,
            inventory=cloud.inventory,
        ),
        120,
    )
