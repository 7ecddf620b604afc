"""From a path to a handler, with the checks that ARM makes before a provider sees the request."""

from __future__ import annotations

import uuid
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from armlocal.errors import (
    ArmError,
    group_being_deleted,
    group_not_found,
    parent_not_found,
    resource_not_found,
)
from armlocal.ids import DEPLOYMENT_TYPE, GROUP_TYPE, ArmId, parse_id
from armlocal.providers.base import Call, Reply
from armlocal.providers.locks import refuse_if_locked
from armlocal.providers.permissions import refuse_if_not_allowed
from armlocal.providers.policies import refuse_if_disallowed
from armlocal.providers.registrations import refuse_if_unregistered
from armlocal.spelling import NAMESPACES, spelled

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from armlocal.providers.base import Handler, Routes
    from armlocal.signing import Signer
    from armlocal.state import World

WRITES = ("PUT", "PATCH", "POST")
MAX_TAGS = 50
INTERNAL_VERSION = "2024-11-01"


@dataclass(frozen=True)
class Incoming:
    """A request as it came: what is not in its path."""

    api_version: str = INTERNAL_VERSION
    query: Mapping[str, str] = field(default_factory=dict)
    headers: Mapping[str, str] = field(default_factory=dict)
    body: dict[str, Any] = field(default_factory=dict)
    request_id: str = field(default_factory=lambda: str(uuid.uuid4()))


class Router:
    """All routes, found without regard to case."""

    def __init__(self, routes: Iterable[Routes], signer: Signer) -> None:
        self._routes: dict[str, tuple[str, Handler]] = {}
        self._signer = signer
        for table in routes:
            for key, handler in table.items():
                self._routes[key.lower()] = (key, handler)
        self._types = {key.split(" ", 1)[1].lower() for key, _ in self._routes.values()}

    def operation(self, method: str, arm_id: ArmId) -> str:
        """The operation's name, in its official spelling where there is a route."""
        verb = "LIST" if method == "GET" and arm_id.is_collection else method
        name = f"{verb} {arm_id.type}"
        return self._routes.get(name.lower(), (name, None))[0]

    def call(self, world: World, method: str, arm_id: ArmId, incoming: Incoming) -> Call:
        """The request, ready for `answer`.

        Raises:
            ArmError: 405, the path is a list's and the method is for one resource.
        """
        if arm_id.is_collection and method not in ("GET", "POST"):
            raise _unsupported(method)
        operation = self.operation(method, arm_id)
        type_ = operation.split(" ", 1)[1]
        target = arm_id
        if arm_id.is_collection and method != "GET" and arm_id.names:
            target, type_ = arm_id.parent, type_.rsplit("/", 1)[0]
        return Call(
            world=world,
            method=method,
            operation=operation,
            type=type_,
            id=target,
            api_version=incoming.api_version,
            router=self,
            signer=self._signer,
            request_id=incoming.request_id,
            query=incoming.query,
            headers=incoming.headers,
            body=spelled(incoming.body) if type_.lower().startswith(NAMESPACES) else incoming.body,
        )

    async def answer(self, call: Call) -> Reply:
        """Runs the checks and the handler.

        Raises:
            ArmError: what ARM or the provider refuses.
        """
        _, handler = self._routes.get(call.operation.lower(), ("", None))
        if not call.instant:
            refuse_if_not_allowed(call)
        _check_group(call)
        if handler is None:
            raise self._no_route(call)
        _check_parent(call)
        refuse_if_locked(call)
        if not call.instant:
            refuse_if_unregistered(call)
        if call.method == "PUT":
            _check_new(call)
        if not call.instant:
            refuse_if_disallowed(call)
        return await handler(call)

    async def invoke(
        self,
        world: World,
        method: str,
        resource_id: str,
        body: dict[str, Any] | None = None,
        *,
        instant: bool = True,
    ) -> Reply:
        """Calls a handler from code, past tokens and faults.

        Args:
            world: everything there is.
            method: GET, PUT, ...
            resource_id: the path; an action's path ends with its name.
            body: the JSON body.
            instant: operations are over when this returns, and their failure is raised.

        Raises:
            ArmError: what the handler refuses.
        """
        call = self.call(world, method, parse_id(resource_id), Incoming(body=body or {}))
        call.instant = instant
        return await self.answer(call)

    def _no_route(self, call: Call) -> ArmError:
        type_ = call.operation.split(" ", 1)[1]
        namespace, _, kind = type_.partition("/")
        if type_.lower() in self._types:
            return _unsupported(call.method)
        if not any(known.startswith(namespace.lower() + "/") for known in self._types):
            message = f"The resource namespace '{namespace}' is invalid."
            return ArmError(404, "InvalidResourceNamespace", message, gateway=True)
        message = (
            f"The resource type '{kind}' could not be found in the namespace '{namespace}' "
            f"for api version '{call.api_version}'."
        )
        return ArmError(404, "InvalidResourceType", message, gateway=True)


