"""The regions of this Azure, and the refusal of a region that there is not."""

from __future__ import annotations

import json
from functools import cache
from importlib.resources import files
from typing import TYPE_CHECKING, Any

from armlocal.errors import ArmError

if TYPE_CHECKING:
    from armlocal.providers.base import Call


@cache
def regions() -> dict[str, dict[str, str]]:
    """Every region by name, with display name, geography group, place and paired region."""
    rows: list[dict[str, str]] = json.loads(
        files(__package__).joinpath("locations.json").read_text(encoding="utf-8")
    )
    return {row["name"]: row for row in rows}


def check_region(call: Call) -> None:
    """Lets no resource into a region that does not exist.

    Raises:
        ArmError: 400 LocationNotAvailableForResourceType, as ARM words it.
    """
    location = str(call.body.get("location") or "")
    if location in regions():
        return
    message = (
        f"The provided location '{location}' is not available for resource type '{call.type}'. "
        f"List of available regions for the resource type is '{','.join(regions())}'."
    )
    raise ArmError(400, "LocationNotAvailableForResourceType", message, gateway=True)


def region_body(subscription_id: str, name: str) -> dict[str, Any]:
    """One entry of the subscription's locations."""
    row = regions()[name]
    base = f"/subscriptions/{subscription_id}/locations/"
    return {
        "id": f"{base}{name}",
        "name": name,
        "type": "Region",
        "displayName": row["display"],
        "regionalDisplayName": f"({row['group']}) {row['display']}",
        "metadata": {
            "regionType": "Physical",
            "regionCategory": "Recommended",
            "geographyGroup": row["group"],
            "physicalLocation": row["place"],
            "pairedRegion": [{"name": row["paired"], "id": f"{base}{row['paired']}"}],
        },
    }
