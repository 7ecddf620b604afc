"""Every shape in which Azure wraps an error is unrolled to its innermost code and one sentence."""

from __future__ import annotations

import json
from typing import Any

import pytest
from azure.core.exceptions import ServiceRequestError

from vhdlift.azure.failures import translated, unrolled
from vhdlift.errors import AzureRefused

IN_USE = {"code": "InUseSubnetCannotBeDeleted", "message": "Subnet x is in use."}

SHAPES: dict[str, tuple[Any, str]] = {
    "plain": ({"error": {"code": "NotFound", "message": "Disk d is not found."}}, "NotFound"),
    "capitals": (
        {"Error": {"Code": "ResourceGroupDeletionBlocked", "Message": "It failed.", "Details": None}},
        "ResourceGroupDeletionBlocked",
    ),
    "json in a message": (
        {"Error": {"Code": "Blocked", "Details": [{"Code": None, "Message": json.dumps({"error": IN_USE})}]}},
        "InUseSubnetCannotBeDeleted",
    ),
    "bare": ({"code": "PreconditionFailed", "message": "It has been modified."}, "PreconditionFailed"),
    "details": (
        {"error": {"code": "RetryableError", "message": "A retryable error occurred.", "details": [IN_USE]}},
        "InUseSubnetCannotBeDeleted",
    ),
    "operation": ({"status": "Failed", "error": {"code": "Timeout", "message": "Too slow."}}, "Timeout"),
    "inner error": (
        {"error": {"code": "A", "message": "a", "innererror": {"code": "B", "message": "b"}}},
        "B",
    ),
}


@pytest.mark.parametrize("shape", SHAPES)
def test_innermost_code_is_found(shape: str) -> None:
    """The last code of the unrolled body is the one to act upon."""
    body, code = SHAPES[shape]
    assert [each.code for each in unrolled(body) if each.code][-1] == code


@pytest.mark.parametrize(
    "body", [None, [], "text", 7, {"value": []}, {"error": "text"}, {"details": ["x", None]}]
)
def test_anything_else_is_no_error_body(body: Any) -> None:
    """What is not an error body has no message, and breaks nothing."""
    assert unrolled(body) == []


def test_endless_nesting_ends() -> None:
    """A body that nests deeper than any real one is cut."""
    body: dict[str, Any] = {"code": "x", "message": "deep"}
    for _ in range(100):
        body = {"code": "x", "message": "m", "innererror": body}
    assert len(unrolled(body)) < 20


def test_lost_connection_is_told_in_words() -> None:
    """A connection that failed after all retries has a code of its own."""
    error = translated(ServiceRequestError("Cannot connect to host arm:443"), "reading vm1")
    assert isinstance(error, AzureRefused)
    assert (str(error), error.code) == ("reading vm1: Cannot connect to host arm:443", "ConnectionFailed")
