"""What the looks of preflight share: asked once, whoever comes first."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from vhdlift.azure import dns
from vhdlift.azure.plainly import Json, plain_list
from vhdlift.azure.power import read_vm
from vhdlift.azure.sizes import no_price
from vhdlift.azure.waiting import asked
from vhdlift.errors import VhdliftError
from vhdlift.model import Run

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine

    from vhdlift.azure.clients import Azure
    from vhdlift.azure.identity import Identity
    from vhdlift.model import Spec

_PERMISSIONS = "2022-04-01"


@dataclass
class Scene:
    """The run that would start, and what is known of where it would.

    Attributes:
        azure: the clients.
        spec: what is asked for.
        run: the run, once it has its id.
        price: of a VM size for an hour, with its currency; None where it is not known.
        resolvers: who is asked about the domain.
        identity: who asks; known before anything else.
        group_exists: whether the target's resource group is there; known before anything else.
    """

    azure: Azure
    spec: Spec
    run: Run | None
    price: Callable[[str], str | None] = no_price
    resolvers: tuple[str, ...] = ()
    identity: Identity | None = None
    group_exists: bool = False
    _asked: dict[str, asyncio.Task[Any]] = field(default_factory=dict)

    @property
    def subscription(self) -> str:
        """The subscription as a scope."""
        return f"/subscriptions/{self.azure.subscription_id}"

    def group(self, name: str) -> str:
        """A resource group as a scope."""
        return f"{self.subscription}/resourceGroups/{name}"

    @property
    def some_run(self) -> Run:
        """The run, or one without an id; what comes from the id then means nothing, and is not to be used."""
        return self.run or Run("", self.spec, "2000-01-01T00:00:00+00:00", "")

    @property
    def target(self) -> str:
        """The scope that the target is made in: its group, or the subscription if that has yet to be made."""
        return self.group(self.spec.resource_group) if self.group_exists else self.subscription

    async def source_vm(self) -> Any:
        """The source VM with its instance view.

        Raises:
            VhdliftError: what Azure answered.
        """
        spec = self.spec
        return await self._once("vm", lambda: read_vm(self.azure, spec.source_resource_group, spec.source_vm))

    async def zone(self) -> Any | None:
        """The DNS zone, or None.

        Raises:
            VhdliftError: what Azure answered, or it is not clear which zone.
        """
        spec = self.spec
        return await self._once(
            "zone", lambda: dns.find_zone(self.azure, spec.domain, spec.dns_resource_group)
        )

    async def dns_group_exists(self) -> bool:
        """Whether the group that was named for the zone is there; true when none was named.

        Raises:
            VhdliftError: what Azure answered.
        """
        group = self.spec.dns_resource_group
        check, what = self.azure.resources.resource_groups.check_existence, f"looking for the group {group}"

        async def ask() -> bool:
            return bool(await asked(check, group, what=what, scale=self.azure.scale))

        return not group or bool(await self._once("dns group", ask))

    async def zone_group(self) -> str | None:
        """The resource group of the zone, or of the one that would be made; None when it is not known.

        What keeps it from being known is told by the look at the zone.
        """
        try:
            zone = await self.zone()
        except VhdliftError:
            return None
        return (
            dns.group_of(str(zone.id)) if zone else self.spec.dns_resource_group or self.spec.resource_group
        )

    async def permissions(self, scope: str) -> list[Json]:
        """What the caller's roles give at a scope, a row for each role.

        Raises:
            VhdliftError: what Azure answered.
        """
        path = f"{scope}/providers/Microsoft.Authorization/permissions"
        what = f"reading the caller's rights on {scope}"
        rows: list[Json] = await self._once(
            scope, lambda: plain_list(self.azure, path, _PERMISSIONS, what=what)
        )
        return rows

    async def _once(self, name: str, ask: Callable[[], Coroutine[Any, Any, Any]]) -> Any:
        if name not in self._asked:
            self._asked[name] = asyncio.ensure_future(ask())
        return await asyncio.shield(self._asked[name])
