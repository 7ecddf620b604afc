"""Storage accounts answer as the real service was recorded to answer, and their blobs are real."""

from __future__ import annotations

import base64
from typing import TYPE_CHECKING, Any

import pytest
import pytest_asyncio
from azure.core.exceptions import HttpResponseError
from azure.storage.blob.aio import BlobServiceClient

from tests.armlocal.armworld import LOCATION, Arm, KeptKeys, running_arm

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path

    from armlocal.azurite import Azurite
    from tests.armlocal.conftest import Certificates

NAME = "labexports"
ACCOUNT: dict[str, Any] = {
    "location": LOCATION,
    "kind": "StorageV2",
    "sku": {"name": "Standard_LRS"},
    "properties": {
        "minimumTlsVersion": "TLS1_2",
        "allowBlobPublicAccess": False,
        "allowSharedKeyAccess": True,
    },
}


@pytest_asyncio.fixture
async def arm(certificates: Certificates, tmp_path: Path) -> AsyncIterator[Arm]:
    async with running_arm(certificates, tmp_path) as started:
        await started.make_group()
        yield started


def path(arm: Arm, name: str = NAME) -> str:
    return arm.id("lab", f"Microsoft.Storage/storageAccounts/{name}")


async def make(arm: Arm, name: str = NAME) -> Any:
    return await (await arm.storage.storage_accounts.begin_create("lab", name, ACCOUNT)).result()


async def test_a_new_account_is_a_202_without_body_and_only_a_location(arm: Arm) -> None:
    first = await arm.http.put(path(arm), json=ACCOUNT)
    assert (first.status_code, first.content) == (202, b"")
    assert "azure-asyncoperation" not in first.headers
    assert "monitor=true" in first.headers["location"]
    assert first.headers["x-ms-retry-after-ms"] == "17"


async def test_the_location_shows_the_account_when_it_is_there(arm: Arm) -> None:
    account = await make(arm)
    assert account.provisioning_state == "Succeeded"
    assert account.primary_endpoints.blob == KeptKeys().endpoint(NAME)
    assert (account.minimum_tls_version, account.allow_blob_public_access) == ("TLS1_2", False)
    assert account.allow_shared_key_access is True
    assert account.encryption.services.blob.enabled is True


async def test_keys_and_endpoints_are_not_there_before_the_account_is(arm: Arm) -> None:
    arm.world.scale = 0.05
    await arm.http.put(path(arm), json=ACCOUNT)
    account = await arm.storage.storage_accounts.get_properties("lab", NAME)
    assert account.provisioning_state == "Creating"
    assert account.primary_endpoints is None
    with pytest.raises(HttpResponseError) as refused:
        await arm.storage.storage_accounts.list_keys("lab", NAME)
    assert refused.value.status_code == 409
    assert refused.value.error is not None
    assert refused.value.error.code == "StorageAccountIsNotProvisioned"


async def test_an_account_that_is_there_is_answered_at_once(arm: Arm) -> None:
    await make(arm)
    again = await arm.http.put(path(arm), json={**ACCOUNT, "tags": {"a": "b"}})
    assert (again.status_code, again.json()["tags"]) == (200, {"a": "b"})
    assert "location" not in again.headers


async def test_a_patch_changes_what_it_names_only(arm: Arm) -> None:
    await make(arm)
    await arm.storage.storage_accounts.update("lab", NAME, {"tags": {"a": "b"}})
    patched = await arm.storage.storage_accounts.update("lab", NAME, {"properties": {"accessTier": "Cool"}})
    assert (patched.tags, patched.access_tier) == ({"a": "b"}, "Cool")


async def test_the_keys_are_64_random_bytes_and_the_blob_service_knows_them(arm: Arm) -> None:
    await make(arm)
    keys = (await arm.storage.storage_accounts.list_keys("lab", NAME)).keys_property
    values = tuple(key.value for key in keys)
    assert [len(base64.b64decode(value)) for value in values] == [64, 64]
    assert arm.world.storage.accounts == {NAME: values}  # type: ignore[attr-defined]
    changed = (
        await arm.storage.storage_accounts.regenerate_key("lab", NAME, {"keyName": "key1"})
    ).keys_property
    assert [new.value != old for new, old in zip(changed, values, strict=True)] == [True, False]


