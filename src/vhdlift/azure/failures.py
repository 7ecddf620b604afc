"""Azure's errors as ours: one sentence, the innermost code, and whether to wait for it.

ARM wraps errors in several ways, all seen in recordings: `{"error": {...}}`, `{"Error": {...}}` with
capitals, bare `{"code", "message"}` (DNS, Compute throttling), an operation's `{"status", "error"}`,
`details` lists, and a whole JSON error inside a `message` string.
"""

from __future__ import annotations

import json
import re
import ssl
from dataclasses import dataclass
from http import HTTPStatus
from shlex import quote
from typing import TYPE_CHECKING, Any
from urllib.parse import unquote, urlsplit

from azure.core.exceptions import (
    AzureError,
    ClientAuthenticationError,
    DecodeError,
    HttpResponseError,
    ServiceRequestError,
    ServiceResponseError,
)

from vhdlift.azure.patience import LONGEST_RETRY_AFTER, retry_after, spoken
from vhdlift.errors import AzureRefused, NotAllowed, SignInNeeded, VhdliftError

if TYPE_CHECKING:
    from collections.abc import Iterator

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

PASSING = frozenset({408, 429, 500, 502, 503, 504})
"""Statuses of a service that is out of order, or has too much to do: another try may cure them."""

NO_ROOM = frozenset(
    {
        "allocationfailed",
        "overconstrainedallocationrequest",
        "overconstrainedzonalallocationrequest",
        "zonalallocationfailed",
    }
)
"""Codes (lower case) of a region, or zone, that has no place for a VM just now."""

NO_GROUP = "resourcegroupnotfound"
"""ARM's code (lower case) of a resource group that is not there, or not everywhere yet."""

NO_CONNECTION = "ConnectionFailed"
"""Our own code, of a service that could not be reached, or that broke off its answer."""

UNREADABLE = "UnreadableAnswer"
"""Our own code, of an answer that is not what Azure says: a proxy's page, an empty one, half of one."""

OPERATION_LOST = "OperationLost"
"""Our own code, of an operation whose end nobody tells any more: it is to be asked for once more."""

OPERATION_FAILED = "OperationFailed"
"""Our own code, of an operation that failed for a reason that nobody knows."""

SCOPE_LOCKED = "ScopeLocked"
"""ARM's code of what a management lock forbids."""

UNREADABLE_ERRORS = (AttributeError, LookupError, RecursionError, TypeError, ValueError)
"""What the SDKs raise, beside their own errors, at an answer that has not the shape they expect."""

TOO_LONG = "RetryAfterTooLong"
"""Our own code, where the service asks for a longer wait than is waited, and has no code itself."""

_BETWEEN = "Something between here and Azure may have answered: look at proxies and the endpoint's address."
_MOST_CHARACTERS = 1000
_MOST_DEPTH = 8
_FORBIDDEN_BY_RIGHTS = "authorization"
_ACTION = re.compile(r"perform action '(?P<action>[^']+)' over scope '(?P<scope>[^']+)'")
_GROUP = re.compile(r"/resourcegroups/(?P<group>[^/?]+)", re.IGNORECASE)


class AnswerTooLargeError(AzureError):
    """An answer is larger than anything that Azure says."""

    def __init__(self, most: int) -> None:
        super().__init__(f"Azure's answer is larger than {most // 2**20} MiB, and was not read")


class OtherHostError(AzureError):
    """An address that Azure gave is of another host, which must not see a token."""

    def __init__(self, host: str) -> None:
        super().__init__(f"Azure sent us on to another host, {host or 'unnamed'}, which was not asked")


class OperationGoneError(AzureError):
    """Nobody knows a long operation any more.

    Attributes:
        again: what it was to do can be asked for once more.
    """

    def __init__(self, message: str, *, again: bool = True) -> None:
        super().__init__(message)
        self.again = again


@dataclass(frozen=True)
class Refusal:
    """One message of an ARM error and its code."""

    code: str
    message: str


def translated(error: Exception, what: str) -> VhdliftError:
    """The error of ours that an SDK error means.

    Args:
        error: what the SDK raised; one of `UNREADABLE_ERRORS` is an answer that it could not read.
        what: what was being done, as it reads after "while": `creating the VM lab1`.

    Returns:
        SignInNeeded, NotAllowed or AzureRefused; its sentence ends with the innermost code in brackets.
    """
    if isinstance(error, AnswerTooLargeError):
        return AzureRefused(f"{what}: {_first_line(str(error))}", UNREADABLE, 0, _BETWEEN)
    if not isinstance(error, AzureError) or _is_undecodable(error):
        return _unreadable(error, what)
    if isinstance(error, OperationGoneError):
        return AzureRefused(f"{what}: {error.message}", OPERATION_LOST if error.again else OPERATION_FAILED)
    if not isinstance(error, HttpResponseError):
        lost = isinstance(error, ServiceRequestError | ServiceResponseError) and not is_untrusted(error)
        return AzureRefused(f"{what}: {_first_line(str(error))}", NO_CONNECTION if lost else "")
    if error.response is None:
        hint = "Sign in with `az login`, or set AZURE_TENANT_ID, AZURE_CLIENT_ID and AZURE_CLIENT_SECRET."
        return SignInNeeded(f"{what}: {_first_line(str(error.message))}", hint)
    return _refused(error, what, int(error.status_code or error.response.status_code or 0))


