"""Rights: what the caller may do at a scope, and the refusal of what it may not.

Shape of the list: Microsoft's reference of `Microsoft.Authorization/permissions`, 2022-04-01. The wording of
the refusal is that of the service (`AuthorizationFailed`, HTTP 403, made by the gateway). Names of actions:
Microsoft's list of resource provider operations. Checks of linked resources (`join/action`) are not made.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from armlocal.errors import ArmError
from armlocal.ids import scope_of
from armlocal.providers.base import Call, Reply

if TYPE_CHECKING:
    from armlocal.providers.base import Routes

TYPE = "Microsoft.Authorization/permissions"
_VERBS = {"GET": "read", "LIST": "read", "HEAD": "read", "PUT": "write", "PATCH": "write", "DELETE": "delete"}
_OF_ARM = {
    "Microsoft.Resources/subscriptions": "Microsoft.Resources/subscriptions",
    "Microsoft.Resources/resourceGroups": "Microsoft.Resources/subscriptions/resourceGroups",
    "Microsoft.Resources/providers": "Microsoft.Resources/subscriptions/providers",
    "Microsoft.Resources/locations": "Microsoft.Resources/subscriptions/locations",
    "Microsoft.Resources/resources": "Microsoft.Resources/subscriptions/resources",
}
# Questions that are posted, and count as reading.
_QUESTIONS = {"checknameavailability", "checkpolicyrestrictions"}


async def list_permissions(call: Call) -> Reply:
    """One row for each role that the caller has at the scope."""
    rows = [
        {
            "actions": list(grant.actions),
            "notActions": list(grant.not_actions),
            "dataActions": [],
            "notDataActions": [],
        }
        for grant in call.world.conditions.at(scope_of(call.id))
    ]
    return Reply(200, {"value": rows})


def refuse_if_not_allowed(call: Call) -> None:
    """Lets the caller do only what one of its roles gives.

    Raises:
        ArmError: 403 AuthorizationFailed.
    """
    action, scope = action_of(call), call.id.text
    if any(grant.allows(action) for grant in call.world.conditions.at(scope)):
        return
    who = call.world.client_id
    message = (
        f"The client '{who}' with object id '{call.world.object_id}' does not have authorization to perform "
        f"action '{action}' over scope '{scope}' or the scope is invalid. If access was recently granted, "
        "please refresh your credentials."
    )
    raise ArmError(403, "AuthorizationFailed", message, gateway=True)


def action_of(call: Call) -> str:
    """The action that a request needs, as roles name it."""
    verb, type_ = call.operation.split(" ", 1)
    if type_ == "Microsoft.Resources/resources" and call.id.group is not None:
        return "Microsoft.Resources/subscriptions/resourceGroups/resources/read"
    type_ = _OF_ARM.get(type_, type_)
    if verb == "POST":
        return f"{type_}/{'read' if type_.rsplit('/', 1)[-1].lower() in _QUESTIONS else 'action'}"
    return f"{type_}/{_VERBS[verb]}"


ROUTES: Routes = {f"LIST {TYPE}": list_permissions}
