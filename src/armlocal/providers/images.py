"""Marketplace images: publishers, offers, SKUs and versions.

Source of the shapes: recording `test_vm_user_update_win` [2], [3].
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from typing import TYPE_CHECKING, Any

from armlocal.errors import ArmError
from armlocal.providers.base import Call, Reply

if TYPE_CHECKING:
    from collections.abc import Iterable

    from armlocal.providers.base import Routes

Json = dict[str, Any]
PUBLISHERS = "Microsoft.Compute/locations/publishers"
OFFERS = PUBLISHERS + "/artifacttypes/offers"
OS_DISK_GB = 127
"""The size of the OS disk in every image here."""


@dataclass(frozen=True, slots=True)
class Image:
    """One SKU of an offer.

    Attributes:
        publisher: for instance MicrosoftWindowsServer.
        offer: for instance WindowsServer.
        sku: for instance 2022-datacenter-g2.
        generation: the Hyper-V generation, "V1" or "V2".
        versions: oldest first.
        features: what ARM's `features` list says.
    """

    publisher: str
    offer: str
    sku: str
    generation: str
    versions: tuple[str, ...]
    features: dict[str, str]

    @property
    def trusted_launch(self) -> bool:
        """Whether a Trusted Launch VM can be made of it."""
        return self.features.get("SecurityType", "").startswith("TrustedLaunch")


@cache
def images() -> tuple[Image, ...]:
    """Every image there is, the same in all regions."""
    rows = json.loads(files(__package__).joinpath("images.json").read_text(encoding="utf-8"))
    return tuple(Image(**{**row, "versions": tuple(row["versions"])}) for row in rows)


def find_image(publisher: str, offer: str, sku: str) -> Image | None:
    """The image of these names, in any case; None when there is none."""
    wanted = (publisher.lower(), offer.lower(), sku.lower())
    return next(
        (i for i in images() if (i.publisher.lower(), i.offer.lower(), i.sku.lower()) == wanted), None
    )


def _missing() -> ArmError:
    return ArmError(404, "NotFound", "Artifact: VMImage was not found.")


def _entries(call: Call, base: str, names: Iterable[str]) -> Reply:
    """A list, which ARM gives here without `value` around it; 404 when it is empty."""
    location = call.id.names[0].lower()
    rows = [{"location": location, "name": name, "id": f"{base}/{name}"} for name in dict.fromkeys(names)]
    if not rows:
        raise _missing()
    if call.query.get("$orderby", "").lower() == "name desc":
        rows.sort(key=lambda row: row["name"], reverse=True)
    return Reply(200, rows[: int(call.query.get("$top") or len(rows))])


def _path(call: Call, *names: str) -> str:
    """The id of an artifact, with the capitals that ARM gives it."""
    kinds = ("Publishers", "ArtifactTypes", "Offers", "Skus", "Versions")
    location = call.id.names[0].lower()
    base = f"/Subscriptions/{call.world.subscription_id}/Providers/Microsoft.Compute/Locations/{location}"
    return base + "".join(f"/{kind}/{name}" for kind, name in zip(kinds, names, strict=False))


async def publishers(call: Call) -> Reply:
    """All publishers."""
    return _entries(call, f"{_path(call)}/Publishers", (image.publisher for image in images()))


async def offers(call: Call) -> Reply:
    """The offers of a publisher."""
    publisher = call.id.names[1]
    base = _path(call, publisher, "VMImage")
    found = (i.offer for i in images() if i.publisher.lower() == publisher.lower())
    return _entries(call, f"{base}/Offers", found)


async def skus(call: Call) -> Reply:
    """The SKUs of an offer."""
    _, publisher, _, offer = call.id.names
    wanted = (publisher.lower(), offer.lower())
    found = (i.sku for i in images() if (i.publisher.lower(), i.offer.lower()) == wanted)
    return _entries(call, f"{_path(call, publisher, 'VMImage', offer)}/Skus", found)


async def versions(call: Call) -> Reply:
    """The versions of a SKU."""
    _, publisher, _, offer, sku = call.id.names
    image = find_image(publisher, offer, sku)
    if image is None:
        raise _missing()
    return _entries(
        call, f"{_path(call, image.publisher, 'VMImage', image.offer, image.sku)}/Versions", image.versions
    )


async def version(call: Call) -> Reply:
    """One version: its generation and what it can do; `latest` is none."""
    _, publisher, _, offer, sku, name = call.id.names
    image = find_image(publisher, offer, sku)
    if image is None or name not in image.versions:
        raise _missing()
    properties: Json = {
        "hyperVGeneration": image.generation,
        "architecture": "x64",
        "replicaType": "Managed",
        "replicaCount": 10,
        "disallowed": {"vmDiskType": "Unmanaged"},
        "automaticOSUpgradeProperties": {"automaticOSUpgradeSupported": False},
        "imageDeprecationStatus": {"imageState": "Active"},
        "features": [{"name": key, "value": value} for key, value in image.features.items()],
        "osDiskImage": {"operatingSystem": "Windows", "sizeInGb": OS_DISK_GB},
        "dataDiskImages": [],
    }
    path = _path(call, image.publisher, "VMImage", image.offer, image.sku, name)
    return Reply(
        200, {"properties": properties, "location": call.id.names[0].lower(), "name": name, "id": path}
    )


ROUTES: Routes = {
    f"LIST {PUBLISHERS}": publishers,
    f"LIST {OFFERS}": offers,
    f"LIST {OFFERS}/skus": skus,
    f"LIST {OFFERS}/skus/versions": versions,
    f"GET {OFFERS}/skus/versions": version,
}
