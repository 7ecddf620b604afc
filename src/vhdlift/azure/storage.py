"""Storage accounts, containers, blobs and their SAS.

Two accounts with different lives: the one of the artefact stays, the one of the setup script goes. Keys
are fetched where they are used and never leave this module but inside a client or a signature.
"""

from __future__ import annotations

import shlex
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from functools import partial
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

from azure.storage.blob import (
    BlobSasPermissions,
    ContainerSasPermissions,
    generate_blob_sas,
    generate_container_sas,
)

from vhdlift.azure.ownership import Resource, arm_id, delete_ours, is_ours, made
from vhdlift.azure.polling import Watch
from vhdlift.azure.waiting import asked, finished, found, until
from vhdlift.errors import AzureRefused, Leftover, VhdliftError
from vhdlift.model import CONTAINER
from vhdlift.redaction import register

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Mapping

    from azure.mgmt.storage.models import StorageAccount
    from azure.storage.blob.aio import BlobServiceClient

    from vhdlift.azure.clients import Azure
    from vhdlift.azure.polling import KindName

SCRIPT_CONTAINER = "setup"
"""The container of the setup script in its own account."""

_CLOCK_SKEW = timedelta(minutes=15)
_SHORTEST_SAS = timedelta(hours=24)
_LONGEST_SAS = timedelta(days=60)
_SLOWEST_BYTES_PER_SECOND = 20e6
_PASSES = 4
_NOT_YET_SERVED = frozenset({"connectionfailed", "resourcenotfound", "accountnotfound", "notfound"})


def sas_life(size: int) -> timedelta:
    """How long a SAS has to live for the work on a disk of `size` bytes.

    A day, and four passes over the disk (download, check, rewrite, upload) at 20 MB/s; 60 days at most,
    which is the most that the service grants for a snapshot.
    """
    return min(_SHORTEST_SAS + _work(size), _LONGEST_SAS)


def sas_suffices(size: int) -> bool:
    """Whether the work on a disk of `size` bytes ends within the longest life."""
    return _work(size) <= _LONGEST_SAS


def _work(size: int) -> timedelta:
    return timedelta(seconds=_PASSES * size / _SLOWEST_BYTES_PER_SECOND)


def account_of(azure: Azure, group: str, name: str) -> Resource:
    """A storage account as a resource of the run."""
    accounts = azure.storage.storage_accounts
    resource_id = arm_id(azure, group, f"Microsoft.Storage/storageAccounts/{name}")
    return Resource(
        id=resource_id,
        what=f"the storage account {name}",
        get=partial(accounts.get_properties, group, name),
        delete=partial(accounts.delete, group, name),
        command=f"az storage account delete --ids {shlex.quote(resource_id)} --yes",
    )


async def create_storage_account(
    azure: Azure,
    group: str,
    name: str,
    *,
    location: str,
    tags: Mapping[str, str],
    run_id: str,
    ledger: Callable[[str], Awaitable[None]],
) -> str:
    """Create the account, or take over the one this run made; return its blob endpoint as ARM tells it.

    TLS 1.2, https only, nothing public.

    Raises:
        AzureRefused: the name is taken (names are shared by all of Azure), or Azure's own refusal.
    """
    resource = account_of(azure, group, name)

    async def create() -> Any:
        return await finished(
            azure.storage.storage_accounts.begin_create,
            group,
            name,
            account_body(location, tags),
            what=f"creating {resource.what}",
            kind="storage",
            scale=azure.scale,
            watch=Watch(resource.get),
        )

    return blob_endpoint(await made(azure, resource, run_id, ledger, create))


def account_body(location: str, tags: Mapping[str, str]) -> dict[str, Any]:
    """A storage account as it is made."""
    return {
        "location": location,
        "tags": dict(tags),
        "kind": "StorageV2",
        "sku": {"name": "Standard_LRS"},
        "properties": {
            "accessTier": "Hot",
            "allowBlobPublicAccess": False,
            "allowSharedKeyAccess": True,
            "minimumTlsVersion": "TLS1_2",
            "supportsHttpsTrafficOnly": True,
        },
    }


