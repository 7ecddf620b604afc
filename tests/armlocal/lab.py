"""A target machine's surroundings: Azurite, a snapshot, a webhook receiver, a script in a private blob."""

from __future__ import annotations

import asyncio
import json
import os
import ssl
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

from azure.core.exceptions import ResourceNotFoundError
from azure.storage.blob import (
    BlobSasPermissions,
    ContainerSasPermissions,
    generate_blob_sas,
    generate_container_sas,
)
from azure.storage.blob.aio import BlobServiceClient

from armlocal.disks import DiskFiles
from armlocal.export import Exports
from armlocal.guest import GuestDouble
from armlocal.state import make_resource
from armlocal.webhooks import PATH, Webhooks
from fixedvhd import SparseDigest
from tests.armlocal.conftest import Certificates, new_key
from vhdlift.guest.render import GuestValues, render

if TYPE_CHECKING:
    from pathlib import Path

    from armlocal.azurite import Azurite
    from armlocal.parts import ExtensionResult

SNAPSHOT = "/subscriptions/s/resourceGroups/g/providers/Microsoft.Compute/snapshots/snap"
VM = "/subscriptions/s/resourceGroups/g/providers/Microsoft.Compute/virtualMachines/lab1"
ACCOUNT, ARTEFACT = "labaccount", "old.vhd"
COMMAND = "powershell.exe -NoProfile -ExecutionPolicy Bypass -File lab1-setup.ps1"
SECRET = "whsec_c2VjcmV0"


class Lab:
    """Everything around one guest; `base` is set once the routes are served."""

    def __init__(self, folder: Path, certificates: Certificates, azurite: Azurite) -> None:
        self.folder = folder
        self.azurite = azurite
        self.ca = str(certificates.ca)
        self.disks = DiskFiles(folder / "disks")
        self.disks.plant_source(SNAPSHOT)
        self.exports = Exports(self.disks)
        self.hooks = Webhooks(folder / "webhooks.ndjson")
        self.guest = GuestDouble(folder / "guest", certificates.trust(), lambda: 0.001)
        self.vm = make_resource(VM, "Microsoft.Compute/virtualMachines", {})
        self.key = new_key()
        self.base = ""

    async def prepare(self, base: str) -> None:
        """The account and its containers."""
        self.base = base
        await self.azurite.add_account(ACCOUNT, self.key, new_key())
        async with self.blobs() as service:
            for name in ("vhdusb", "scripts"):
                await service.create_container(name)

    def blobs(self) -> BlobServiceClient:
        credential = {"account_name": ACCOUNT, "account_key": self.key}
        endpoint = self.azurite.endpoint(ACCOUNT)
        return BlobServiceClient(endpoint, credential, connection_verify=self.ca, retry_total=0)

    def values(self, **changed: Any) -> GuestValues:
        """What a run would render the script with."""
        allowed = ContainerSasPermissions(read=True, write=True, create=True, list=True)
        ends = datetime.now(UTC) + timedelta(hours=24)
        token = generate_container_sas(
            ACCOUNT, "vhdusb", account_key=self.key, permission=allowed, expiry=ends
        )
        values = GuestValues(
            snapshot_url=self.base + self.exports.grant(SNAPSHOT, 86400),
            azure_sas_token=token,
            webhook_url=f"{self.base}{PATH}?sig=hook",
            webhook_secret=SECRET,
            run_id="01RUN",
            vm_name="lab1",
            resource_group="g's",
            location="uksouth",
            container_url=f"{self.azurite.endpoint(ACCOUNT)}vhdusb",
            artefact_name=ARTEFACT,
            source_vm="old",
            target_size_bytes="0",
            sas_expires=ends.strftime("%Y-%m-%dT%H:%M:%SZ"),
            time_scale="0.001",
        )
        return replace(values, **changed)

    async def install(self, script: str | None = None, **settings: Any) -> ExtensionResult:
        """Puts the script into its blob and runs the extension, as a run does."""
        text = render(self.values()) if script is None else script
        name = "lab1-setup.ps1"
        async with self.blobs() as service:
            await service.get_blob_client("scripts", name).upload_blob(text.encode(), overwrite=True)
        reading = BlobSasPermissions(read=True)
        ends = datetime.now(UTC) + timedelta(hours=1)
        sas = generate_blob_sas(
            ACCOUNT, "scripts", name, account_key=self.key, permission=reading, expiry=ends
        )
        url = f"{self.azurite.endpoint(ACCOUNT)}scripts/{name}?{sas}"
        protected = {"fileUris": [url], "commandToExecute": COMMAND, **settings}
        return await self.guest.run_extension(self.vm, {"timestamp": 1}, protected)

    async def read(self, name: str) -> dict[str, Any] | None:
        """A JSON blob beside the artefact; None while there is none."""
        async with self.blobs() as service:
            try:
                stream = await service.get_blob_client("vhdusb", name).download_blob()
                told: dict[str, Any] = json.loads(await stream.readall())
            except ResourceNotFoundError:
                return None
        return told

    async def until(self, phase: str, *states: str) -> dict[str, Any]:
        """The progress of the guest once it is there, in one of these states."""
        async with asyncio.timeout(180):
            while True:
                told = await self.read(f"{ARTEFACT}.progress.json")
                if told and told["phase"] == phase and told["state"] in states:
                    return told
                assert told is None or told["state"] != "failed", told
                await asyncio.sleep(0.02)

    async def manifest(self) -> dict[str, Any]:
        """The manifest, once it is there."""
        await self.until("finish", "done")
        told = await self.read(f"{ARTEFACT}.json")
        assert told is not None
        return told

    async def artefact(self, path: Path) -> str:
        """Downloads the artefact's pages into a sparse file; the SHA-256 of the whole."""
        async with self.blobs() as service:
            blob = service.get_blob_client("vhdusb", ARTEFACT)
            size = (await blob.get_blob_properties()).size
            digest = SparseDigest(size)
            with path.open("wb") as file:
                file.truncate(size)
                async for page in blob.list_page_ranges():
                    start, length = page.start or 0, (page.end or 0) - (page.start or 0) + 1
                    data = await (await blob.download_blob(offset=start, length=length)).readall()
                    os.pwrite(file.fileno(), data, start)
                    digest.feed(start, data)
        return digest.hexdigest()

    def ca_context(self) -> ssl.SSLContext:
        """What a client of the lab trusts."""
        return ssl.create_default_context(cafile=self.ca)

    def posts(self) -> list[dict[str, Any]]:
        """All webhook posts."""
        if not self.hooks.file.exists():
            return []
        return [json.loads(line) for line in self.hooks.file.read_text().splitlines()]
