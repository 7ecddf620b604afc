"""Storage accounts, the container of the artefact and the setup script, on real blobs (Azurite)."""

from __future__ import annotations

import asyncio
import base64
import hashlib
import os
import ssl
from collections.abc import AsyncIterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any
from urllib.parse import parse_qs

import httpx
import pytest

from tests.azure.conftest import Answer, arm_error
from tests.steps.blobs import Blobs
from tests.steps.conftest import RUN_ID, World
from tests.steps.shelf import COMPUTE, GROUP
from vhdlift.azure.service_passwords import service_passwords
from vhdlift.azure.snapshot import LONGEST_ACCESS
from vhdlift.azure.storage import blob_read_url, create_vhd_export_container_and_sas, sas_life
from vhdlift.errors import AzureRefused, StepWarning
from vhdlift.redaction import redact
from vhdlift.steps.base import Context, Step
from vhdlift.steps.export_storage_created import ExportStorageCreated
from vhdlift.steps.script_storage_created import ScriptStorageCreated
from vhdlift.steps.script_storage_deleted import ScriptStorageDeleted
from vhdlift.steps.setup_extension_installed import SetupExtensionInstalled
from vhdlift.steps.setup_script_uploaded import SetupScriptUploaded

SNAPSHOT_URL = "https://md-1.z1.blob.storage.azure.net/x/abcd?sv=2018-03-28&sr=b&sig=snapshotsecret"
DISK_BYTES = 127 << 30


class Accounts:
    """Azurite behind the two accounts of the run, which exist there from the start."""

    def __init__(self, world: World, azurite: Blobs) -> None:
        self.azurite = azurite
        names = world.context.names
        self.export, self.script = names.export_account, names.script_account
        self.client = httpx.AsyncClient(verify=ssl.create_default_context(cafile=str(world.shelf.ca)))

    async def serve(self, world: World) -> None:
        for name in (self.export, self.script):
            key = base64.b64encode(os.urandom(64)).decode()
            await self.azurite.add_account(name, key)
            keys = Answer(body={"keys": [{"keyName": "key1", "value": key, "permissions": "FULL"}]})
            world.shelf.on(f"POST {account(name)}/listKeys", keys)
        world.shelf.blobs = self.azurite.endpoint(self.export).rstrip("/").rpartition("/")[0]


def account(name: str) -> str:
    return f"{GROUP}/providers/Microsoft.Storage/storageAccounts/{name}"


@pytest.fixture
async def blobs(world: World, azurite: Blobs) -> AsyncIterator[Accounts]:
    blobs = Accounts(world, azurite)
    await blobs.serve(world)
    yield blobs
    await blobs.client.aclose()


async def both_accounts(world: World, blobs: Accounts) -> Context:
    """The run after its two accounts were made and its snapshot taken."""
    facts = {
        **await ExportStorageCreated().do(world.context),
        **await ScriptStorageCreated().do(world.context),
    }
    path = f"{COMPUTE}/snapshots/{world.context.names.snapshot}"
    world.shelf.put(path, {"location": "ukwest", "tags": world.context.run.tags})
    world.shelf.on(f"POST {path}/beginGetAccess", Answer(body={"accessSAS": SNAPSHOT_URL}))
    return world.with_facts(**facts, source_disk_bytes=DISK_BYTES)


@pytest.mark.parametrize("size", [1, DISK_BYTES, 32 << 40, 1 << 60])
def test_sas_lives_as_long_as_the_work_may_take(size: int) -> None:
    """A day at least, sixty days at most, longer for a larger disk."""
    assert timedelta(days=1) <= sas_life(size) <= timedelta(days=60)
    assert sas_life(size).total_seconds() <= LONGEST_ACCESS
    assert sas_life(1) < sas_life(DISK_BYTES)


