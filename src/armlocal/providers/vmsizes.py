"""The VM sizes this Azure sells: facts of each, and the shape in which Microsoft.Compute/skus tells them.

Source: recordings of Microsoft.Compute/skus (api 2021-07-01) for the shape and the D2_v2, D4s_v3, NV6 values,
Microsoft's public size pages for the rest. All capability values are strings, as on the real service.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from typing import Any

Json = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Family:
    """A family of sizes: the unit in which cores are limited."""

    name: str
    title: str
    generations: str
    vcpus_per_core: int
    acus: int | None
    limit: int
    more: dict[str, str]


@dataclass(frozen=True, slots=True)
class Size:
    """One VM size: memory in GB, temporary disk in MB, how many disks and interfaces it takes."""

    name: str
    vcpus: int
    memory_gb: int
    temp_mb: int
    disks: int
    nics: int
    family: Family

    @property
    def generations(self) -> tuple[str, ...]:
        """The Hyper-V generations it boots: "V1", "V2" or both."""
        return tuple(self.family.generations.split(","))

    @property
    def trusted_launch(self) -> bool:
        """Whether a Trusted Launch VM may have this size."""
        return "V2" in self.generations and self.family.more.get("TrustedLaunchDisabled") != "True"


@cache
def _data() -> Json:
    text = files(__package__).joinpath("vmsizes.json").read_text(encoding="utf-8")
    data: Json = json.loads(text)
    return data


@cache
def families() -> dict[str, Family]:
    """Every family by the name that Compute usages know it by."""
    return {
        name: Family(
            name,
            row["title"],
            row["gens"],
            row["per_core"],
            row.get("acus"),
            row.get("limit", 100),
            row.get("more", {}),
        )
        for name, row in _data()["families"].items()
    }


@cache
def sizes() -> dict[str, Size]:
    """Every size by its name in lower case."""
    return {
        row["name"].lower(): Size(
            row["name"],
            row["vcpus"],
            row["memory_gb"],
            row["temp_mb"],
            row["disks"],
            row["nics"],
            families()[row["family"]],
        )
        for row in _data()["sizes"]
    }


def find_size(name: str) -> Size | None:
    """The size of that name, in any case; None when Azure has none of that name."""
    return sizes().get(name.lower())


def restriction(size: Size) -> str | None:
    """Why this subscription may not use a size: "Location" (nowhere in the region), "Zone" or None."""
    kind: str | None = _data()["restricted"].get(size.name)
    return kind


def sold_in(size: Size, location: str) -> bool:
    """Whether the region sells the size at all."""
    return size.family.name not in _data()["absent"].get(location, ())


def capabilities(size: Size) -> list[dict[str, str]]:
    """The `capabilities` list of a VM size."""
    values: dict[str, str] = {
        "MaxResourceVolumeMB": str(size.temp_mb),
        "OSVhdSizeMB": "1047552",
        "vCPUs": str(size.vcpus),
        "MemoryPreservingMaintenanceSupported": "True",
        "HyperVGenerations": size.family.generations,
        "MemoryGB": str(size.memory_gb),
        "MaxDataDiskCount": str(size.disks),
        "CpuArchitectureType": "x64",
        "LowPriorityCapable": "True",
        "PremiumIO": "True",
        "VMDeploymentTypes": "IaaS",
        "vCPUsAvailable": str(size.vcpus),
        "vCPUsPerCore": str(size.family.vcpus_per_core),
        "EphemeralOSDiskSupported": str(size.temp_mb > 0),
        "EncryptionAtHostSupported": "True",
        "CapacityReservationSupported": "False",
        "AcceleratedNetworkingEnabled": "True",
        "RdmaEnabled": "False",
        "MaxNetworkInterfaces": str(size.nics),
    }
    if size.family.acus is not None:
        values["ACUs"] = str(size.family.acus)
    return [{"name": name, "value": value} for name, value in (values | size.family.more).items()]


def sku(size: Size, location: str) -> Json:
    """The body of one virtualMachines SKU in one region."""
    return {
        "resourceType": "virtualMachines",
        "name": size.name,
        "tier": "Standard",
        "size": size.name.removeprefix("Standard_"),
        "family": size.family.name,
        "locations": [location],
        "locationInfo": [{"location": location, "zones": ["1", "2", "3"], "zoneDetails": []}],
        "capabilities": capabilities(size),
        "restrictions": _restrictions(restriction(size), location),
    }


def _restrictions(kind: str | None, location: str) -> list[Json]:
    if kind is None:
        return []
    zones = {
        "type": "Zone",
        "values": [location],
        "restrictionInfo": {"locations": [location], "zones": ["1", "2", "3"]},
        "reasonCode": "NotAvailableForSubscription",
    }
    if kind == "Zone":
        return [zones]
    whole = {
        "type": "Location",
        "values": [location],
        "restrictionInfo": {"locations": [location]},
        "reasonCode": "NotAvailableForSubscription",
    }
    return [whole, zones]
