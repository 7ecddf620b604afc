"""What a run costs and what it costs to leave lying around, from a price table with a date and a source.

A table of one's own (`vhdlift plan --prices FILE`) has the same keys as `prices.json`. Money is in the
table's currency.
"""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from importlib.resources import files
from typing import TYPE_CHECKING, Any

from vhdlift.errors import UsageError

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from vhdlift.model import Spec

HOURS_PER_MONTH = 730
_SIZE = re.compile(r"Standard_([A-Z]+)(\d+)(.*)")


@dataclass(frozen=True)
class Cost:
    """One row: what is paid for, during the run and for each month that it stays; None: not in the table."""

    what: str
    run: float | None
    month: float | None


def price_table(path: Path | None = None) -> dict[str, Any]:
    """The prices, by default those that come with the program.

    Raises:
        UsageError: the file cannot be read, is not JSON, or lacks a key.
    """
    own: dict[str, Any] = json.loads(files(__package__).joinpath("prices.json").read_text(encoding="utf-8"))
    if path is None:
        return own
    try:
        given = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise UsageError([f"--prices: {path} cannot be read as JSON: {error}"]) from None
    if not isinstance(given, dict):
        raise UsageError([f"--prices: {path} is no JSON object"])
    wrong = [
        key
        for key in own
        if type(given.get(key)) is not type(own[key]) and not _both_numbers(given, own, key)
    ]
    if wrong:
        raise UsageError([f"--prices: {path}: {key} is missing or of another kind" for key in wrong])
    return given


def costs(
    spec: Spec, table: Mapping[str, Any], *, hours: float, disk_gib: float, used_gib: float
) -> list[Cost]:
    """What a run of `hours` costs, and what it leaves costs a month.

    Args:
        spec: what was asked for.
        table: the prices, see `price_table`.
        hours: how long the run is expected to take.
        disk_gib: the size of the VHD, which is what leaves Azure when it is downloaded.
        used_gib: how much of it holds data.
    """
    vm = vm_per_hour(spec.vm_size, table, windows=spec.license_type is None)
    disk = _disk(spec.os_disk_gb, table)
    share = hours / HOURS_PER_MONTH
    address = table["public_ip_per_hour"]
    snapshot = used_gib * table["snapshot_per_gib_month"]
    artefact = used_gib * table["page_blob_per_gib_month"]
    leaving = _egress(disk_gib, table)
    read_back = _egress(disk_gib + used_gib, table) - leaving if spec.verify == "full" else 0.0
    return [
        Cost(f"the VM ({spec.vm_size}) running", _times(vm, hours), _times(vm, HOURS_PER_MONTH)),
        Cost(f"its OS disk ({spec.os_disk_gb} GB)", _times(disk, share), disk),
        Cost("the public IP address", address * hours, address * HOURS_PER_MONTH),
        Cost("the snapshot, until the VHD is verified", snapshot * share, 0.0),
        Cost("the VHD (page blob)", artefact * share, artefact),
        Cost("the DNS zone, if the run makes it", 0.0, table["dns_zone_per_month"]),
        Cost("one download of the VHD out of Azure", leaving, 0.0),
        Cost("reading it back, if vhdlift is outside Azure", read_back, 0.0),
    ]


def vm_per_hour(size: str, table: Mapping[str, Any], *, windows: bool = True) -> float | None:
    """The price of a VM size for an hour, with Windows or with a licence of one's own; None: not known."""
    parts = _SIZE.fullmatch(size)
    if parts is None:
        return None
    per_core = table["vm_per_core_hour"].get(f"{parts[1]}{{}}{parts[3]}")
    if per_core is None:
        return None
    return float(int(parts[2]) * (per_core + (table["windows_per_core_hour"] if windows else 0)))


def _disk(size_gb: int, table: Mapping[str, Any]) -> float | None:
    """A month of a Standard SSD, which is billed as the next larger of Azure's steps."""
    steps = sorted((int(step), float(price)) for step, price in table["standard_ssd_per_month"].items())
    return next((price for step, price in steps if step >= size_gb), None)


def _egress(gib: float, table: Mapping[str, Any]) -> float:
    """What leaves Azure in a month; the first of it is free."""
    return float(max(0.0, gib - table["egress_free_gib_per_month"]) * table["egress_per_gib"])


def _times(price: float | None, factor: float) -> float | None:
    return None if price is None else price * factor


def _both_numbers(given: Mapping[str, Any], own: Mapping[str, Any], key: str) -> bool:
    return all(
        isinstance(one.get(key), int | float) and not isinstance(one.get(key), bool) for one in (given, own)
    )