@pytest.mark.parametrize("step", [ExportStorageCreated(), ScriptStorageCreated()])
async def test_account_is_closed_to_the_public(step: Step, world: World, blobs: Accounts) -> None:
    """TLS 1.2, https only, no public blobs, ours by tag, and once only."""
    first = await step.do(world.context)
    assert await step.do(world.context) == first
    (put,) = world.shelf.of("PUT")
    assert put.body["kind"] == "StorageV2"
    assert put.body["sku"] == {"name": "Standard_LRS"}
    assert put.body["tags"]["vhdlift-run"] == RUN_ID
    assert put.body["properties"]["minimumTlsVersion"] == "TLS1_2"
    assert put.body["properties"]["allowBlobPublicAccess"] is False
    assert put.body["properties"]["supportsHttpsTrafficOnly"] is True


async def test_endpoint_is_the_one_that_arm_tells(world: World, blobs: Accounts) -> None:
    """No endpoint is made up from the account's name."""
    facts = await ExportStorageCreated().do(world.context)
    assert facts == {"export_account": blobs.export, "export_endpoint": blobs.azurite.endpoint(blobs.export)}


async def test_taken_name_is_told(world: World) -> None:
    """A name that somebody else in Azure has is refused in the service's words."""
    name = world.context.names.export_account
    taken = arm_error("StorageAccountAlreadyTaken", f"The storage account named {name} is already taken.")
    world.shelf.on(f"PUT {account(name)}", Answer(409, taken))
    with pytest.raises(AzureRefused, match="already taken") as caught:
        await ExportStorageCreated().do(world.context)
    assert caught.value.code == "StorageAccountAlreadyTaken"


async def test_account_that_is_not_served_yet_is_waited_for(world: World, blobs: Accounts) -> None:
    """Right after its creation an account may not answer: the container is asked for again."""
    name = blobs.export
    key = base64.b64encode(os.urandom(64)).decode()
    await blobs.azurite.remove_account(name)
    keys = Answer(body={"keys": [{"keyName": "key1", "value": key}]})
    world.shelf.on(f"POST {account(name)}/listKeys", keys)

    async def later() -> None:
        await asyncio.sleep(0.5)
        await blobs.azurite.add_account(name, key)

    task = asyncio.create_task(later())
    await ExportStorageCreated().do(world.context)
    await task


async def test_upload_sas_has_the_least_rights(world: World, blobs: Accounts) -> None:
    """https only, no deletion, begins in the past, ends when it says, signed for the account it is for."""
    facts = await ExportStorageCreated().do(world.context)
    url, token, expires = await create_vhd_export_container_and_sas(
        world.context.azure,
        "lab1-rg",
        blobs.export,
        endpoint=facts["export_endpoint"],
        life=timedelta(hours=30),
    )
    said = {key: value[0] for key, value in parse_qs(token).items()}
    now = datetime.now(UTC)
    assert said["spr"] == "https"
    assert said["sp"] == "racwl"
    assert datetime.fromisoformat(said["st"]) < now - timedelta(minutes=10)
    assert datetime.fromisoformat(said["se"]) == expires
    assert timedelta(hours=29) < expires - now < timedelta(hours=31)
    answer = await blobs.client.put(
        f"{url}/x.txt?{token}", content=b"x", headers={"x-ms-blob-type": "BlockBlob"}
    )
    assert answer.status_code == 201
    assert (await blobs.client.delete(f"{url}/x.txt?{token}")).status_code == 403
    assert (await blobs.client.get(f"{url}/x.txt")).status_code in {401, 403, 404, 409}


async def test_script_is_private_and_complete(world: World, blobs: Accounts) -> None:
    """The script has both signatures in its head, is readable by SAS only, and no secret is a fact."""
    context = await both_accounts(world, blobs)
    facts = await SetupScriptUploaded().do(context)
    assert set(facts) == {"script_blob", "script_sha256", "sas_expires", "passwords_mark"}
    assert "sig" not in str(facts)
    url = await blob_read_url(
        context.azure,
        "lab1-rg",
        blobs.script,
        endpoint=context.facts["script_endpoint"],
        container="setup",
        blob="lab1-setup.ps1",
        life=timedelta(hours=1),
    )
    script = (await blobs.client.get(url)).content
    assert hashlib.sha256(script).hexdigest() == facts["script_sha256"]
    assert f"$SNAPSHOT_URL = '{SNAPSHOT_URL}'" in script.decode()
    assert "$AZURE_SAS_TOKEN = '" in script.decode()
    assert (await blobs.client.get(url.split("?")[0])).status_code in {401, 403, 404, 409}


