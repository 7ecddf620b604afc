"""What ARM answers for itself: subscription, regions, providers, permissions, and lists of all."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from armlocal.errors import ArmError
from armlocal.ids import GROUP_TYPE
from armlocal.providers import resource_groups
from armlocal.providers.base import Call, Reply
from armlocal.providers.filters import matching, page
from armlocal.providers.regions import region_body, regions

if TYPE_CHECKING:
    from armlocal.providers.base import Routes
    from armlocal.state import Resource, World

Json = dict[str, Any]
NAMESPACES: dict[str, tuple[str, ...]] = {
    "Microsoft.Authorization": ("locks", "permissions"),
    "Microsoft.Compute": ("virtualMachines", "virtualMachines/extensions", "disks", "snapshots", "skus"),
    "Microsoft.DevTestLab": ("schedules",),
    "Microsoft.Network": (
        "virtualNetworks",
        "publicIPAddresses",
        "networkInterfaces",
        "networkSecurityGroups",
        "dnszones",
    ),
    "Microsoft.Resources": ("resourceGroups", "subscriptions"),
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


def _subscription(world: World) -> Json:
    return {
        "id": f"/subscriptions/{world.subscription_id}",
        "authorizationSource": "RoleBased",
        "managedByTenants": [],
        "subscriptionId": world.subscription_id,
        "tenantId": world.tenant_id,
        "displayName": "Local Azure",
        "state": "Enabled",
        "subscriptionPolicies": {
            "locationPlacementId": "Public_2014-09-01",
            "quotaId": "PayAsYouGo_2014-09-01",
            "spendingLimit": "Off",
        },
    }


async def get_subscription(call: Call) -> Reply:
    """The subscription."""
    return Reply(200, _subscription(call.world))


async def list_subscriptions(call: Call) -> Reply:
    """All subscriptions: the one."""
    return Reply(200, {"value": [_subscription(call.world)], "count": {"type": "Total", "value": 1}})


async def list_locations(call: Call) -> Reply:
    """The regions that the subscription may use."""
    return Reply(200, {"value": [region_body(call.world.subscription_id, name) for name in regions()]})


def _provider(world: World, namespace: str) -> Json:
    displays = (
        ["global"] if namespace == "Microsoft.Authorization" else [r["display"] for r in regions().values()]
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
        "registrationState": "Registered",
        "registrationPolicy": "RegistrationFree"
        if namespace == "Microsoft.Resources"
        else "RegistrationRequired",
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
    """One provider: its types, and that it is registered."""
    return Reply(200, _provider(call.world, _namespace(call.id.name)))


async def list_providers(call: Call) -> Reply:
    """All providers."""
    return Reply(200, {"value": [_provider(call.world, namespace) for namespace in NAMESPACES]})


async def register(call: Call) -> Reply:
    """Registers a provider, which it is already."""
    return Reply(200, _provider(call.world, _namespace(call.operation.split(" ")[1].split("/")[0])))


async def list_permissions(call: Call) -> Reply:  # noqa: ARG001 - the same for every scope
    """What the caller may do here: everything, as an Owner."""
    row = {"actions": ["*"], "notActions": [], "dataActions": [], "notDataActions": []}
    return Reply(200, {"value": [row]})


def is_listed(resource: Resource) -> bool:
    """Whether a resource shows in the list of all: what has a region of its own does, groups do not."""
    return bool(resource.body.get("location")) and resource.type != GROUP_TYPE


async def list_all(call: Call) -> Reply:
    """The resources of a group or of the subscription, of all types, sifted and in pages."""
    found = [r for r in call.world.resources.values() if is_listed(r)]
    if call.id.group is not None:
        found = [r for r in found if r.group.lower() == call.group.lower()]
    rows = [_entry(r) for r in matching(found, call.query.get("$filter", ""))]
    return page(call, rows)


def _entry(resource: Resource) -> Json:
    """What the list says of a resource."""
    body = resource.body
    keys = ("id", "name", "type", "sku", "kind", "managedBy", "location", "zones", "tags")
    return {key: body[key] for key in keys if body.get(key) is not None}


ROUTES: Routes = {
    "GET Microsoft.Resources/subscriptions": get_subscription,
    "LIST Microsoft.Resources/subscriptions": list_subscriptions,
    "LIST Microsoft.Resources/locations": list_locations,
    "GET Microsoft.Resources/providers": get_provider,
    "LIST Microsoft.Resources/providers": list_providers,
    **{f"POST {namespace}/register": register for namespace in NAMESPACES},
    "LIST Microsoft.Authorization/permissions": list_permissions,
    "LIST Microsoft.Resources/resources": list_all,
    **resource_groups.ROUTES,
}
