"""Resource providers: what they have, whether the subscription is registered with them, and that it must be.

States and the time that registering takes: Microsoft's page on resource providers and types. The refusal is
the one that operators quote from the live service (`MissingSubscriptionRegistration`, HTTP 409); it comes
for what makes or changes something, as it was seen for nothing else.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from armlocal.errors import ArmError
from armlocal.providers.base import Call, Reply
from armlocal.providers.regions import regions

if TYPE_CHECKING:
    from armlocal.providers.base import Routes
    from armlocal.state import World

Json = dict[str, Any]
NAMESPACES: dict[str, tuple[str, ...]] = {
    "Microsoft.Authorization": ("locks", "permissions", "policyAssignments", "policyDefinitions"),
    "Microsoft.Compute": (
        *("virtualMachines", "virtualMachines/extensions", "virtualMachines/runCommands"),
        *("disks", "snapshots", "skus"),
    ),
    "Microsoft.DevTestLab": ("schedules",),
    "Microsoft.Network": (
        "virtualNetworks",
        "publicIPAddresses",
        "networkInterfaces",
        "networkSecurityGroups",
        "dnszones",
    ),
    "Microsoft.PolicyInsights": ("checkPolicyRestrictions",),
    "Microsoft.Resources": ("resourceGroups", "subscriptions", "deployments"),
    "Microsoft.Storage": ("storageAccounts",),
}
API_VERSIONS = (
    "2025-06-01",
    "2025-03-01",
    "2024-11-01",
    "2024-07-01",
    "2024-03-01",
    "2023-09-01",
    "2018-05-01",
)
REGISTERED, REGISTERING, NOT_REGISTERED = "Registered", "Registering", "NotRegistered"
FREE = ("Microsoft.Authorization", "Microsoft.Resources")
"""Providers that every subscription has, and always keeps."""

REGISTERING_SECONDS = 30.0
"""At scale 1; the service says no more than that it takes a while."""

_FOR_EVER = float("inf")
_WRITES = ("PUT", "PATCH", "POST")


def state_of(world: World, namespace: str) -> str:
    """How the subscription stands with a provider."""
    state, ends = world.conditions.registrations.get(namespace, (REGISTERED, _FOR_EVER))
    return state if world.clock.monotonic() < ends else REGISTERED


def refuse_if_unregistered(call: Call) -> None:
    """Lets nothing be made with a provider that the subscription is not registered with.

    Raises:
        ArmError: 409 MissingSubscriptionRegistration.
    """
    namespace = call.type.split("/", 1)[0]
    itself = call.operation.endswith(("/register", "/unregister"))
    if call.method not in _WRITES or itself or namespace not in NAMESPACES:
        return
    if state_of(call.world, namespace) not in {NOT_REGISTERED, "Unregistered"}:
        return
    message = (
        f"The subscription is not registered to use namespace '{namespace}'. See "
        "https://aka.ms/rps-not-found for how to register subscriptions."
    )
    raise ArmError(409, "MissingSubscriptionRegistration", message, gateway=True)


def _provider(world: World, namespace: str) -> Json:
    everywhere = [region["display"] for region in regions().values()]
    displays = (
        ["global"] if namespace in ("Microsoft.Authorization", "Microsoft.PolicyInsights") else everywhere
    )
    types = [
        {
            "resourceType": name,
            "locations": ["global"] if name == "dnszones" else displays,
            "apiVersions": list(API_VERSIONS),
            "capabilities": "None",
        }
        for name in NAMESPACES[namespace]
    ]
    return {
        "id": f"/subscriptions/{world.subscription_id}/providers/{namespace}",
        "namespace": namespace,
        "resourceTypes": types,
        "registrationState": state_of(world, namespace),
        "registrationPolicy": "RegistrationFree" if namespace in FREE else "RegistrationRequired",
    }


def _namespace(name: str) -> str:
    """The official spelling.

    Raises:
        ArmError: 404 InvalidResourceNamespace.
    """
    for namespace in NAMESPACES:
        if namespace.lower() == name.lower():
            return namespace
    raise ArmError(
        404, "InvalidResourceNamespace", f"The resource namespace '{name}' is invalid.", gateway=True
    )


async def get_provider(call: Call) -> Reply:
    """One provider: its types, and how the subscription stands with it."""
    return Reply(200, _provider(call.world, _namespace(call.id.name)))


async def list_providers(call: Call) -> Reply:
    """All providers."""
    return Reply(200, {"value": [_provider(call.world, namespace) for namespace in NAMESPACES]})


async def register(call: Call) -> Reply:
    """Registers a provider, which takes a while."""
    namespace = _namespace(call.operation.split(" ")[1].split("/")[0])
    if state_of(call.world, namespace) != REGISTERED:
        ends = call.world.clock.monotonic() + call.world.scaled(REGISTERING_SECONDS)
        call.world.conditions.registrations[namespace] = (REGISTERING, ends)
    return Reply(200, _provider(call.world, namespace))


async def unregister(call: Call) -> Reply:
    """Ends a registration, at once."""
    namespace = _namespace(call.operation.split(" ")[1].split("/")[0])
    if namespace not in FREE:
        call.world.conditions.registrations[namespace] = ("Unregistered", _FOR_EVER)
    return Reply(200, _provider(call.world, namespace))


ROUTES: Routes = {
    "GET Microsoft.Resources/providers": get_provider,
    "LIST Microsoft.Resources/providers": list_providers,
    **{f"POST {namespace}/register": register for namespace in NAMESPACES},
    **{f"POST {namespace}/unregister": unregister for namespace in NAMESPACES},
}