async def head_of_script(context: Context, blobs: Accounts) -> dict[str, str]:
    """The values at the head of the uploaded script."""
    url = await blob_read_url(
        context.azure,
        "lab1-rg",
        blobs.script,
        endpoint=context.facts["script_endpoint"],
        container="setup",
        blob="lab1-setup.ps1",
        life=timedelta(hours=1),
    )
    text = (await blobs.client.get(url)).content.decode().partition("# [agent begins]")[0]
    return {name[1:]: value.strip("'") for name, _, value in (x.partition(" = ") for x in text.splitlines())}


def wishing(context: Context, **more: Any) -> Context:
    return replace(context, run=replace(context.run, spec=replace(context.run.spec, **more)))


async def test_the_vm_gets_what_was_asked_of_it(world: World, blobs: Accounts) -> None:
    """Services with their names, ports, the kind of blob and Hyper-V reach the head of the script."""
    wish = {"services": ("drop",), "ports": (443,), "blob_type": "block", "hyper_v": "off"}
    context = wishing(await both_accounts(world, blobs), **wish)
    await SetupScriptUploaded().do(context)
    head = await head_of_script(context, blobs)
    told = [head[name] for name in ("SERVICES", "PORTS", "BLOB_TYPE", "HYPER_V")]
    assert told == ["drop", "443", "block", "off"]
    assert '"drop":"drop.lab1.example.org"' in head["HOSTS"]


async def test_passwords_reach_the_vm_and_no_fact(world: World, blobs: Accounts) -> None:
    """They are made again where they are needed, and the redactor knows them; another run has others."""
    context = wishing(await both_accounts(world, blobs), services=("drop",), email=("a@example.org",))
    facts = await SetupScriptUploaded().do(context)
    head = await head_of_script(context, blobs)
    again = await service_passwords(context.azure, "lab1-rg", blobs.export, context.run.id)
    other = await service_passwords(context.azure, "lab1-rg", blobs.export, "01JDOTHER")
    assert (head["DROP_PASSWORD"], head["PIN_PASSWORD"]) == (again.drop, again.pin)
    assert len({again.drop, again.pin, other.drop, other.pin}) == 4
    assert len(again.drop) == 24
    assert again.mark == facts["passwords_mark"] != other.mark
    assert again.drop not in f"{facts}{world.told}{again}"
    assert again.drop not in redact(f"it is {again.drop}.")


async def test_without_a_mail_the_vm_gets_no_password(world: World, blobs: Accounts) -> None:
    """Nobody would learn it, so the service must not start."""
    context = wishing(await both_accounts(world, blobs), services=("drop",), email=())
    await SetupScriptUploaded().do(context)
    head = await head_of_script(context, blobs)
    assert (head["DROP_PASSWORD"], head["PIN_PASSWORD"]) == ("", "")


async def test_snapshot_is_opened_for_the_life_of_the_work(world: World, blobs: Accounts) -> None:
    """The snapshot's access lasts as long as the SAS of the upload."""
    await SetupScriptUploaded().do(await both_accounts(world, blobs))
    (granted,) = [seen.body for seen in world.shelf.of("POST") if "beginGetAccess" in seen.path]
    assert granted == {"access": "Read", "durationInSeconds": int(sas_life(DISK_BYTES).total_seconds())}


