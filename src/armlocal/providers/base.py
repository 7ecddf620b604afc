"""The contract between the app and the providers: how to write a provider.

A provider is a module with a table of routes. A route's key is the operation's name, which is also what
faults and latencies call it:

* `PUT Microsoft.Network/publicIPAddresses` - a method on a named resource; children have longer types:
  `PUT Microsoft.Network/virtualNetworks/subnets`, `PUT Microsoft.Network/dnsZones/A`.
* `LIST Microsoft.Network/publicIPAddresses` - a GET whose path ends with the type, in a group
  (`call.id.group` is set) or in the subscription (it is None). Also under a location:
  `LIST Microsoft.Compute/locations/usages` with `call.id.names == ("uksouth",)`.
* `POST Microsoft.Storage/storageAccounts/listKeys` - an action; `call.id` is the resource it is done to.
  Actions of the subscription: `POST Microsoft.Storage/checkNameAvailability`.
* What ARM itself answers for has the namespace Microsoft.Resources: `PUT Microsoft.Resources/resourceGroups`,
  `HEAD ...`, `LIST Microsoft.Resources/resources` (in a group or the subscription),
  `GET Microsoft.Resources/subscriptions`, `GET Microsoft.Resources/providers`.

A handler is `async def handler(call: Call) -> Reply`. Before it runs, the app has checked the token, the
api-version, the subscription, the resource group (404 for every call into a group that does not exist; 409
for PUT, PATCH and POST into one that is being deleted), the parent of a child resource, and a new resource's
location and tags. The handler raises `ArmError` for every refusal. An example, whole:

    async def put(call: Call) -> Reply:
        old = call.world.find(call.id.text)
        if old is not None:
            call.refuse_if_busy(old)                      # 409 AnotherOperationInProgress or Conflict
        address = old or call.world.add(make_resource(call.id.text, TYPE, {...}))
        ...                                               # set address.body from call.body

        async def work() -> None:                         # runs when the recorded time is over
            address.properties["ipAddress"] = "20.90.0.4"

        operation = await call.start(NETWORK, Plan("public_ip_put", work, address, "Updating", retry=(1, 2)))
        return Reply(200 if old else 201, address.body, operation.headers(call.world))

    async def delete(call: Call) -> Reply:
        address = call.world.find(call.id.text)
        if address is None:
            return Reply(204)
        call.refuse_if_busy(address)
        ...                                               # raise what Azure says while it is in use

        async def work() -> None:
            call.world.remove(address.id)

        plan = Plan("public_ip_delete", work, address, "Deleting", with_location=True, retry=(10, 10))
        return Reply(202, headers=(await call.start(NETWORK, plan)).headers(call.world))

    ROUTES = {"PUT " + TYPE: put, "DELETE " + TYPE: delete, "GET " + TYPE: get_resource,
              "LIST " + TYPE: list_resources}

Rules: one resource is one `Resource` in `World.resources`; `body` is what GET answers, whole, with
id, name, type, location, tags, etag. Read and change the world without an `await` between the check and the
change. `Reply` copies its body when it is made, so what changes afterwards does not show in it. Handlers
never sleep: the app waits the recorded time of the request before it calls them, and `Plan` names the
recorded time of the operation. To make things from code (the starting world, deleting a whole group), call
`await call.router.invoke(world, "DELETE", resource_id, instant=True)`: the same handlers, with operations
that are over at once.
"""

from __future__ import annotations

import copy
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from armlocal.errors import ArmError, another_operation, conflict, resource_not_found

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Mapping

    from armlocal.faults import Fault
    from armlocal.ids import ArmId
    from armlocal.lro import Operation, Plan, Style
    from armlocal.routing import Router
    from armlocal.signing import Signer
    from armlocal.state import Resource, World

    Handler = Callable[["Call"], Awaitable["Reply"]]
    Routes = Mapping[str, Handler]


class Reply:
    """An answer: status, JSON body (None for an empty one), headers beside the common ones."""

    def __init__(self, status: int = 200, body: Any = None, headers: Mapping[str, str] | None = None) -> None:
        self.status = status
        self.body = copy.deepcopy(body)
        self.headers = dict(headers or {})


@dataclass
class Call:
    """One request to a provider.

    Attributes:
        world: everything there is.
        method: GET, PUT, ...
        operation: the route's key.
        type: the type in its official spelling (without the action's name).
        id: the resource; for a list the list's own path, and `id.parent` is what it is in. Names as sent.
        api_version: as sent.
        query: the other query parameters, `$expand` for instance, by lower-case name.
        headers: the request's headers by lower-case name (If-Match, If-None-Match).
        body: the JSON body; {} when there is none.
        request_id: the answer's `x-ms-request-id`, and the id of the operation it starts.
        router: to call other handlers.
        signer: signs polling addresses.
        instant: operations are over at once.
        fault: what goes wrong with this request.
    """

    world: World
    method: str
    operation: str
    type: str
    id: ArmId
    api_version: str
    router: Router
    signer: Signer
    request_id: str
    query: Mapping[str, str] = field(default_factory=dict)
    headers: Mapping[str, str] = field(default_factory=dict)
    body: dict[str, Any] = field(default_factory=dict)
    instant: bool = False
    fault: Fault | None = None

    @property
    def group(self) -> str:
        """The resource group in the path; "" outside of one."""
        return self.id.group or ""

    def found(self) -> Resource:
        """The resource that the path names.

        Raises:
            ArmError: 404 ResourceNotFound, as ARM words it.
        """
        resource = self.world.find(self.id.text)
        if resource is None:
            raise resource_not_found(*self._missing())
        return resource

    def _missing(self) -> tuple[str, str, str]:
        """ARM names a missing child as `Namespace/type/name/childtype/child`."""
        namespace, first = self.type.split("/")[:2]
        return f"{namespace}/{first}", self.id.name_path, self.group

    async def start(self, style: Style, plan: Plan) -> Operation:
        """Starts a long operation: `Operations.start`."""
        return await self.world.operations.start(self, style, plan)

    def refuse_if_busy(self, resource: Resource) -> None:
        """Lets no second write at a resource while one runs.

        Raises:
            ArmError: 409, AnotherOperationInProgress from Network, Conflict from the others.
        """
        operation = self.world.operations.running(resource, self.world)
        if operation is None:
            return
        if resource.type.startswith("Microsoft.Network/"):
            raise another_operation(operation.plain_url)
        raise conflict()

    def take_fault(self, kind: str) -> Fault | None:
        """The fault of this request if it is of this kind; it is then dealt with."""
        if self.fault is None or self.fault.kind != kind:
            return None
        fault, self.fault = self.fault, None
        return fault


async def get_resource(call: Call) -> Reply:
    """GET of any resource: its body, or ARM's 404."""
    return Reply(200, call.found().body)


async def list_resources(call: Call) -> Reply:
    """GET of a list: `{"value": [...]}` of the type, below a parent, in a group or in the subscription."""
    if call.id.names and call.id.location is None:
        found = call.world.children(call.id.parent.text, call.type)
    else:
        found = call.world.of_type(call.type, call.id.group)
    return Reply(200, {"value": [r.body for r in found]})


def required(body: Mapping[str, Any], *path: str) -> Any:
    """The value at a path of keys.

    Raises:
        ArmError: 400 InvalidRequestContent when it is not there.
    """
    value: Any = body
    for key in path:
        value = value.get(key) if isinstance(value, dict) else None
    if value is None:
        message = f"The request content was invalid: required property '{'.'.join(path)}' is missing."
        raise ArmError(400, "InvalidRequestContent", message, gateway=True)
    return value