def blob_endpoint(account: StorageAccount) -> str:
    """The account's blob endpoint, with its last slash.

    Raises:
        AzureRefused: the account has none.
    """
    endpoints = account.properties.primary_endpoints if account.properties else None
    if not endpoints or not endpoints.blob:
        raise AzureRefused(f"the storage account {account.name} has no blob endpoint", "NoBlobEndpoint")
    return str(endpoints.blob)


async def account_key(azure: Azure, group: str, name: str, kind: KindName = "call") -> str:
    """The first key of the account; a secret, registered as one.

    Raises:
        VhdliftError: what Azure answered; NotAllowed when the role lacks `listKeys`.
    """
    answer = await asked(
        azure.storage.storage_accounts.list_keys,
        group,
        name,
        what=f"reading the keys of the storage account {name}",
        scale=azure.scale,
        kind=kind,
    )
    keys = [str(key.value) for key in answer.keys_property or [] if key.value]
    if not keys:
        raise AzureRefused(f"the storage account {name} has no key", "NoAccountKey")
    register(keys[0])
    return keys[0]


async def ensure_container_exists(azure: Azure, service: BlobServiceClient, container: str) -> None:
    """Create the private container unless it exists.

    A new account is not served everywhere at once, so "not found" and failed connections are waited out.

    Raises:
        VhdliftError: what the storage service answered.
    """
    what = f"creating the container {container}"

    async def once() -> bool | None:
        try:
            await asked(
                service.get_container_client(container).create_container, what=what, scale=azure.scale
            )
        except AzureRefused as refusal:
            if refusal.code.lower() in _NOT_YET_SERVED:
                return None
            if refusal.code != "ContainerAlreadyExists":
                raise
        return True

    await until(once, what=what, scale=azure.scale, kind="storage", typical=1)


async def create_vhd_export_container_and_sas(
    azure: Azure, group: str, account: str, *, endpoint: str, life: timedelta
) -> tuple[str, str, datetime]:
    """Make sure that `vhdusb` exists, and a SAS for uploading into it, signed for the account it lies in.

    Returns:
        The container's URL without a signature, the SAS token (a secret, no leading `?`), its expiry.

    Raises:
        VhdliftError: what Azure answered.
    """
    key = await account_key(azure, group, account)
    async with azure.blob_service(endpoint, account, key) as service:
        await ensure_container_exists(azure, service, CONTAINER)
    permission = ContainerSasPermissions(read=True, add=True, create=True, write=True, list=True)
    token, expiry = _container_token(account, key, CONTAINER, permission, life)
    return f"{endpoint.rstrip('/')}/{CONTAINER}", token, expiry


async def upload_blob_and_generate_sas(
    azure: Azure, group: str, account: str, *, endpoint: str, container: str, blob: str, data: bytes
) -> str:
    """Put a small block blob into a private container, over whatever is there; return a URL to read it.

    Returns:
        The blob's URL with a SAS for reading, which is a secret.

    Raises:
        VhdliftError: what Azure answered.
    """
    key = await account_key(azure, group, account)
    async with azure.blob_service(endpoint, account, key) as service:
        await ensure_container_exists(azure, service, container)
        client = service.get_blob_client(container, blob)
        await asked(client.upload_blob, data, overwrite=True, what=f"uploading {blob}", scale=azure.scale)
    return _read_url(endpoint, account, key, container, blob, _SHORTEST_SAS)


async def blob_read_url(
    azure: Azure, group: str, account: str, *, endpoint: str, container: str, blob: str, life: timedelta
) -> str:
    """A URL with a SAS to read one blob, https only; a secret. The blob need not exist.

    Raises:
        VhdliftError: what Azure answered when asked for the account's key.
    """
    key = await account_key(azure, group, account)
    return _read_url(endpoint, account, key, container, blob, life)


