"""Which VM sizes a location offers this subscription, and which of them can carry the target VM.

Read from the Microsoft.Compute/skus of the location. Capability names and values as recorded from the
service: all values are strings ("True", "6", "V1,V2", retirement as month/day/year).
"""

from __future__ import annotations

import math
import re
from dataclasses import dataclass
from datetime import UTC, date, datetime
from typing import TYPE_CHECKING, Any

from vhdlift.azure.values import text
from vhdlift.azure.waiting import listed

if TYPE_CHECKING:
    from collections.abc import Callable

    from vhdlift.azure.clients import Azure

_NAME = re.compile(r"^(?:Standard_)?([A-Z]+)(\d+)(?:-\d+)?([a-z]*)(?:_(?!v\d)\w+?)*(?:_v(\d+))?(?:_Promo)?$")
_REASONS = {
    "NotAvailableForSubscription": "it is not available to this subscription",
    "QuotaId": "the kind of this subscription does not include it",
}

# Nested virtualization, for a notice only: lines without it, and for others the last version without it. Not
# compared with Microsoft's pages of the size series, which are what decides.
_NEVER_NESTS = frozenset({"A", "DC", "EC", "G", "GS", "H", "NC", "ND", "NP", "NV"})
_NESTS_AFTER = {"B": 1, "D": 2, "DS": 2, "F": 1, "L": 1}


def no_price(_size: str) -> None:
    """The price of a VM size where no table is at hand."""


@dataclass(frozen=True)
class Size:
    """One VM size of a location, as far as the choice depends on it; memory and local disk in GiB.

    `refused` holds one clause for each thing that keeps the target VM from running on it. `nests` says
    whether VMs can run in it, which the export does not need.
    """

    name: str
    family: str
    vcpus: int
    memory_gib: float
    refused: tuple[str, ...]
    local_gib: float = 0.0
    nests: bool = True

    def describe(self, price: str | None = None) -> str:
        """The name with what it has, and costs where that is known, for a list of alternatives."""
        local = f"local disk {self.local_gib:g} GiB" if self.local_gib else "no local disk"
        told = [f"{self.vcpus} vCPU", f"{self.memory_gib:g} GiB", local, *([price] if price else [])]
        return f"{self.name} ({', '.join(told)})"


@dataclass(frozen=True)
class Verdict:
    """The answer about one size: why it cannot be used (empty: it can), and what comes nearest."""

    name: str
    location: str
    size: Size | None
    reasons: tuple[str, ...]
    nearest: tuple[Size, ...]

    @property
    def compatible(self) -> bool:
        """Whether the target VM can be made with it."""
        return not self.reasons

    @property
    def sentence(self) -> str:
        """The refusal, with each reason."""
        return f"The VM size {self.name} cannot be used in {self.location}: {'; '.join(self.reasons)}."

    @property
    def hint(self) -> str:
        """The nearest sizes that can be used."""
        return self.alternatives(no_price)

    def alternatives(self, price: Callable[[str], str | None]) -> str:
        """The same, with what each costs where `price` knows it."""
        if not self.nearest:
            return f"No compatible VM size was found in {self.location}; choose another --location."
        told = ", ".join(size.describe(price(size.name)) for size in self.nearest)
        return f"The nearest sizes that fit: {told}."


async def get_compatible_vm_sizes(azure: Azure, location: str) -> list[Size]:
    """The sizes of `location` on which the target VM can run, smallest first.

    Raises:
        VhdliftError: Azure did not answer with the list.
    """
    sizes = await _sizes(azure, location)
    return sorted((s for s in sizes if not s.refused), key=lambda s: (s.vcpus, s.memory_gib, s.name))


async def check_vm_size_compatibility(
    azure: Azure, location: str, name: str, count: int = 3, *, always_nearest: bool = False
) -> Verdict:
    """Whether the size `name` can carry the target VM in `location`, and the `count` nearest that can.

    The nearest are looked for when it cannot, and with `always_nearest`, when Azure had no room for it.

    Raises:
        VhdliftError: Azure did not answer with the list.
    """
    sizes = await _sizes(azure, location)
    found = next((s for s in sizes if s.name.lower() == name.lower()), None)
    reasons = found.refused if found else (f"{location} does not offer it",)
    others = [s for s in sizes if s.name.lower() != name.lower()]
    nearest = nearest_sizes(name, found, others)[:count] if reasons or always_nearest else ()
    return Verdict(name, location, found, reasons, tuple(nearest))


