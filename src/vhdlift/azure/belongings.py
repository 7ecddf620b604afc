"""What belongs to runs, found by what Azure itself keeps: no database is asked.

| what | how it is known |
|---|---|
| resources and resource groups | the tag `vhdlift-run` |
| A records | the same name in their metadata |
| rules in a security group that was there before | the same name in their description |
| which VM to give what power state back | tags of the snapshot |

The OS disk of the target VM may have no tags yet; it is found by its VM when that goes.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import partial
from typing import TYPE_CHECKING, Any, cast

from vhdlift.azure import dns, network
from vhdlift.azure.ownership import Tagged, arm_id, exists, place_of, tag, tagged
from vhdlift.azure.patience import date_of
from vhdlift.azure.removal_parts import record_id, rule_of
from vhdlift.azure.waiting import listed
from vhdlift.errors import AzureRefused, Leftover, VhdliftError
from vhdlift.model import EXPIRES_TAG, NEVER, POWER_TAG, RUN_TAG, SOURCE_TAG

if TYPE_CHECKING:
    from collections.abc import Iterator

    from vhdlift.azure.clients import Azure
    from vhdlift.azure.power import Power

_POWERS = frozenset({"running", "stopped", "deallocated"})


@dataclass(frozen=True)
class Source:
    """The source VM of a run; `wanted` is the power state it is still to be given back, or None."""

    group: str
    name: str
    wanted: Power | None


@dataclass(frozen=True)
class RulePlace:
    """A rule in a network security group."""

    group: str
    security_group: str
    name: str


@dataclass
class Belongings:
    """All that one run has in Azure.

    Attributes:
        run_id: the run.
        things: resources with tags, those in resource groups first.
        records: its A records.
        rules: its rules in security groups that are not its own.
        ends: what is said about when it expires: one text of each thing.
    """

    run_id: str
    things: list[Tagged] = field(default_factory=list)
    records: list[dns.RecordPlace] = field(default_factory=list)
    rules: list[RulePlace] = field(default_factory=list)
    ends: set[str] = field(default_factory=set)

    @property
    def expires(self) -> datetime | None:
        """When it may be removed: the latest time that is told; None for never, and for what cannot be read.

        So whoever changes the tag of one resource keeps all of them for longer.
        """
        times = [_moment(text) for text in self.ends]
        return max((t for t in times if t is not None), default=None) if None not in times else None

    @property
    def source(self) -> Source | None:
        """Its source VM, if a tag names it."""
        told = next((t for t in (tag(thing.tags, SOURCE_TAG) for thing in self.things) if "/" in t), "")
        group, _, name = told.partition("/")
        power = next((p for p in (tag(thing.tags, POWER_TAG) for thing in self.things) if p), "")
        wanted = cast("Power", power) if power in _POWERS else None
        return Source(group, name, wanted) if group and name else None

    def ids(self, azure: Azure) -> list[str]:
        """The ARM ids of all of it."""
        rules = (rule_of(azure, rule.group, rule.security_group, rule.name).id for rule in self.rules)
        records = (record_id(azure, place) for place in self.records)
        return [*(thing.id for thing in self.things), *records, *rules]


@dataclass
class Survey:
    """What was found, and when.

    Attributes:
        now: the time by Azure's clock, as ours may be wrong by years.
        runs: what belongs to each run, by the run's id.
        unseen: where could not be looked.
    """

    now: datetime
    runs: dict[str, Belongings] = field(default_factory=dict)
    unseen: list[Leftover] = field(default_factory=list)

    def of(self, run_id: str, ends: str) -> Belongings:
        """The belongings of a run, which gets one more text about when it expires."""
        belongings = self.runs.setdefault(run_id, Belongings(run_id))
        belongings.ends.add(ends)
        return belongings


async def survey(azure: Azure, run_id: str = "", group: str = "") -> Survey:
    """Look for all that belongs to one run, or to any; changes nothing.

    Args:
        azure: the clients.
        run_id: the run; all runs when it is empty.
        group: the only resource group to look in; the whole subscription when it is empty.

    Raises:
        AzureRefused: there is no such resource group (code `ResourceGroupNotFound`).
        VhdliftError: what has tags could not be listed.
    """
    if group and not await exists(azure, arm_id(azure, group)):
        raise AzureRefused(f"There is no resource group {group}", "ResourceGroupNotFound", 404)
    dates: list[str] = []

    def note(answer: Any) -> None:
        dates.append(str(answer.http_response.headers.get("Date", "")))

    things = await tagged(azure, run_id, group, raw_response_hook=note)
    told = [date for date in map(date_of, dates) if date is not None]
    found = Survey(told[-1] if told else datetime.now(UTC))
    for thing in things:
        found.of(thing.run_id, tag(thing.tags, EXPIRES_TAG)).things.append(thing)
    await _look_for_records(azure, found, run_id, group)
    await _look_for_rules(azure, found, run_id, group)
    return found


async def _look_for_records(azure: Azure, found: Survey, run_id: str, group: str) -> None:
    zones = azure.dns.zones
    try:
        what = "listing the DNS zones"
        pages = partial(zones.list_by_resource_group, group) if group else zones.list
        for zone in await listed(pages, what=what, scale=azure.scale):
            zone_group, name = place_of(str(zone.id))
            for record in await dns.addresses(azure, name, zone_group):
                owner = tag(record.metadata, RUN_TAG)
                if owner and run_id in {"", owner}:
                    place = dns.RecordPlace(zone_group, name, str(record.name))
                    found.of(owner, tag(record.metadata, EXPIRES_TAG)).records.append(place)
    except VhdliftError as error:
        command = "az network dns zone list"
        found.unseen.append(
            _unseen(azure, group, f"Its DNS records could not be looked at: {error}", command)
        )


async def _look_for_rules(azure: Azure, found: Survey, run_id: str, group: str) -> None:
    groups = azure.network.network_security_groups
    try:
        what = "listing the network security groups"
        pages = partial(groups.list, group) if group else groups.list_all
        for security_group in await listed(pages, what=what, scale=azure.scale):
            if not tag(security_group.tags, RUN_TAG):
                _note_rules(found, security_group, run_id)
    except VhdliftError as error:
        reason = f"Its network security groups could not be looked at: {error}"
        found.unseen.append(_unseen(azure, group, reason, "az network nsg list"))


def _note_rules(found: Survey, security_group: Any, run_id: str) -> None:
    group, name = place_of(str(security_group.id))
    for owner, ends, rule in _owned(security_group):
        if run_id in {"", owner}:
            found.of(owner, ends).rules.append(RulePlace(group, name, rule))


def _owned(security_group: Any) -> Iterator[tuple[str, str, str]]:
    for rule in security_group.security_rules or []:
        owner, ends = network.run_of_rule(rule)
        if owner:
            yield owner, ends, str(rule.name)


def _unseen(azure: Azure, group: str, reason: str, command: str) -> Leftover:
    where = arm_id(azure, group) if group else f"/subscriptions/{azure.subscription_id}"
    return Leftover(where, reason, f"{command} --resource-group {group}" if group else command)


def _moment(text: str) -> datetime | None:
    if text in {"", NEVER}:
        return None
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        return None
    return moment if moment.tzinfo is not None else moment.replace(tzinfo=UTC)