async def read_small_blob(azure: Azure, url: str, what: str) -> bytes:
    """The whole content of a blob by a URL that carries its SAS.

    Raises:
        VhdliftError: what the storage service answered.
    """

    async def download() -> bytes:
        async with azure.blob_at(url) as client:
            stream = await client.download_blob()
            return bytes(await stream.readall())

    return await asked(download, what=what, scale=azure.scale)


async def delete_blob(azure: Azure, group: str, account: str, run_id: str, container: str, blob: str) -> None:
    """Delete one blob in an account of this run; nothing there is success.

    Raises:
        VhdliftError: what Azure answered.
    """
    service = await _blobs_of_ours(azure, group, account, run_id)
    if service is not None:
        client = service.get_blob_client(container, blob)
        await found(client.delete_blob, what=f"deleting {blob}", scale=azure.scale)


async def cleanup_temp_storage(
    azure: Azure, group: str, account: str, run_id: str, *, blob: str
) -> list[Leftover]:
    """Delete the setup script, its container and the temporary account, and look that they are gone.

    The account would take the rest with it; the script goes first because it holds secrets and must not
    stay behind if the account cannot be deleted.
    """
    try:
        await delete_blob(azure, group, account, run_id, SCRIPT_CONTAINER, blob)
    except VhdliftError as error:
        left = await remove_account(azure, group, account, run_id)
        return [replace(each, reason=f"{error}; {each.reason}") for each in left]
    return await remove_account(azure, group, account, run_id)


async def remove_account(azure: Azure, group: str, account: str, run_id: str) -> list[Leftover]:
    """Delete an account of this run, before it the container of the setup script if there is one in it."""
    before = ""
    try:
        await _delete_container(azure, group, account, run_id, SCRIPT_CONTAINER)
    except VhdliftError as error:
        before = f"{error}; "
    left = await delete_ours(azure, account_of(azure, group, account), run_id)
    return [replace(each, reason=before + each.reason) for each in left]


async def _delete_container(azure: Azure, group: str, account: str, run_id: str, container: str) -> None:
    service = await _blobs_of_ours(azure, group, account, run_id)
    if service is not None:
        client = service.get_container_client(container)
        await found(client.delete_container, what=f"deleting the container {container}", scale=azure.scale)


async def _blobs_of_ours(azure: Azure, group: str, account: str, run_id: str) -> BlobServiceClient | None:
    """The blobs of an account, or None when there is none that this run made."""
    resource = account_of(azure, group, account)
    there = await found(resource.get, what=f"reading {resource.what}", scale=azure.scale)
    if there is None or not is_ours(there.tags, run_id):
        return None
    key = await account_key(azure, group, account)
    return azure.blob_service(blob_endpoint(there), account, key)


def read_token(account: str, key: str, container: str, life: timedelta) -> str:
    """A SAS, without a leading `?`, to read every blob of a container, https only; a secret."""
    return _container_token(account, key, container, ContainerSasPermissions(read=True), life)[0]


def _container_token(
    account: str, key: str, container: str, permission: ContainerSasPermissions, life: timedelta
) -> tuple[str, datetime]:
    start, expiry = _validity(life)
    token = generate_container_sas(
        account,
        container,
        account_key=key,
        permission=permission,
        start=start,
        expiry=expiry,
        protocol="https",
    )
    register(token)
    return token, expiry


def _read_url(endpoint: str, account: str, key: str, container: str, blob: str, life: timedelta) -> str:
    start, expiry = _validity(life)
    token = generate_blob_sas(
        account,
        container,
        blob,
        account_key=key,
        permission=BlobSasPermissions(read=True),
        start=start,
        expiry=expiry,
        protocol="https",
    )
    register(token)
    return f"{endpoint.rstrip('/')}/{container}/{quote(blob)}?{token}"


def _validity(life: timedelta) -> tuple[datetime, datetime]:
    """From a little in the past, because clocks differ, to the end of `life`; whole seconds, UTC."""
    now = datetime.now(UTC).replace(microsecond=0)
    return now - _CLOCK_SKEW, now + life
