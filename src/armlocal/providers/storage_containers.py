"""Blob containers through ARM: the same containers that the blob service knows, asked of it over HTTPS."""

from __future__ import annotations

import re
import ssl
from email.utils import parsedate_to_datetime
from typing import TYPE_CHECKING, Any
from xml.etree import ElementTree as ET

import httpx

from armlocal.azurite.accountsas import account_sas
from armlocal.errors import ArmError
from armlocal.providers.base import Call, Reply, get_resource
from armlocal.state import make_resource
from armlocal.writing import NO_CONTENT

if TYPE_CHECKING:
    from collections.abc import Mapping

    from armlocal.providers.base import Routes
    from armlocal.state import Resource, World

Json = dict[str, Any]
ACCOUNT = "Microsoft.Storage/storageAccounts"
SERVICE = ACCOUNT + "/blobServices"
CONTAINER = SERVICE + "/containers"
ACCESS = {"Container": "container", "Blob": "blob"}
_NAME = re.compile(r"(?=.{3,63}$)[a-z0-9]+(-[a-z0-9]+)*$")


def add_service(world: World, account: Resource) -> None:
    """The account's blob service, which ARM shows as a child of its own."""
    properties = {
        "staticWebsite": {"enabled": False},
        "cors": {"corsRules": []},
        "deleteRetentionPolicy": {"allowPermanentDelete": False, "enabled": False},
    }
    body = {"sku": account.body["sku"], "properties": properties}
    world.add(make_resource(f"{account.id}/blobServices/default", SERVICE, body))


def check_provisioned(account: Resource) -> None:
    """Lets nobody at the keys or the blobs of an account that is not there yet.

    Raises:
        ArmError: 409. Source: `Test_CreateStorageAccountWithSkipReconcile_SecretsAreWritten` [5].
    """
    if account.state != "Succeeded":
        message = "The storage account provisioning state must be 'Succeeded' before executing the operation."
        raise ArmError(409, "StorageAccountIsNotProvisioned", message)


def _account(call: Call) -> Resource:
    """The account that the path begins with."""
    text = "/".join(call.id.text.split("/")[:9])
    account = call.world.resources[text.lower()]
    check_provisioned(account)
    return account


async def _ask(
    world: World, account: Resource, method: str, path: str, headers: Mapping[str, str] | None = None
) -> httpx.Response:
    """One request to the blob service with the account's own key."""
    query = account_sas(account.name, account.private["keys"]["key1"], "rwdlac")
    mark = "&" if "?" in path else "?"
    address = f"{world.storage.endpoint(account.name)}{path}{mark}{query}"
    trust = ssl.create_default_context(cafile=str(world.dir / "ca.pem"))
    async with httpx.AsyncClient(verify=trust, trust_env=False) as client:
        return await client.request(method, address, headers=headers)


async def put(call: Call) -> Reply:
    """Makes a container: 201; 200 when it is there. Source: `StorageAccount_20250601_CRUD` [27]."""
    account, name = _account(call), call.id.name
    if not _NAME.match(name):
        message = f"The specified resource name contains invalid characters: {name}."
        raise ArmError(400, "InvalidResourceName", message)
    access = (call.body.get("properties") or {}).get("publicAccess") or "None"
    if access != "None" and not account.properties["allowBlobPublicAccess"]:
        message = "Public access is not permitted on this storage account."
        raise ArmError(409, "PublicAccessNotPermitted", message)
    headers = {"x-ms-blob-public-access": ACCESS[access]} if access in ACCESS else {}
    made = await _ask(call.world, account, "PUT", f"{name}?restype=container", headers)
    if made.status_code == httpx.codes.CONFLICT:
        made = await _ask(call.world, account, "GET", f"{name}?restype=container")
        return Reply(200, _named(call.id.text, name), {"ETag": made.headers["etag"]})
    made.raise_for_status()
    return Reply(201, _named(call.id.text, name), {"ETag": made.headers["etag"]})


def _named(container_id: str, name: str) -> Json:
    return {"id": container_id, "name": name, "type": CONTAINER}


def _shown(container_id: str, name: str, etag: str, modified: str, access: str | None) -> Json:
    public = {value: key for key, value in ACCESS.items()}.get(access or "", "None")
    properties = {
        "deleted": False,
        "remainingRetentionDays": 0,
        "defaultEncryptionScope": "$account-encryption-key",
        "denyEncryptionScopeOverride": False,
        "publicAccess": public,
        "leaseStatus": "Unlocked",
        "leaseState": "Available",
        "lastModifiedTime": modified,
        "legalHold": {"hasLegalHold": False, "tags": []},
        "hasImmutabilityPolicy": False,
        "hasLegalHold": False,
    }
    return {**_named(container_id, name), "etag": etag, "properties": properties}


async def get(call: Call) -> Reply:
    """The container, as the blob service knows it."""
    account, name = _account(call), call.id.name
    answer = await _ask(call.world, account, "GET", f"{name}?restype=container")
    if answer.status_code == httpx.codes.NOT_FOUND:
        raise ArmError(404, "ContainerNotFound", "The specified container does not exist.")
    answer.raise_for_status()
    etag, access = answer.headers["etag"], answer.headers.get("x-ms-blob-public-access")
    body = _shown(call.id.text, name, etag, _iso(answer.headers["last-modified"]), access)
    return Reply(200, body, {"ETag": etag})


def _iso(http_date: str) -> str:
    """A date of HTTP as ARM writes it."""
    return parsedate_to_datetime(http_date).strftime("%Y-%m-%dT%H:%M:%S.0000000Z")


async def list_containers(call: Call) -> Reply:
    """All containers of the account."""
    answer = await _ask(call.world, _account(call), "GET", "?comp=list")
    answer.raise_for_status()
    base = call.id.parent.text
    value = []
    for node in ET.fromstring(answer.content).iter("Container"):  # noqa: S314 - our own service's answer
        name = node.findtext("Name") or ""
        etag, modified = (
            node.findtext("Properties/Etag") or "",
            node.findtext("Properties/Last-Modified") or "",
        )
        access = node.findtext("Properties/PublicAccess")
        value.append(_shown(f"{base}/containers/{name}", name, etag, _iso(modified), access))
    return Reply(200, {"value": value})


async def delete(call: Call) -> Reply:
    """Takes a container away with its blobs: 200; 204 when there is none."""
    answer = await _ask(call.world, _account(call), "DELETE", f"{call.id.name}?restype=container")
    if answer.status_code == httpx.codes.NOT_FOUND:
        return Reply(204, headers=NO_CONTENT)
    answer.raise_for_status()
    return Reply(200, headers=NO_CONTENT)


ROUTES: Routes = {
    f"GET {SERVICE}": get_resource,
    f"PUT {CONTAINER}": put,
    f"GET {CONTAINER}": get,
    f"LIST {CONTAINER}": list_containers,
    f"DELETE {CONTAINER}": delete,
}
