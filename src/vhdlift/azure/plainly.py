"""Questions to ARM for which no client is at hand: what comes back is plain JSON.

The clients of Microsoft.Authorization and Microsoft.PolicyInsights would each add a large package for one
question, and those of quotas their models; the client of Microsoft.Resources sends any request.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from azure.core.rest import HttpRequest

from vhdlift.azure.waiting import asked

if TYPE_CHECKING:
    from vhdlift.azure.clients import Azure

Json = dict[str, Any]
_MOST_PAGES = 100
# Below this a real network would not answer in time, however fast the stand-in's clock runs.
_LEAST_SCALE = 0.1


def least(scale: float) -> float:
    """The scale of what a person waits for: fewer seconds than these no network needs."""
    return max(scale, _LEAST_SCALE)


async def plain(azure: Azure, path: str, version: str, *, what: str, body: Json | None = None) -> Json:
    """The JSON object that a GET (or, with a body, a POST) of a path brings.

    Args:
        azure: the clients.
        path: from `/subscriptions` on, with its query if it has one.
        version: of the API.
        what: what is being done, as in `asked`.
        body: what is posted.

    Raises:
        VhdliftError: what Azure answered.
    """
    joint = "&" if "?" in path else "?"
    request = HttpRequest("GET" if body is None else "POST", f"{path}{joint}api-version={version}", json=body)

    async def once() -> Json:
        response = await azure.resources.send_request(request)
        response.raise_for_status()
        answer: Json = response.json()
        return answer

    return await asked(once, what=what, kind="probe", scale=least(azure.scale))


async def plain_list(azure: Azure, path: str, version: str, *, what: str) -> list[Json]:
    """All rows of a list, whatever number of pages it has.

    Raises:
        VhdliftError: what Azure answered.
    """
    rows: list[Json] = []
    answer = await plain(azure, path, version, what=what)
    for _ in range(_MOST_PAGES):
        rows += answer.get("value") or []
        link = str(answer.get("nextLink") or "")
        if not link:
            break
        answer = await _page(azure, link, what)
    return rows


async def _page(azure: Azure, link: str, what: str) -> Json:
    """The next page, at the address that the service gave, unchanged."""

    async def once() -> Json:
        response = await azure.resources.send_request(HttpRequest("GET", link))
        response.raise_for_status()
        answer: Json = response.json()
        return answer

    return await asked(once, what=what, kind="probe", scale=least(azure.scale))
