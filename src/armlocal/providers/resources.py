"""What ARM answers for itself: subscription, regions, and lists of all."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from armlocal.ids import GROUP_TYPE
from armlocal.providers import resource_groups
from armlocal.providers.base import Call, Reply
from armlocal.providers.filters import matching, page
from armlocal.providers.regions import region_body, regions

if TYPE_CHECKING:
    from armlocal.providers.base import Routes
    from armlocal.state import Resource, World

Json = dict[str, Any]


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
    "LIST Microsoft.Resources/resources": list_all,
    **resource_groups.ROUTES,
}