def _unsupported(method: str) -> ArmError:
    message = f"The requested resource does not support http method '{method}'."
    return ArmError(405, "UnsupportedHttpMethod", message, gateway=True)


def _check_group(call: Call) -> None:
    """404 for a group that does not exist, 409 for a write into one that is being deleted."""
    if call.id.group is None or call.type == GROUP_TYPE:
        return
    group = call.world.group(call.id.group)
    if group is None:
        raise group_not_found(call.id.group)
    if group.state == "Deleting" and call.method in WRITES and not call.instant:
        raise group_being_deleted(call.id.group)


def _check_parent(call: Call) -> None:
    """404 when what a child or an action belongs to does not exist."""
    if call.id.group is None or call.type == GROUP_TYPE or not call.id.names:
        return
    if call.id.is_collection or len(call.id.names) > 1:
        parent = call.id.parent
        if parent.names and not parent.is_collection and call.world.find(parent.text) is None:
            raise _no_parent(call, parent)


def _no_parent(call: Call, parent: ArmId) -> ArmError:
    """Reads are told of what the path begins with, as recorded in `test_vm_user_update_win` [5]."""
    if call.method != "GET":
        return parent_not_found(parent.name)
    return resource_not_found("/".join(call.type.split("/")[:2]), call.id.names[0], call.group)


def _check_new(call: Call) -> None:
    """The checks of ARM itself on a PUT: location and tags."""
    body = call.body
    no_place = call.type in (GROUP_TYPE, DEPLOYMENT_TYPE)
    placed = not no_place and not call.type.startswith("Microsoft.Authorization/")
    if call.id.group is not None and placed and len(call.id.names) == 1:
        old = call.world.find(call.id.text)
        location = str(body.get("location") or "").replace(" ", "").lower()
        if not location:
            message = "The location property is required for this definition."
            raise ArmError(400, "LocationRequired", message, gateway=True)
        if old is not None and old.location.lower() != location:
            raise _moved(call, old.location, location)
        body["location"] = location
    _check_tags(body.get("tags") or {})


def _moved(call: Call, old: str, new: str) -> ArmError:
    message = (
        f"The resource '{call.id.name}' already exists in location '{old}' in resource group '{call.group}'. "
        f"A resource with the same name cannot be created in location '{new}'. Please select a new resource "
        "name."
    )
    return ArmError(409, "InvalidResourceLocation", message, gateway=True)


def _check_tags(tags: Mapping[str, Any]) -> None:
    if len(tags) > MAX_TAGS:
        message = f"The number of tags is {len(tags)}, which exceeds the limit of {MAX_TAGS}."
        raise ArmError(400, "TooManyTags", message, gateway=True)
    if any(not isinstance(value, str) for value in tags.values()):
        raise ArmError(400, "InvalidRequestContent", "The request content was invalid: tags.", gateway=True)