def is_web_page(error: HttpResponseError) -> bool:
    """Whether something between here and Azure answered, which knows nothing of what there is."""
    headers = {str(k).lower(): str(v) for k, v in getattr(error.response, "headers", {}).items()}
    return "html" in headers.get("content-type", "").lower()


def _refused(error: HttpResponseError, what: str, status: int) -> VhdliftError:
    sentence, code = _unrolled(error)
    said = f"{what}: {sentence} ({code})" if code else f"{what}: {sentence}"
    passing = status >= HTTPStatus.INTERNAL_SERVER_ERROR or status == HTTPStatus.TOO_MANY_REQUESTS
    if status == HTTPStatus.UNAUTHORIZED or (
        isinstance(error, ClientAuthenticationError) and status != HTTPStatus.FORBIDDEN and not passing
    ):
        return SignInNeeded(said, "The credential was not accepted; sign in again or renew the secret.")
    if status == HTTPStatus.FORBIDDEN and _FORBIDDEN_BY_RIGHTS in code.lower():
        return NotAllowed(said, _missing_right(sentence))
    if code == SCOPE_LOCKED:
        return AzureRefused(said, code, status, _lock(error))
    if HTTPStatus.MULTIPLE_CHOICES <= status < HTTPStatus.BAD_REQUEST:
        return AzureRefused(_sent_on(error, what, status), code or UNREADABLE, status, _BETWEEN)
    wish = retry_after(getattr(error.response, "headers", {}))
    if wish is not None and wish > LONGEST_RETRY_AFTER:
        most = spoken(LONGEST_RETRY_AFTER)
        said += f"; Azure asks to wait {spoken(wish)}, and {most} is the longest that is waited"
        return AzureRefused(said, code or TOO_LONG, status, "Try again after that time.")
    return AzureRefused(said, code, status)


def _is_undecodable(error: AzureError) -> bool:
    """An answer of success that could not be read; of an error, the status says enough, but for a 404."""
    if isinstance(error, HttpResponseError) and error.status_code == HTTPStatus.NOT_FOUND:
        return is_web_page(error)
    return isinstance(error, DecodeError) and int(error.status_code or 0) < HTTPStatus.BAD_REQUEST


def _unreadable(error: Exception, what: str) -> AzureRefused:
    why = _first_line(str(getattr(error, "message", "") or error))
    return AzureRefused(f"{what}: Azure's answer could not be read: {why}", UNREADABLE, 0, _BETWEEN)


def incomplete(what: str, missing: str) -> AzureRefused:
    """The error for an answer without something that every such answer of Azure has."""
    return AzureRefused(
        f"{what}: Azure's answer could not be read: it has no {missing}", UNREADABLE, 0, _BETWEEN
    )


def _missing_right(sentence: str) -> str:
    found = _ACTION.search(sentence)
    if found is None:
        return "Ask for a role that allows this action on this scope."
    return f"Ask for a role with {found['action']} on {found['scope']}, such as Contributor."


def _lock(error: HttpResponseError) -> str:
    group = _GROUP.search(str(getattr(getattr(error.response, "request", None), "url", "")))
    where = f" --resource-group {quote(unquote(group['group']))}" if group else ""
    return f"A management lock forbids it: see `az lock list{where}`, remove it, and try again."


def _sent_on(error: HttpResponseError, what: str, status: int) -> str:
    headers = {str(k).lower(): str(v) for k, v in getattr(error.response, "headers", {}).items()}
    host = urlsplit(headers.get("location", "")).hostname or "an unnamed place"
    return f"{what}: the answer was a redirect to {host} (HTTP {status}), which is not followed"


def reason_of(status: int, body: Any) -> str:
    """Status and innermost code of an error body: `429 TooManyRequests`."""
    codes = [each.code for each in unrolled(body) if each.code and each.code != str(status)]
    return " ".join([str(status), *codes[-1:]])


def final_of(error: BaseException | None) -> bool:
    """Whether another try of the same request would not make it better."""
    return isinstance(error, AnswerTooLargeError | OtherHostError) or is_untrusted(error)


def is_busy(
    refusal: VhdliftError, *, deleting: bool, insisting: bool = False, creating: bool = False
) -> bool:
    """Whether waiting helps: the resource is busy, or, when deleting, something still holds on to it.

    Or Azure cannot be reached, or is out of order: what is away for minutes must not end the work of
    hours. Or, when insisting, there is no room: Azure asks to try again later. Or, when creating, the group
    was made a moment ago, and ARM in another region has not heard of it yet (as Microsoft's support says
    in hashicorp/terraform-provider-azurerm#18268).
    """
    if not isinstance(refusal, AzureRefused):
        return False
    code = refusal.code.lower()
    if is_passing(refusal) or refusal.code == OPERATION_LOST:
        return True
    if code in IN_PROGRESS or (insisting and code in NO_ROOM):
        return True
    if creating and code == NO_GROUP:
        return True
    if not deleting:
        return False
    attached = code == "operationnotallowed" and "attached to" in refusal.sentence.lower()
    # A deletion that failed inside Azure (`InternalOperationError`) can be asked for again.
    return attached or "inuse" in code or code.endswith("cannotbedeleted") or code.startswith("internal")


def is_passing(refusal: VhdliftError) -> bool:
    """Whether Azure cannot be reached, or is out of order: nothing that was asked has been answered."""
    return isinstance(refusal, AzureRefused) and (
        refusal.code in {NO_CONNECTION, UNREADABLE} or refusal.status in PASSING
    )


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
        headers = getattr(error.response, "headers", {})
        code = str(getattr(error, "error_code", "") or headers.get("x-ms-error-code", ""))
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
