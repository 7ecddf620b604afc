"""Preflight of the subscription itself: whether Azure answers, its clock, and its resource providers."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

from vhdlift.azure.findings import Finding, Severity
from vhdlift.azure.patience import date_of
from vhdlift.azure.plainly import least
from vhdlift.azure.together import together
from vhdlift.azure.waiting import asked
from vhdlift.errors import NotAllowed

if TYPE_CHECKING:
    from vhdlift.azure.clients import Azure
    from vhdlift.azure.scene import Scene

PROVIDERS = ("Microsoft.Compute", "Microsoft.Network", "Microsoft.Storage")
SCHEDULES = "Microsoft.DevTestLab"

WRONG_CLOCK = timedelta(minutes=5)
"""From here on receivers of signed webhooks may take our posts for replays."""

USELESS_CLOCK = timedelta(minutes=15)
"""A SAS of ours begins this much in the past, so with a clock that is further ahead it is not valid yet."""


@dataclass(frozen=True)
class Knock:
    """The first answer of ARM.

    Attributes:
        group_exists: whether the group that was asked for is there; a group that may not be read counts as
            one that is not.
        ahead: how far our clock is ahead of Azure's; None if the answer had no date.
    """

    group_exists: bool
    ahead: timedelta | None


async def knock(azure: Azure, group: str) -> Knock:
    """One small question to ARM, whether a resource group is there.

    Raises:
        SignInNeeded: the token is not taken.
        AzureRefused: ARM cannot be reached, or refuses to work.
    """
    dates: list[str] = []

    def keep(response: Any) -> None:
        dates.append(str(response.http_response.headers.get("Date", "")))

    check = azure.resources.resource_groups.check_existence
    what = f"looking for the resource group {group}"
    try:
        there = await asked(
            check, group, raw_response_hook=keep, what=what, kind="probe", scale=least(azure.scale)
        )
    except NotAllowed:
        there = False
    now, theirs = datetime.now(UTC), date_of(dates[-1]) if dates and dates[-1] else None
    return Knock(bool(there), now - theirs if theirs else None)


def clock(knocked: Knock) -> list[Finding]:
    """Whether this machine and Azure agree on the time; a second or two is the network's."""
    ahead = knocked.ahead
    if ahead is None or abs(ahead) < WRONG_CLOCK:
        return []
    severity: Severity = "error" if ahead > USELESS_CLOCK else "warning"
    minutes = round(abs(ahead) / timedelta(minutes=1))
    way, then = (
        ("ahead of", "signatures that are made here are not valid yet in Azure")
        if ahead > timedelta()
        else ("behind", "signatures that are made here end too early")
    )
    message = f"The clock of this machine is {minutes} minutes {way} Azure's: {then}."
    return [Finding("clock", severity, message, "the Date of an answer of ARM", "timedatectl set-ntp true")]


async def providers(scene: Scene) -> list[Finding]:
    """Whether the subscription is registered with the providers of all that a run makes."""
    needed = (*PROVIDERS, *((SCHEDULES,) if scene.spec.auto_shutdown else ()))
    answers = await together(*(_provider(scene.azure, name) for name in needed))
    return [finding for answer in answers for finding in answer]


async def registration(azure: Azure, name: str) -> str:
    """How the subscription stands with a provider: `Registered`, `NotRegistered` and others.

    Raises:
        VhdliftError: what Azure answered.
    """
    what = f"reading the registration of {name}"
    there = await asked(azure.resources.providers.get, name, what=what, scale=azure.scale)
    return str(there.registration_state or "")


async def is_registered(azure: Azure, name: str) -> bool:
    """Whether the subscription is registered with a provider.

    Raises:
        VhdliftError: what Azure answered.
    """
    return (await registration(azure, name)).lower() == "registered"


async def _provider(azure: Azure, name: str) -> list[Finding]:
    state = await registration(azure, name)
    if state.lower() == "registered":
        return []
    severity: Severity = "warning" if state.lower() == "registering" else "error"
    message = f"The subscription is not registered with {name} ({state or 'no state'})."
    command = f"az provider register --namespace {name} --wait"
    return [Finding("provider", severity, message, f"the registration of {name}", command)]