@pytest.mark.parametrize("name", ["ab", "Upper", "dash-ed", "a" * 25])
async def test_a_name_that_is_none_is_refused(arm: Arm, name: str) -> None:
    refused = await arm.http.put(path(arm, name), json=ACCOUNT)
    message = (
        f"{name} is not a valid storage account name. Storage account name must be between 3 and 24 "
        "characters in length and use numbers and lower-case letters only."
    )
    assert refused.status_code == 400
    assert refused.json() == {"error": {"code": "AccountNameInvalid", "message": message}}
    checked = await arm.storage.storage_accounts.check_name_availability({"name": name})
    assert (checked.name_available, checked.reason) == (False, "AccountNameInvalid")


async def test_names_are_unique_in_the_world(arm: Arm) -> None:
    check = arm.storage.storage_accounts.check_name_availability
    assert (await check({"name": NAME})).name_available is True
    await make(arm)
    taken = await check({"name": NAME})
    assert (taken.name_available, taken.reason) == (False, "AlreadyExists")
    assert taken.message == f"The storage account named {NAME} is already taken."
    await arm.make_group("other")
    for group, name, code in (
        ("other", NAME, "StorageAccountInAnotherResourceGroup"),
        ("lab", "storage", "StorageAccountAlreadyTaken"),
    ):
        refused = await arm.http.put(arm.id(group, f"Microsoft.Storage/storageAccounts/{name}"), json=ACCOUNT)
        assert (refused.status_code, refused.json()["error"]["code"]) == (409, code)


async def test_a_delete_is_over_at_once_and_the_blob_service_forgets_the_account(arm: Arm) -> None:
    await make(arm)
    gone = await arm.http.delete(path(arm))
    assert (gone.status_code, gone.content) == (200, b"")
    assert arm.world.storage.accounts == {}  # type: ignore[attr-defined]
    assert (await arm.http.delete(path(arm))).status_code == 204
    assert [r for r in arm.world.resources.values() if "storage" in r.type.lower()] == []
    assert (await arm.storage.storage_accounts.check_name_availability({"name": NAME})).name_available is True


async def test_an_account_that_is_being_made_cannot_be_deleted(arm: Arm) -> None:
    arm.world.scale = 0.05
    await arm.http.put(path(arm), json=ACCOUNT)
    refused = await arm.http.delete(path(arm))
    assert (refused.status_code, refused.json()["error"]["code"]) == (
        409,
        "StorageAccountOperationInProgress",
    )


async def test_usages_count_the_accounts_of_a_region(arm: Arm) -> None:
    await make(arm)
    usages = {u.name.value: u async for u in arm.storage.usages.list_by_location(LOCATION)}
    assert (usages["StorageAccounts"].current_value, usages["StorageAccounts"].limit) == (1, 250)


@pytest.mark.asyncio(loop_scope="module")
async def test_containers_made_through_arm_are_those_of_the_blob_service(
    certificates: Certificates, tmp_path: Path, azurite: Azurite
) -> None:
    async with running_arm(certificates, tmp_path, azurite) as arm:
        await arm.make_group()
        account = await make(arm)
        containers = arm.storage.blob_containers
        made = await arm.http.put(f"{path(arm)}/blobServices/default/containers/vhdusb", json={})
        again = await arm.http.put(f"{path(arm)}/blobServices/default/containers/vhdusb", json={})
        assert (made.status_code, again.status_code) == (201, 200)
        assert set(made.json()) == {"id", "name", "type"}
        shown = await containers.get("lab", NAME, "vhdusb")
        assert (shown.public_access, shown.deleted) == ("None", False)
        assert [c.name async for c in containers.list("lab", NAME)] == ["vhdusb"]
        key = (await arm.storage.storage_accounts.list_keys("lab", NAME)).keys_property[0].value
        async with BlobServiceClient(
            account.primary_endpoints.blob,
            credential={"account_name": NAME, "account_key": key},
            connection_verify=str(certificates.ca),
        ) as blobs:
            assert [c.name async for c in blobs.list_containers()] == ["vhdusb"]
        await containers.delete("lab", NAME, "vhdusb")
        missing = await arm.http.get(f"{path(arm)}/blobServices/default/containers/vhdusb")
        assert (missing.status_code, missing.json()["error"]["code"]) == (404, "ContainerNotFound")


async def test_a_public_container_is_refused_where_the_account_forbids_it(arm: Arm) -> None:
    await make(arm)
    body = {"properties": {"publicAccess": "Blob"}}
    refused = await arm.http.put(f"{path(arm)}/blobServices/default/containers/open", json=body)
    assert (refused.status_code, refused.json()["error"]["code"]) == (409, "PublicAccessNotPermitted")
