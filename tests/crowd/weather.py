"""Random faults on all calls of the tool: all kinds equally likely, and none that only Azure could mend."""

from __future__ import annotations

from typing import Any

_KINDS: list[dict[str, Any]] = [
    {"kind": "error", "status": 500},
    {"kind": "error", "status": 503, "code": "ServiceUnavailable", "message": "Not now."},
    {"kind": "throttle", "retry_after": 0.2},
    {"kind": "drop", "when": "before"},
    {"kind": "drop", "when": "after"},
    {"kind": "garbage", "status": 502},
    {"kind": "garbage", "status": 200},
    {"kind": "redirect", "location": "https://127.0.0.1:1/elsewhere"},
    {"kind": "slow", "seconds": 0.5},
    {"kind": "truncate"},
    {"kind": "vanish"},
]
_TOKENS, _POSTS = "POST oauth2/v2.0/token", "POST _webhook"


def faults(chance: float, seed: int) -> list[dict[str, Any]]:
    """What to ask the stand-in for, so that each call goes wrong with this chance."""
    share = {"chance": chance / len(_KINDS)}
    places = (
        {"operation": "* *", "resource": "/subscriptions"},
        {"operation": _TOKENS},
        {"operation": _POSTS},
    )
    return [
        {**place, **kind, **share, "seed": 1000 * seed + 100 * at + number}
        for at, place in enumerate(places)
        for number, kind in enumerate(_KINDS)
        if at == 0 or _can_be(kind, place["operation"])
    ]


def _can_be(kind: dict[str, Any], operation: str) -> bool:
    """No operation begins there; and whoever answers a post with 200 has taken it, whatever it says."""
    took_it = operation == _POSTS and kind.get("status") == 200
    return kind["kind"] != "vanish" and not took_it
