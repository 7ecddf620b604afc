"""Azure's errors as ours: one sentence, the innermost code, and whether to wait for it.

ARM wraps errors in several ways, all seen in recordings: `{"error": {...}}`, `{"Error": {...}}` with
capitals, bare `{"code", "message"}` (DNS, Compute throttling), an operation's `{"status", "error"}`,
`details` lists, and a whole JSON error inside a `message` string.
"""

from __future__ import annotations

import json
import ssl
from dataclasses import dataclass
from http import HTTPStatus
from typing import TYPE_CHECKING, Any

from azure.core.exceptions import (
    ClientAuthenticationError,
    HttpResponseError,
    ServiceRequestError,
    ServiceResponseError,
)

from vhdlift.errors import AzureRefused, NotAllowed, SignInNeeded, VhdliftError

if TYPE_CHECKING:
    from collections.abc import Iterator

    from azure.core.exceptions import AzureError

IN_PROGRESS = frozenset(
    {
        "anotheroperationinprogress",
        "conflict",
        "conflictingoperationinprogress",
        "containerbeingdeleted",
        "nicreservedforanothervm",
        "operationpreempted",
        "referencedresourcenotprovisioned",
        "resourcegroupbeingdeleted",
        "retryableerror",
        "retryableerrorduetoanotheroperation",
        "storageaccountisnotprovisioned",
        "storageaccountoperationinprogress",
    }
)
"""Codes (lower case) of a resource that is busy and will be free by itself, whatever is asked of it."""

NO_ROOM = frozenset({"allocationfailed", "overconstrainedallocationrequest", "zonalallocationfailed"})
"""Codes (lower case) of a region, or zone, that has no place for a VM just now."""

NO_CONNECTION = "ConnectionFailed"
"""Our own code, of a service that could not be reached, or that broke off its answer."""

_MOST_CHARACTERS = 1000
_MOST_DEPTH = 8
_FORBIDDEN_BY_RIGHTS = "authorization"


@dataclass(frozen=True)
class Refusal:
    """One message of an ARM error and its code."""

    code: str
    message: str


def translated(error: AzureError, what: str) -> VhdliftError:
    """The error of ours that an SDK error means.

    Args:
        error: what the SDK raised.
        what: what was being done, as it reads after "while": `creating the VM lab1`.

    Returns:
        SignInNeeded, NotAllowed or AzureRefused; its sentence ends with the innermost code in brackets.
    """
    if not isinstance(error, HttpResponseError):
        lost = isinstance(error, ServiceRequestError | ServiceResponseError) and not is_untrusted(error)
        return AzureRefused(f"{what}: {_first_line(str(error))}", NO_CONNECTION if lost else "")
    if error.response is None:
        hint = "Sign in with `az login`, or set AZURE_TENANT_ID, AZURE_CLIENT_ID and AZURE_CLIENT_SECRET."
        return SignInNeeded(f"{what}: {_first_line(str(error.message))}", hint)
    status = int(error.status_code or 0)
    sentence, code = _unrolled(error)
    said = f"{what}: {sentence} ({code})" if code else f"{what}: {sentence}"
    if status == HTTPStatus.UNAUTHORIZED or (
        isinstance(error, ClientAuthenticationError) and status != HTTPStatus.FORBIDDEN
    ):
        return SignInNeeded(said, "The credential was not accepted; sign in again or renew the secret.")
    if status == HTTPStatus.FORBIDDEN and _FORBIDDEN_BY_RIGHTS in code.lower():
        return NotAllowed(said, "Ask for a role that allows this action on this scope.")
    return AzureRefused(said, code, status)


def is_busy(refusal: VhdliftError, *, deleting: bool, insisting: bool = False) -> bool:
    """Whether waiting helps: the resource is busy, or, when deleting, something still holds on to it.

    Or Azure cannot be reached: a network that is away for minutes must not end the work of hours. Or,
    when insisting, there is no room: Azure asks to try again later.
    """
    if not isinstance(refusal, AzureRefused):
        return False
    code = refusal.code.lower()
    if code in IN_PROGRESS or refusal.code == NO_CONNECTION or (insisting and code in NO_ROOM):
        return True
    if not deleting:
        return False
    attached = code == "operationnotallowed" and "attached to" in refusal.sentence.lower()
    return attached or "inuse" in code or code.endswith("cannotbedeleted")


def is_untrusted(error: BaseException | None) -> bool:
    """Whether the other side's certificate is what is wrong; another try would not make it better."""
    while error is not None:
        if isinstance(error, ssl.SSLCertVerificationError):
            return True
        error = getattr(error, "inner_exception", None) or error.__cause__
    return False


def unrolled(body: Any) -> list[Refusal]:
    """All messages of an error body, outermost first; what has neither code nor message is left out."""
    return list(_walk(body, 0))


def _unrolled(error: HttpResponseError) -> tuple[str, str]:
    found = unrolled(_body(error))
    if not found:
        code = str(getattr(error, "error_code", "") or "")
        return _first_line(str(error.message)), code
    codes = [each.code for each in found if each.code]
    return "; ".join(_distinct(found))[:_MOST_CHARACTERS], codes[-1] if codes else ""


def _distinct(found: list[Refusal]) -> list[str]:
    """Messages without those that a later, more exact one repeats or that say nothing."""
    texts = [" ".join(each.message.split()).rstrip(".") for each in found]
    kept: list[str] = []
    for place, text in enumerate(texts):
        repeated = any(text in later for later in texts[place + 1 :])
        if text and not repeated and text not in kept and text != "A retryable error occurred":
            kept.append(text)
    return kept


def _walk(node: Any, depth: int) -> Iterator[Refusal]:
    if not isinstance(node, dict) or depth > _MOST_DEPTH:
        return
    lower = {str(key).lower(): value for key, value in node.items()}
    if isinstance(lower.get("error"), dict):
        yield from _walk(lower["error"], depth + 1)
        return
    code, message = str(lower.get("code") or ""), str(lower.get("message") or "")
    nested = _json_object(message)
    if nested is None and (code or message):
        yield Refusal(code, message)
    yield from _walk(nested, depth + 1)
    for detail in lower.get("details") or []:
        yield from _walk(detail, depth + 1)
    yield from _walk(lower.get("innererror"), depth + 1)


def _json_object(text: str) -> dict[str, Any] | None:
    if not text.lstrip().startswith("{"):
        return None
    try:
        value = json.loads(text)
    except ValueError:
        return None
    return value if isinstance(value, dict) and {str(k).lower() for k in value} & {"error", "code"} else None


def _body(error: HttpResponseError) -> Any:
    """The JSON of an error's response, or None for anything else (storage speaks XML)."""
    try:
        return json.loads(error.response.text())  # type: ignore[union-attr]
    except (ValueError, TypeError, AttributeError):
        return None


def _first_line(text: str) -> str:
    lines = text.strip().splitlines()
    return (lines[0] if lines else "no reason given")[:_MOST_CHARACTERS]
