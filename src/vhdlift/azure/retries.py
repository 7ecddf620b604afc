"""Repeats of one request, within azure-core's own policy; what comes after them is in `waiting`."""

from __future__ import annotations

import json
from contextlib import suppress
from typing import TYPE_CHECKING, Any

from azure.core.exceptions import AzureError
from azure.core.pipeline.policies import AsyncRetryPolicy

from vhdlift.azure.failures import PASSING, final_of, reason_of
from vhdlift.azure.patience import (
    BACKOFF,
    LONGEST_BACKOFF,
    LONGEST_RETRY_AFTER,
    TRIES,
    asked_to_wait,
    retry_after,
)

if TYPE_CHECKING:
    from azure.core.pipeline import PipelineResponse


class ServiceRetryPolicy(AsyncRetryPolicy[Any, Any]):
    """azure-core's retry, with what this tool's calls allow.

    Every call of this tool may be repeated, POST included (stop, start, grant access, list keys), so a
    connection that broke after the request was sent is retried for all methods. The service's
    Retry-After is obeyed up to `LONGEST_RETRY_AFTER`, and told; our own back-off is multiplied by `scale`.
    """

    def __init__(self, scale: float, lost_connections: int = TRIES) -> None:
        super().__init__(
            retry_total=TRIES,
            retry_status=TRIES,
            retry_connect=lost_connections,
            retry_read=lost_connections,
            retry_backoff_factor=BACKOFF * scale,
            retry_backoff_max=LONGEST_BACKOFF * scale,
        )

    def _is_method_retryable(self, settings: Any, request: Any, response: Any = None) -> bool:  # noqa: ARG002
        return True

    def get_retry_after(self, response: PipelineResponse[Any, Any]) -> float | None:
        """Seconds that the service asks to wait."""
        return retry_after(response.http_response.headers)

    def is_retry(self, settings: dict[str, Any], response: PipelineResponse[Any, Any]) -> bool:
        """Whether to ask again: never when the service wants more patience than a run has."""
        asked_for = self.get_retry_after(response)
        if asked_for is not None and asked_for > LONGEST_RETRY_AFTER:
            return False
        return bool(settings["total"]) and response.http_response.status_code in PASSING

    def increment(
        self, settings: dict[str, Any], response: Any = None, error: Exception | None = None
    ) -> bool:
        """Whether another try is left; none when no try would make it better."""
        return not final_of(error) and bool(super().increment(settings, response, error))

    async def _sleep_for_retry(self, response: PipelineResponse[Any, Any], transport: Any) -> bool:
        seconds = self.get_retry_after(response)
        if not seconds:
            return False
        await asked_to_wait(seconds, await _reason(response.http_response))
        await transport.sleep(seconds)
        return True


async def _reason(response: Any) -> str:
    """Status and innermost code of an answer that is about to be dropped."""
    body = None
    with suppress(AzureError, ValueError):
        # Answers of the older kind are read already, and have no `read`.
        read = getattr(response, "read", None)
        body = json.loads(await read() if read is not None else response.body())
    return reason_of(response.status_code, body)
