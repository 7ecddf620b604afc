"""Storage accounts: names unique in the world, keys made by chance, endpoints of the blob service here."""

from __future__ import annotations

import base64
import copy
import re
import secrets
from typing import TYPE_CHECKING, Any

from armlocal.errors import ArmError
from armlocal.lro import STORAGE, Plan
from armlocal.providers import storage_containers
from armlocal.providers.base import Call, Reply, get_resource, list_resources, required
from armlocal.providers.regions import check_region, regions
from armlocal.state import make_resource
from armlocal.writing import NO_CONTENT

if TYPE_CHECKING:
    from armlocal.providers.base import Routes
    from armlocal.state import Resource, World

Json = dict[str, Any]
TYPE = storage_containers.ACCOUNT
TAKEN_ELSEWHERE = frozenset({"azure", "backup", "data", "storage", "test"})
"""Names of accounts in other people's subscriptions."""
KEY_BYTES = 64
LIMIT = 250
MADE = (
    "provisioningState",
    "primaryEndpoints",
    "creationTime",
    "keyCreationTime",
    "primaryLocation",
    "statusOfPrimary",
    "secondaryLocation",
    "statusOfSecondary",
)
_NAME = re.compile(r"[a-z0-9]{3,24}$")


def _invalid_name(name: str) -> str:
    return (
        f"{name} is not a valid storage account name. Storage account name must be between 3 and "
        "24 characters "
        "in length and use numbers and lower-case letters only."
    )


def _taken(name: str) -> str:
    return f"The storage account named {name} is already taken."


async def put(call: Call) -> Reply:
    """Makes an account (202 without a body), or changes one (200 with it at once)."""
    world, name = call.world, call.id.name
    if not _NAME.match(name):
        raise ArmError(400, "AccountNameInvalid", _invalid_name(name))
    check_region(call)
    old = world.find(call.id.text)
    _check_policy(call.body.get("properties") or {})
    if old is not None:
        _refuse_if_busy(call, old)
        required(call.body, "sku", "name")
        return _changed(old, call.body, whole=True)
    _check_free(world, name)
    account = _new_account(call)
    plan = Plan("storage_account_put", lambda: _open(world, account), account, "Creating", retry=(17, 17))
    operation = await call.start(STORAGE, plan)
    return Reply(202, headers=operation.headers(world))


def _check_policy(given: Json) -> None:
    """Source: `Test_OperationAccepted_LongRunningOperationFails` [2]."""
    if int((given.get("keyPolicy") or {}).get("keyExpirationPeriodInDays") or 0) < 0:
        message = "Values for request parameters are invalid: keyPolicy.keyExpirationPeriodInDays."
        raise ArmError(400, "InvalidValuesForRequestParameters", message)


def _check_free(world: World, name: str) -> None:
    if name in TAKEN_ELSEWHERE:
        raise ArmError(409, "StorageAccountAlreadyTaken", _taken(name))
    if any(account.name == name for account in world.of_type(TYPE)):
        message = f"The account {name} is already in another resource group in this subscription."
        raise ArmError(409, "StorageAccountInAnotherResourceGroup", message)


def _refuse_if_busy(call: Call, account: Resource) -> None:
    if call.world.operations.running(account, call.world) is not None:
        message = (
            "An operation is currently performing on this storage account that requires exclusive access."
        )
        raise ArmError(409, "StorageAccountOperationInProgress", message)


def _new_account(call: Call) -> Resource:
    """The account as it is while it is being made: without endpoints."""
    sku = str(required(call.body, "sku", "name"))
    body = {
        "sku": {"name": sku, "tier": sku.split("_", maxsplit=1)[0]},
        "kind": required(call.body, "kind"),
        "location": call.body["location"],
        "tags": dict(call.body.get("tags") or {}),
        "properties": _new_properties(call),
    }
    account = call.world.add(make_resource(call.id.text, TYPE, body))
    account.private["keys"] = {"key1": _new_key(), "key2": _new_key()}
    storage_containers.add_service(call.world, account)
    return account


def _new_properties(call: Call) -> Json:
    """What was asked for over the defaults, which since 2025 are stricter."""
    now = _time(call.world)
    service = {"keyType": "Account", "enabled": True, "lastEnabledTime": now}
    recent = call.api_version >= "2025"
    return {
        **({"allowCrossTenantDelegationSas": False} if recent else {}),
        "keyCreationTime": {"key1": now, "key2": now},
        "allowCrossTenantReplication": False,
        "privateEndpointConnections": [],
        "minimumTlsVersion": "TLS1_2" if recent else "TLS1_0",
        "allowBlobPublicAccess": False,
        "networkAcls": {
            "ipv6Rules": [],
            "bypass": "AzureServices",
            "virtualNetworkRules": [],
            "ipRules": [],
            "defaultAction": "Allow",
        },
        "supportsHttpsTrafficOnly": True,
        "encryption": {
            "services": {"file": service, "blob": dict(service)},
            "keySource": "Microsoft.Storage",
        },
        "accessTier": "Hot",
        "creationTime": now,
        **_settable(call.body.get("properties") or {}),
    }


def _settable(given: Json) -> Json:
    """What a client may set; encryption's services are on whatever it says of them."""
    return {k: copy.deepcopy(v) for k, v in given.items() if k not in (*MADE, "encryption") and v is not None}


