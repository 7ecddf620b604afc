"""Azurite with accounts that come and go, seen by Azure's own SDK."""

from __future__ import annotations

import asyncio
import subprocess
import sys
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from pathlib import Path

import httpx
import pytest
from azure.core.exceptions import ClientAuthenticationError, HttpResponseError, ResourceNotFoundError
from azure.storage.blob import ContainerSasPermissions, generate_container_sas
from azure.storage.blob.aio import BlobServiceClient, ContainerClient

from armlocal.azurite import Azurite, StorageDiedError
from tests.armlocal.conftest import Certificates, new_key

pytestmark = pytest.mark.asyncio(loop_scope="module")


def service(azurite: Azurite, certificates: Certificates, name: str, key: str) -> BlobServiceClient:
    return BlobServiceClient(
        azurite.endpoint(name),
        credential={"account_name": name, "account_key": key},
        connection_verify=str(certificates.ca),
        retry_total=0,
    )


async def test_an_account_works_with_either_key_as_soon_as_it_is_added(
    azurite: Azurite, certificates: Certificates
) -> None:
    """Both keys open the account, and a blob comes back as it was put."""
    first, second = new_key(), new_key()
    await azurite.add_account("lab1", first, second)
    async with service(azurite, certificates, "lab1", first) as client:
        container = await client.create_container("vhdusb")
        await container.upload_blob("a/b.txt", b"hello")
    async with service(azurite, certificates, "lab1", second) as client:
        blob = await client.get_blob_client("vhdusb", "a/b.txt").download_blob()
        assert await blob.readall() == b"hello"


async def test_a_sas_of_a_container_works(azurite: Azurite, certificates: Certificates) -> None:
    """A SAS for writing writes and does not read; another account's key signs nothing here."""
    key = new_key()
    await azurite.add_account("lab1", key, new_key())
    async with service(azurite, certificates, "lab1", key) as client:
        await client.create_container("vhdusb")
    for signer, refused in ((key, "AuthorizationPermissionMismatch"), (new_key(), "AuthorizationFailure")):
        async with by_sas(azurite, certificates, signer) as container:
            if signer == key:
                await container.upload_blob("x", b"x")
            with pytest.raises(HttpResponseError, match=refused):
                await container.download_blob("x")


def by_sas(azurite: Azurite, certificates: Certificates, key: str) -> ContainerClient:
    """A client that may create and write, if the key is the account's."""
    expiry = datetime.now(UTC) + timedelta(hours=1)
    writing = ContainerSasPermissions(create=True, write=True)
    query = generate_container_sas("lab1", "vhdusb", account_key=key, permission=writing, expiry=expiry)
    url = f"{azurite.endpoint('lab1')}vhdusb?{query}"
    return ContainerClient.from_container_url(url, connection_verify=str(certificates.ca), retry_total=0)


async def test_a_name_used_again_starts_empty(azurite: Azurite, certificates: Certificates) -> None:
    """A removed account refuses its keys, and its name's next owner finds nothing of it."""
    key = new_key()
    await azurite.add_account("lab1", key, new_key())
    async with service(azurite, certificates, "lab1", key) as client:
        await (await client.create_container("vhdusb")).upload_blob("x", b"x")
    await azurite.remove_account("lab1")
    await azurite.remove_account("lab1")
    async with service(azurite, certificates, "lab1", key) as client:
        with pytest.raises((ClientAuthenticationError, ResourceNotFoundError)):
            await client.get_container_client("vhdusb").get_container_properties()
    await azurite.add_account("lab1", key, new_key())
    async with service(azurite, certificates, "lab1", key) as client:
        assert [c.name async for c in client.list_containers()] == []


async def test_a_reset_leaves_no_account(azurite: Azurite) -> None:
    """After a reset there is none, the emulator's well-known one included."""
    await azurite.add_account("lab1", new_key(), new_key())
    await azurite.reset()
    assert not azurite.has_account("lab1")


async def test_keys_are_in_no_process_argument(azurite: Azurite) -> None:
    """Nobody reads a key in the list of processes."""
    key = new_key()
    await azurite.add_account("lab1", key, new_key())
    arguments = all_arguments()
    assert any(b"launcher.js" in a for a in arguments)
    assert not any(key.encode() in a for a in arguments)


def all_arguments() -> list[bytes]:
    """The arguments of every process that can be seen."""
    found = []
    for file in Path("/proc").glob("[0-9]*/cmdline"):
        with suppress(OSError):
            found.append(file.read_bytes())
    return found


STARTER = """
import asyncio, ssl, sys
from pathlib import Path
from armlocal.azurite import Azurite
async def main():
    folder, chain, key = map(Path, sys.argv[1:])
    azurite = await Azurite.start(folder, chain, key, ssl.create_default_context())
    print(azurite.endpoint("x"), flush=True)
    await asyncio.sleep(600)
asyncio.run(main())
"""


def start_and_kill(certificates: Certificates, folder: Path) -> str:
    """The address of an Azurite whose parent was killed."""
    command = [sys.executable, "-c", STARTER, *map(str, (folder, certificates.chain, certificates.key))]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as parent:
        assert parent.stdout is not None
        url = parent.stdout.readline().strip()
        parent.kill()
    return url


async def test_it_ends_with_a_parent_that_is_killed(certificates: Certificates, tmp_path: Path) -> None:
    """Not even SIGKILL of the parent leaves it running."""
    url = await asyncio.to_thread(start_and_kill, certificates, tmp_path / "data")
    async with httpx.AsyncClient(verify=certificates.trust()) as client, asyncio.timeout(60):
        while True:
            try:
                await client.get(url)
            except httpx.TransportError:
                return


async def test_it_says_when_it_did_not_start(certificates: Certificates, tmp_path: Path) -> None:
    """A wrong certificate is an error with the log's name, and no wait."""
    with pytest.raises(StorageDiedError, match=r"azurite\.log"):
        await Azurite.start(tmp_path, tmp_path / "none.pem", certificates.key, certificates.trust())
