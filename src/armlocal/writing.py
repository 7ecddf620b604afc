"""Headers and JSON as the real service writes them, which differs by provider."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from armlocal.state import World

REGION = "UKSOUTH"
NO_CONTENT = {"Content-Type": "text/plain; charset=utf-8"}
"""Storage's answers without a body have a type all the same."""
JSON_TYPE = "application/json; charset=utf-8"


def common_headers(world: World, request_id: str) -> dict[str, str]:
    """The headers of every ARM answer."""
    correlation = world.new_guid()
    now = world.clock.now()
    letters = world.new_guid().replace("-", "").upper()
    reference = f"Ref A: {letters} Ref B: LON000000000000 Ref C: {now:%Y-%m-%dT%H:%M:%SZ}"
    return {
        "Cache-Control": "no-cache",
        "Pragma": "no-cache",
        "Expires": "-1",
        "Strict-Transport-Security": "max-age=31536000; includeSubDomains",
        "X-Content-Type-Options": "nosniff",
        "X-Cache": "CONFIG_NOCACHE",
        "X-MSEdge-Ref": reference,
        "x-ms-request-id": request_id,
        "x-ms-correlation-request-id": correlation,
        "x-ms-routing-request-id": f"{REGION}:{now:%Y%m%dT%H%M%SZ}:{correlation}",
    }


def without_expiry(headers: dict[str, str], operation: str) -> None:
    """Azure DNS sends `Cache-Control` without the other two: `test_dns_if_none_match` [5]."""
    if operation.partition(" ")[2].startswith("Microsoft.Network/dns"):
        del headers["Pragma"], headers["Expires"]


def write_body(body: Any, operation: str) -> bytes:
    """JSON: Compute indents it, DNS escapes its slashes, the others write it compactly."""
    type_ = operation.split(" ", 1)[-1]
    if type_.startswith("Microsoft.Compute/"):
        return json.dumps(body, indent=2).replace("\n", "\r\n").encode()
    text = json.dumps(body, separators=(",", ":"))
    if type_.startswith("Microsoft.Network/dns"):
        text = text.replace("/", "\\/")
    return text.encode()