@pytest.mark.parametrize(("left", "is_new"), [(timedelta(hours=5), True), (timedelta(hours=60), False)])
async def test_aged_signatures_are_renewed_before_the_script_starts(
    left: timedelta, is_new: bool, world: World, blobs: Accounts
) -> None:
    """Those of a run that was parked would end in the middle of the work."""
    context = await both_accounts(world, blobs)
    facts = {**context.facts, **await SetupScriptUploaded().do(context)}
    facts["sas_expires"] = (datetime.now(UTC) + left).strftime("%Y-%m-%dT%H:%M:%SZ")
    made = await SetupExtensionInstalled().do(replace(context, facts=facts))
    assert ("sas_expires" in made) == is_new
    if is_new:
        assert (await head_of_script(context, blobs))["SAS_EXPIRES"] == made["sas_expires"]
        assert made["sas_expires"] > facts["sas_expires"]


async def test_the_end_that_is_told_is_not_after_that_of_a_signature(world: World, blobs: Accounts) -> None:
    """However long Azure takes to open the snapshot and to answer for the account."""
    context = await both_accounts(world, blobs)
    facts = await SetupScriptUploaded().do(context)
    head = await head_of_script(context, blobs)
    signed = datetime.fromisoformat(parse_qs(head["AZURE_SAS_TOKEN"])["se"][0])
    assert signed - timedelta(minutes=5) < datetime.fromisoformat(facts["sas_expires"]) <= signed


async def test_undo_takes_the_script_away(world: World, blobs: Accounts) -> None:
    """The blob goes; an undo of nothing, before or after, is success."""
    assert await SetupScriptUploaded().undo(world.context) == []
    context = await both_accounts(world, blobs)
    await SetupScriptUploaded().do(context)
    assert await SetupScriptUploaded().undo(context) == []
    assert await SetupScriptUploaded().undo(context) == []
    url = await blob_read_url(
        context.azure,
        "lab1-rg",
        blobs.script,
        endpoint=context.facts["script_endpoint"],
        container="setup",
        blob="lab1-setup.ps1",
        life=timedelta(hours=1),
    )
    assert (await blobs.client.get(url)).status_code == 404


async def test_temporary_storage_goes(world: World, blobs: Accounts) -> None:
    """Container and account are gone, twice is no error, and the artefact's account is untouched."""
    context = await both_accounts(world, blobs)
    await SetupScriptUploaded().do(context)
    assert await ScriptStorageDeleted().do(context) == {}
    assert await ScriptStorageDeleted().do(context) == {}
    assert world.shelf.at(account(blobs.script)) is None
    assert world.shelf.at(account(blobs.export)) is not None


async def test_temporary_storage_that_stays_is_a_warning(world: World, blobs: Accounts) -> None:
    """An account that cannot be deleted is a leftover, but the script in it is gone."""
    context = await both_accounts(world, blobs)
    await SetupScriptUploaded().do(context)
    locked = Answer(409, arm_error("ScopeLocked", "There is a lock."))
    world.shelf.on(f"DELETE {account(blobs.script)}", locked)
    with pytest.raises(StepWarning, match="ScopeLocked") as caught:
        await ScriptStorageDeleted().do(context)
    (left,) = caught.value.leftovers
    assert left.resource_id == account(blobs.script)
    assert left.command == f"az storage account delete --ids {account(blobs.script)} --yes"
    assert await SetupScriptUploaded().undo(context) == []


@pytest.mark.parametrize("step", [ExportStorageCreated(), ScriptStorageCreated()])
async def test_foreign_account_survives(step: Step, world: World) -> None:
    """An account of the same name that this run did not make is not touched."""
    for name in (world.context.names.export_account, world.context.names.script_account):
        world.shelf.put(account(name), {"tags": {"vhdlift-run": "another"}})
    assert await step.undo(world.context) == []
    assert world.shelf.of("DELETE") == []


@pytest.mark.parametrize("step", [ExportStorageCreated(), ScriptStorageCreated()])
async def test_accounts_are_undone(step: Step, world: World, blobs: Accounts) -> None:
    """After the undo the account is gone."""
    await step.do(world.context)
    assert await step.undo(world.context) == []
    assert not [one for one in world.shelf.ids() if "storageAccounts" in one]