def nearest_sizes(name: str, wanted: Size | None, sizes: list[Size]) -> list[Size]:
    """The usable ones of `sizes`, nearest to `name` first.

    The same line of families comes first (D for D4s_v3), then the distance in vCPUs and memory, each
    counted in doublings, then the same features, then the newest version.
    """
    line, cores, features, _ = _parts(name)
    vcpus = float(wanted.vcpus) if wanted else float(cores)
    memory = wanted.memory_gib if wanted else 4.0 * vcpus

    def distance(size: Size) -> tuple[bool, float, int, int, str]:
        its_line, _, its_features, version = _parts(size.name)
        doublings = _doublings(vcpus, size.vcpus) + _doublings(memory, size.memory_gib)
        different = len(set(features) ^ set(its_features))
        return (its_line != line, round(doublings, 3), different, -version, size.name)

    return sorted((s for s in sizes if not s.refused), key=distance)


def read_size(sku: Any, location: str, today: date) -> Size:
    """One SKU of the service's answer; what it does not say counts against it only where it must be known."""
    can = {c.name: c.value or "" for c in sku.capabilities or []}
    vcpus, memory = _number(can.get("vCPUs")), _number(can.get("MemoryGB"))
    refused = [*_unfit(can), *_restricted(sku, location), *_retired(can.get("RetirementDateUtc"), today)]
    if not vcpus or not memory:
        refused.append("Azure does not say how many vCPUs and how much memory it has")
    name, local = sku.name or "", round(_number(can.get("MaxResourceVolumeMB")) / 1024)
    return Size(name, sku.family or "", int(vcpus), memory, tuple(refused), local, _nests(name))


async def _sizes(azure: Azure, location: str) -> list[Size]:
    skus = await listed(
        azure.compute.resource_skus.list,
        filter=f"location eq '{location}'",
        what=f"listing the VM sizes of {location}",
        scale=azure.scale,
    )
    today = datetime.now(UTC).date()
    return [read_size(s, location, today) for s in skus if s.resource_type == "virtualMachines"]


def _unfit(can: dict[str, str]) -> list[str]:
    problems = []
    # Sizes that are older than the capability do not carry it; all of them are x64.
    if (architecture := can.get("CpuArchitectureType") or "x64").lower() != "x64":
        problems.append(f"its processors are {architecture}, the Windows images are x64")
    generations = can.get("HyperVGenerations")
    if not generations:
        problems.append("Azure does not say whether it runs generation 2 VMs")
    elif "V2" not in generations.split(","):
        problems.append("it does not run generation 2 VMs")
    if can.get("TrustedLaunchDisabled", "").lower() == "true":
        problems.append("it does not support Trusted Launch")
    return problems


def _restricted(sku: Any, location: str) -> list[str]:
    """Restrictions that keep the size from this subscription; single zones do not, none is asked for."""
    problems = []
    for restriction in sku.restrictions or []:
        info = restriction.restriction_info
        code = text(restriction.reason_code) or "restricted"
        reason = f"{_REASONS.get(code, 'it is restricted')} ({code})"
        where = {
            str(v).lower() for v in [*(restriction.values_property or []), *((info and info.locations) or [])]
        }
        if restriction.type == "Location" and location.lower() in where:
            problems.append(reason)
        if (
            restriction.type == "Zone"
            and (zones := _zones(sku))
            and not zones - set((info and info.zones) or [])
        ):
            problems.append(f"{reason}, in all zones")
    return problems[:1]


def _nests(name: str) -> bool:
    """Whether VMs run in VMs of this size, which no capability says."""
    line, _, _, version = _parts(name)
    return line not in _NEVER_NESTS and version > _NESTS_AFTER.get(line, 0)


def _zones(sku: Any) -> set[str]:
    return {z for info in sku.location_info or [] for z in info.zones or []}


def _retired(text: str | None, today: date) -> list[str]:
    day = _day(text or "")
    return [f"it was retired on {day.isoformat()}"] if day and day <= today else []


def _day(text: str) -> date | None:
    if match := re.match(r"^(\d{1,2})/(\d{1,2})/(\d{4})", text):
        month, day, year = (int(g) for g in match.groups())
        return date(year, month, day)
    if match := re.match(r"^(\d{4})-(\d\d)-(\d\d)", text):
        return date(*(int(g) for g in match.groups()))
    return None


def _parts(name: str) -> tuple[str, int, str, int]:
    match = _NAME.match(name)
    if not match:
        return name, 0, "", 0
    line, cores, features, version = match.groups()
    return line, int(cores), features or "", int(version or 1)


def _doublings(one: float, other: float) -> float:
    return abs(math.log2(max(one, 0.5)) - math.log2(max(other, 0.5)))


def _number(text: str | None) -> float:
    try:
        return float(text or 0)
    except ValueError:
        return 0.0