def _time(world: World) -> str:
    return world.clock.now().strftime("%Y-%m-%dT%H:%M:%S.%f0Z")


def _new_key() -> str:
    return base64.b64encode(secrets.token_bytes(KEY_BYTES)).decode()


async def _open(world: World, account: Resource) -> Json:
    """The account can be used: its keys hold, its endpoint is known. Returns what the Location shows."""
    keys = account.private["keys"]
    await world.storage.add_account(account.name, keys["key1"], keys["key2"])
    account.properties.update(
        {
            "provisioningState": "Succeeded",
            "primaryEndpoints": {"blob": world.storage.endpoint(account.name)},
            "primaryLocation": account.location,
            "statusOfPrimary": "available",
            **_second_place(account),
        }
    )
    return copy.deepcopy(account.body)


def _second_place(account: Resource) -> Json:
    """Where a geo-redundant account is kept too. Source: `test_create_storage_account` [15]."""
    if not account.body["sku"]["name"].startswith(("Standard_G", "Standard_RAG")):
        return {}
    return {"secondaryLocation": regions()[account.location]["paired"], "statusOfSecondary": "available"}


def _changed(account: Resource, body: Json, *, whole: bool) -> Reply:
    """The account with what the body sets; a PUT without tags takes them away, a PATCH leaves them."""
    if whole or body.get("tags") is not None:
        account.body["tags"] = dict(body.get("tags") or {})
    sku = (body.get("sku") or {}).get("name")
    if sku:
        account.body["sku"] = {"name": sku, "tier": sku.split("_")[0]}
    settable = _settable(body.get("properties") or {})
    if "networkAcls" in settable:
        settable["networkAcls"] = {**account.properties["networkAcls"], **settable["networkAcls"]}
    account.properties.update(settable)
    account.properties.update(_second_place(account))
    return Reply(200, account.body)


async def patch(call: Call) -> Reply:
    """Changes what the body names."""
    account = call.found()
    _refuse_if_busy(call, account)
    return _changed(account, call.body, whole=False)


async def delete(call: Call) -> Reply:
    """Takes an account away with all its blobs, at once: there is no operation to follow."""
    account = call.world.find(call.id.text)
    if account is None:
        return Reply(204, headers=NO_CONTENT)
    _refuse_if_busy(call, account)
    call.world.remove(account.id)
    await call.world.storage.remove_account(account.name)
    return Reply(200, headers=NO_CONTENT)


async def list_keys(call: Call) -> Reply:
    """The two keys; 409 before the account is there."""
    account = call.found()
    storage_containers.check_provisioned(account)
    return Reply(200, _keys(account))


def _keys(account: Resource) -> Json:
    times = account.properties["keyCreationTime"]
    rows = account.private["keys"].items()
    keys = [{"creationTime": times[n], "keyName": n, "value": v, "permissions": "FULL"} for n, v in rows]
    return {"keys": keys}


async def regenerate_key(call: Call) -> Reply:
    """A new key in place of one; whatever was signed with the old one no longer holds."""
    account = call.found()
    storage_containers.check_provisioned(account)
    name = str(required(call.body, "keyName"))
    if name not in account.private["keys"]:
        message = "Values for request parameters are invalid: keyName."
        raise ArmError(400, "InvalidValuesForRequestParameters", message)
    account.private["keys"][name] = _new_key()
    account.properties["keyCreationTime"][name] = _time(call.world)
    keys = account.private["keys"]
    await call.world.storage.add_account(account.name, keys["key1"], keys["key2"])
    return Reply(200, _keys(account))


async def check_name(call: Call) -> Reply:
    """Whether a new account could have this name. Source: `test_create_storage_account` [0], [5]."""
    name = str(required(call.body, "name"))
    if not _NAME.match(name):
        return Reply(
            200, {"nameAvailable": False, "reason": "AccountNameInvalid", "message": _invalid_name(name)}
        )
    if name in TAKEN_ELSEWHERE or any(a.name == name for a in call.world.of_type(TYPE)):
        return Reply(200, {"nameAvailable": False, "reason": "AlreadyExists", "message": _taken(name)})
    return Reply(200, {"nameAvailable": True})


async def usages(call: Call) -> Reply:
    """How many accounts a region has, and may have. Source: `test_show_usage` [0]."""
    here = [a for a in call.world.of_type(TYPE) if a.location == call.id.names[0].lower()]
    rows = (
        ("StorageAccounts", "Storage Accounts", len(here), LIMIT),
        ("StorageAccounts-AzureDNSZone", "AzureDNSZone Storage Accounts", 0, 5000),
    )
    value = [
        {
            "unit": "Count",
            "currentValue": used,
            "limit": call.world.conditions.limit(name, limit),
            "name": {"value": name, "localizedValue": title},
        }
        for name, title, used, limit in rows
    ]
    return Reply(200, {"value": value})


ROUTES: Routes = {
    f"PUT {TYPE}": put,
    f"GET {TYPE}": get_resource,
    f"LIST {TYPE}": list_resources,
    f"PATCH {TYPE}": patch,
    f"DELETE {TYPE}": delete,
    f"POST {TYPE}/listKeys": list_keys,
    f"POST {TYPE}/regenerateKey": regenerate_key,
    "POST Microsoft.Storage/checkNameAvailability": check_name,
    "LIST Microsoft.Storage/locations/usages": usages,
    **storage_containers.ROUTES,
}
