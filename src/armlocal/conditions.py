"""What the subscription grants, beside the resources in it: rights, quotas, registered providers.

A client can change only the last of them; the rest is set by `/_control/`.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from starlette.responses import JSONResponse, Response
from starlette.routing import Route

if TYPE_CHECKING:
    from collections.abc import Iterable

    from starlette.requests import Request

    from armlocal.state import World


@dataclass(frozen=True)
class Grant:
    """A role that the caller has at a scope: what it may do there and below."""

    scope: str
    actions: tuple[str, ...]
    not_actions: tuple[str, ...] = ()

    def holds(self, path: str) -> bool:
        """Whether it is valid for this path; an empty scope is the whole subscription."""
        scope = self.scope.lower().rstrip("/")
        return not scope or path.lower() == scope or path.lower().startswith(f"{scope}/")

    def allows(self, action: str) -> bool:
        """Whether it has the action. What a role excludes, another may still give."""
        return _any(self.actions, action) and not _any(self.not_actions, action)


OWNER = Grant("", ("*",))


@dataclass
class Conditions:
    """What is granted.

    Attributes:
        grants: the caller's roles.
        limits: quotas that differ from the usual, by the lower-case name of their usage.
        registrations: providers that are not `Registered`, by namespace: the state, and when it ends.
    """

    grants: tuple[Grant, ...] = (OWNER,)
    limits: dict[str, int] = field(default_factory=dict)
    registrations: dict[str, tuple[str, float]] = field(default_factory=dict)

    def clear(self) -> None:
        """All is as usual again."""
        self.grants = (OWNER,)
        self.limits.clear()
        self.registrations.clear()

    def limit(self, name: str, usual: int) -> int:
        """The limit of a usage."""
        return self.limits.get(name.lower(), usual)

    def at(self, path: str) -> list[Grant]:
        """The roles that the caller has at a path, from above too."""
        return [grant for grant in self.grants if grant.holds(path)]


def _any(patterns: Iterable[str], action: str) -> bool:
    return any(
        re.fullmatch(re.escape(pattern).replace(r"\*", ".*"), action, re.IGNORECASE) for pattern in patterns
    )


def condition_routes(world: World) -> list[Route]:
    """`POST rights`, a list of `{"scope", "actions", "notActions"}`; `POST limits`, `{"usage": limit}`."""

    async def rights(request: Request) -> Response:
        given: list[dict[str, Any]] = await request.json()
        world.conditions.grants = tuple(
            Grant(str(one.get("scope", "")), tuple(one["actions"]), tuple(one.get("notActions", ())))
            for one in given
        )
        return Response(status_code=204)

    async def limits(request: Request) -> Response:
        given: dict[str, int] = await request.json()
        world.conditions.limits.update({name.lower(): int(value) for name, value in given.items()})
        return JSONResponse(world.conditions.limits)

    return [
        Route("/_control/rights", rights, methods=["POST"]),
        Route("/_control/limits", limits, methods=["POST"]),
    ]
