"""`$filter` and pages of ARM's own lists."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any
from urllib.parse import urlencode

from armlocal.errors import ArmError
from armlocal.providers.base import Call, Reply

if TYPE_CHECKING:
    from collections.abc import Sequence

    from armlocal.state import Resource

PAGE = 1000
_TERM = re.compile(
    r"\s*(?:(?P<key>\w+)\s+eq\s+'(?P<value>(?:[^']|'')*)'"
    r"|substringof\(\s*'(?P<part>(?:[^']|'')*)'\s*,\s*(?P<of>\w+)\s*\))\s*(?P<and>and\b|$)",
    re.IGNORECASE,
)
_KEYS = ("tagname", "tagvalue", "resourcetype", "resourcegroup", "name", "location")


def matching(resources: Sequence[Resource], text: str) -> list[Resource]:
    """The resources that `$filter` asks for; all when it is empty.

    Known are `tagName`, `tagValue`, `resourceType`, `resourceGroup`, `name`, `location` with `eq`, and
    `substringof`, joined by `and`. A tag's value counts with its capitals, all else without.

    Raises:
        ArmError: 400 InvalidFilterInQueryString.
    """
    terms = list(_terms(text)) if text.strip() else []
    tags = {key: value for key, value, _ in terms if key.startswith("tag")}
    if tags and len(tags) != len(terms):
        raise _invalid(text)
    if "tagvalue" in tags and "tagname" not in tags:
        raise _invalid(text)
    found = [r for r in resources if all(_holds(r, *term) for term in terms if not term[0].startswith("tag"))]
    return [r for r in found if _has_tag(r.tags, tags)]


def _invalid(text: str) -> ArmError:
    message = f"Invalid $filter '{text}' specified in the query string."
    return ArmError(400, "InvalidFilterInQueryString", message, gateway=True)


def _terms(text: str) -> list[tuple[str, str, bool]]:
    """(key, value, whether a part is enough) of each term."""
    terms, at = [], 0
    more = True
    while more:
        match = _TERM.match(text, at)
        if match is None:
            raise _invalid(text)
        key = (match["key"] or match["of"]).lower()
        if key not in _KEYS:
            raise _invalid(text)
        value = match["value"] if match["part"] is None else match["part"]
        terms.append((key, value.replace("''", "'"), match["part"] is not None))
        at, more = match.end(), bool(match["and"])
    return terms


def _holds(resource: Resource, key: str, value: str, in_part: bool) -> bool:
    own = {
        "resourcetype": resource.type,
        "resourcegroup": resource.group,
        "name": resource.name,
        "location": resource.location,
    }[key].lower()
    return value.lower() in own if in_part else value.lower() == own


def _has_tag(own: dict[str, str], wanted: dict[str, str]) -> bool:
    if "tagname" not in wanted:
        return True
    values = [value for name, value in own.items() if name.lower() == wanted["tagname"].lower()]
    return bool(values) and wanted.get("tagvalue", values[0]) == values[0]


def page(call: Call, rows: list[dict[str, Any]]) -> Reply:
    """A page of a list: `$top` rows, and `nextLink` when there are more.

    Raises:
        ArmError: 400, `$top` or `$skiptoken` is no number.
    """
    top = min(_number(call, "$top", PAGE), PAGE)
    start = _number(call, "$skiptoken", 0)
    body: dict[str, Any] = {"value": rows[start : start + top]}
    if start + top < len(rows):
        query = {k: v for k, v in call.query.items() if k != "$skiptoken"}
        query |= {"api-version": call.api_version, "$skiptoken": str(start + top)}
        path = call.id.text
        body["nextLink"] = f"{call.world.base_url}{path}?{urlencode(query, safe='$')}"
    return Reply(200, body)


def _number(call: Call, name: str, usual: int) -> int:
    text = call.query.get(name, str(usual))
    if not text.isdecimal() or (name == "$top" and text == "0"):
        message = f"Invalid value '{text}' for the query parameter '{name}'."
        raise ArmError(400, "InvalidQueryParameterValue", message, gateway=True)
    return int(text)
