"""Answers to polls of long operations, and their refusal when the address was changed."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from armlocal.errors import ArmError
from armlocal.lro import NETWORK
from armlocal.providers.base import Reply
from armlocal.writing import JSON_TYPE

if TYPE_CHECKING:
    from armlocal.lro import Operation
    from armlocal.signing import Signer
    from armlocal.state import World

_POLL = re.compile(
    r"/(?:locations/[^/]+/(?:operations|DiskOperations|operationResults|asyncoperations)"
    r"|deployments/[^/]+/operationStatuses|dnsOperationStatuses|dnsOperationResults|operationresults)/[^/]+$",
    re.IGNORECASE,
)


def is_poll(path: str) -> bool:
    """Whether a path is that of a long operation."""
    return _POLL.search(path) is not None


def poll(world: World, signer: Signer, target: str) -> Reply:
    """The answer to a poll.

    Args:
        world: everything there is.
        signer: that signed the address.
        target: path and query exactly as sent.

    Raises:
        ArmError: 403 for an address that was changed, 404 for an operation that is not known, and the
            operation's own error where a Location has to tell it.
    """
    if not signer.is_unchanged(target):
        message = "The operation's address is not the one that was given out: it must come back unchanged."
        raise ArmError(403, "Forbidden", message, gateway=True)
    address = world.base_url + target
    operation = world.operations.at(address)
    if operation is None or operation.is_gone:
        raise ArmError(404, "NotFound", "The entity was not found in this Azure location.")
    return _status(world, operation) if address == operation.status_url else _result(world, operation)


def poll_name(path: str) -> str:
    """What latencies, rate limits and faults call it, such as `Microsoft.Compute/locations/operations`."""
    parts = path.split("/")
    if "providers" not in parts:
        return "Microsoft.Resources/operationresults"
    namespace = parts[parts.index("providers") + 1]
    return f"{namespace}/locations/{parts[-2]}" if "locations" in parts else f"{namespace}/{parts[-2]}"


def _status(world: World, operation: Operation) -> Reply:
    if operation.status != "InProgress":
        return Reply(200, operation.body())
    operation.polls += 1
    headers = operation.headers(world)
    if not operation.style.repeats_headers:
        headers = {k: v for k, v in headers.items() if "retry-after" in k.lower()}
    return Reply(operation.style.running_status, operation.body(), headers)


def _result(world: World, operation: Operation) -> Reply:
    if operation.status == "InProgress":
        operation.polls += 1
        return Reply(202, None, operation.headers(world))
    if operation.error is not None:
        raise operation.error
    if operation.style is NETWORK:
        told = {k: v for k, v in operation.headers(world).items() if "retry-after" not in k.lower()}
        return Reply(204, None, told | {"Content-Type": JSON_TYPE})
    if operation.output is None:
        return Reply(200)
    return Reply(200, operation.output)
