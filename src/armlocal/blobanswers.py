"""Headers and error bodies as blob storage sends them."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING
from uuid import uuid4

from starlette.responses import Response

if TYPE_CHECKING:
    from starlette.requests import Request

_SENTENCES = {
    "AuthenticationFailed": (
        "Server failed to authenticate the request. Make sure the value of Authorization header is formed "
        "correctly including the signature."
    ),
    "AuthorizationPermissionMismatch": (
        "This request is not authorized to perform this operation using this permission."
    ),
    "BlobNotFound": "The specified blob does not exist.",
    "ConditionNotMet": "The condition specified using HTTP conditional header(s) is not met.",
    "InvalidQueryParameterValue": (
        "Value for one of the query parameters specified in the request URI is invalid."
    ),
    "InvalidRange": "The range specified is invalid for the current size of the resource.",
}


def answer_headers(request: Request, version: str) -> dict[str, str]:
    """What every answer carries; a client's own request id comes back."""
    headers = {
        "Server": "Windows-Azure-Blob/1.0 Microsoft-HTTPAPI/2.0",
        "x-ms-request-id": str(uuid4()),
        "x-ms-version": request.headers.get("x-ms-version", version),
    }
    if client_id := request.headers.get("x-ms-client-request-id"):
        headers["x-ms-client-request-id"] = client_id
    return headers


def blob_error(request: Request, status: int, code: str, extra: dict[str, str] | None = None) -> Response:
    """An error answer; its body is XML, and absent for HEAD."""
    headers = answer_headers(request, "2018-03-28") | {"x-ms-error-code": code} | (extra or {})
    if request.method == "HEAD":
        return Response(status_code=status, headers=headers)
    moment = datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%S.%f0Z")
    body = (
        f'\N{ZERO WIDTH NO-BREAK SPACE}<?xml version="1.0" encoding="utf-8"?><Error><Code>{code}</Code>'
        f"<Message>{_SENTENCES[code]}\nRequestId:{headers['x-ms-request-id']}\nTime:{moment}</Message></Error>"
    )
    return Response(body.encode(), status, headers | {"Content-Type": "application/xml"})
