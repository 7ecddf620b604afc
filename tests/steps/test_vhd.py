"""The export followed and the artefact read back, over a real blob service."""

from __future__ import annotations

import asyncio
import base64
import hashlib
import json
import struct
from collections.abc import AsyncIterator
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import Any
from urllib.parse import urlsplit
from uuid import UUID

import pytest
from azure.core.pipeline.transport import AioHttpTransport
from azure.storage.blob import BlobBlock
from azure.storage.blob.aio import BlobServiceClient, ContainerClient

from fixedvhd import BASIC_DATA, MIB, Partition, build_footer, build_gpt
from tests.azure.conftest import SUBSCRIPTION, Answer
from tests.steps.blobs import Blobs
from tests.steps.conftest import RUN_ID, World
from tests.steps.shelf import GROUP
from vhdlift.azure import artefact
from vhdlift.azure.clients import Azure, Cloud
from vhdlift.azure.signin import credential_for
from vhdlift.azure.transport import SharedTransport, SignInTransport, connections
from vhdlift.errors import ArtefactWrong, AzureRefused, GuestFailed, TookTooLong
from vhdlift.steps.base import Context
from vhdlift.steps.vhd_exported import VhdExported
from vhdlift.steps.vhd_verified import VhdVerified

KEY = base64.b64encode(b"k" * 64).decode()
SIZE = 24 * MIB
QUICK = VhdExported(look_seconds=2.5, least_seconds=0.4)


@dataclass
class Export:
    """The container as guest and run see it."""

    world: World
    context: Context
    container: ContainerClient

    async def report(self, name: str, fields: dict[str, Any]) -> None:
        """Write a JSON blob, as the guest does."""
        await self.container.upload_blob(name, json.dumps(fields).encode(), overwrite=True)

    async def progress(self, sequence: int, phase: str, state: str = "progress", **more: Any) -> None:
        given = {"schema": 1, "run_id": RUN_ID, "sequence": sequence, "phase": phase, "state": state}
        await self.report("old1.vhd.progress.json", {**given, **more})

    async def manifest(self, **more: Any) -> None:
        told = {
            "schema": 1,
            "run_id": RUN_ID,
            "name": "old1.vhd",
            "size": SIZE + 512,
            "virtual_size": SIZE,
            "sha256": "AB" * 32,
            "timings": {"download": 1.5},
        }
        await self.report("old1.vhd.json", {**told, **more})


@pytest.fixture
async def export(world: World, azurite: Blobs) -> AsyncIterator[Export]:
    account = world.context.names.export_account
    await azurite.add_account(account, KEY)
    keys = {"keys": [{"keyName": "key1", "value": KEY, "permissions": "FULL"}]}
    path = f"{GROUP}/providers/Microsoft.Storage/storageAccounts/{account}"
    world.shelf.on(f"POST {path}/listKeys", Answer(body=keys))
    facts = {
        "export_account": account,
        "export_endpoint": azurite.endpoint(account),
        "source_disk_bytes": 0,
        "artefact_size": SIZE + 512,
        "sha256": "",
    }
    service = BlobServiceClient(
        azurite.endpoint(account),
        credential={"account_name": account, "account_key": KEY},
        connection_verify=str(world.shelf.ca),
    )
    async with service:
        container = await service.create_container("vhdusb")
        yield Export(world, world.with_facts(**facts), container)


async def test_done_when_the_manifest_is_there(export: Export) -> None:
    """The manifest ends it; its facts name the artefact without a signature."""
    await export.manifest()
    made = await QUICK.do(export.context)
    assert made["artefact_url"] == f"{export.context.facts['export_endpoint']}vhdusb/old1.vhd"
    assert made["artefact_size"] == SIZE + 512
    assert made["sha256"] == "ab" * 32
    assert made["guest_timings"] == {"download": 1.5}


async def until_told(export: Export, number: int) -> None:
    async with asyncio.timeout(60):
        while len(export.world.told) < number:  # noqa: ASYNC110 - the step tells it, from another task
            await asyncio.sleep(0.02)


async def test_each_change_is_told_once(export: Export) -> None:
    """Phases that ended between two looks are told too; what did not change is not told again."""
    work = asyncio.create_task(QUICK.do(patient(export.context)))
    await export.progress(1, "download", percent=10.0, bytes=10, total=100, message="10 of 100")
    await until_told(export, 1)
    done = [{"phase": p, "state": "done", "seconds": 1.0} for p in ("download", "verify_source")]
    await export.progress(2, "upload", percent=1.0, history=done)
    await until_told(export, 4)
    await export.manifest()
    await work
    said = [message for message, _ in export.world.told]
    assert said == ["download: 10 of 100", "download: done", "verify_source: done", "upload: progress"]
    assert export.world.told[0][1]["phase"] == "download"
    assert export.world.told[0][1]["percent"] == 10.0
    assert export.world.told[0][1]["total"] == 100


async def test_guest_that_gives_up_says_where(export: Export) -> None:
    """A reported failure names the phase and shows the end of its log without secrets."""
    tail = "line 1\nPUT https://acc/vhdusb/x?sp=w&sig=abcdefgh12 failed"
    await export.progress(4, "upload", "failed", message="no space", log_tail=tail)
    with pytest.raises(GuestFailed) as failed:
        await QUICK.do(export.context)
    assert "in the phase upload: no space" in failed.value.sentence
    assert "line 1" in failed.value.sentence
    assert "abcdefgh12" not in failed.value.sentence


async def test_result_that_is_there_counts_more_than_a_failure_after_it(export: Export) -> None:
    """Of a guest that was cut off in its last phase, when nobody followed it."""
    await export.manifest()
    await export.progress(4, "finish", "failed", message="three times begun")
    made = await QUICK.do(export.context)
    assert made["artefact_size"] == SIZE + 512
    warning, _ = export.world.warned.get_nowait()
    assert "in the phase finish: three times begun" in warning


def patient(context: Context) -> Context:
    """The same, which gives up no guest for its silence."""
    return replace(context, settings=context.settings.model_copy(update={"silence_minutes": 10**8}))


async def test_guest_that_never_ends_is_given_up(export: Export) -> None:
    """A guest that speaks for ever meets the deadline, which follows from the disk's size."""

    async def chatter() -> None:
        for sequence in range(1, 1000):
            await export.progress(sequence, "download", bytes=sequence)
            await asyncio.sleep(0.05)

    talking = asyncio.create_task(chatter())
    context = replace(patient(export.context), azure=_slowed(export.context))
    with pytest.raises(TookTooLong, match="last report was download"):
        await VhdExported(look_seconds=2500, least_seconds=0.8).do(context)
    talking.cancel()


def _slowed(context: Context) -> Any:
    """The same clients, with the hours of a deadline as milliseconds."""
    azure = context.azure
    azure.scale = 0.00002
    return azure


@pytest.mark.parametrize("lie", [{"run_id": "another"}, {"size": -1}, {"name": "x.vhd"}])
async def test_manifest_that_lies_ends_the_step(export: Export, lie: dict[str, Any]) -> None:
    """A manifest of another run or with impossible numbers is an error."""
    await export.manifest(**lie)
    with pytest.raises(ArtefactWrong):
        await QUICK.do(export.context)


async def test_enormous_progress_ends_the_step(export: Export) -> None:
    """Of an enormous blob only the limit is read."""
    blob = export.container.get_blob_client("old1.vhd.progress.json")
    for name in ("a", "b", "c"):
        await blob.stage_block(name, b" " * (MIB // 2))
    await blob.commit_block_list([BlobBlock(name) for name in ("a", "b", "c")])
    with pytest.raises(GuestFailed, match="larger"):
        await QUICK.do(export.context)


def vhd() -> bytearray:
    """A small fixed VHD with one partition, mostly holes."""
    partition = Partition(1, BASIC_DATA, UUID(int=7), 2048, SIZE // 512 - 2048, "Windows")
    body = bytearray(SIZE + 512)
    for patch in build_gpt(SIZE, UUID(int=9), [partition]):
        body[patch.offset : patch.offset + len(patch.data)] = patch.data
    for offset in (MIB, 9 * MIB, 17 * MIB + 4096):
        body[offset : offset + 5 * 512] = bytes(range(256)) * 10
    body[SIZE:] = build_footer(SIZE, UUID(int=5), datetime(2026, 1, 1, tzinfo=UTC))
    return body


async def upload(export: Export, body: bytes | bytearray) -> Context:
    """Put the pages that are not zero, as AzCopy does; the facts of its manifest."""
    blob = export.container.get_blob_client("old1.vhd")
    await blob.create_page_blob(len(body))
    for offset in range(0, len(body), 4096):
        page = bytes(body[offset : offset + 4096])
        if any(page):
            await blob.upload_page(page, offset, len(page))
    digest = hashlib.sha256(body).hexdigest()
    return replace(
        export.context, facts={**export.context.facts, "sha256": digest, "artefact_size": len(body)}
    )


async def test_good_artefact_is_verified_byte_by_byte(export: Export) -> None:
    """Size, footer, both tables, and the SHA-256 with holes as zeros."""
    context = await upload(export, vhd())
    verified = (await VhdVerified().do(context))["verified"]
    assert verified["checked"] == "full"
    assert verified["sha256"] == context.facts["sha256"]
    assert (verified["scheme"], verified["partitions"]) == ("gpt", 1)
    assert verified["virtual_size"] == SIZE
    assert verified["data_bytes"] < SIZE / 2


async def test_one_wrong_byte_is_found(export: Export) -> None:
    """A byte that differs from what was promised fails the full check, and passes the structural one."""
    context = await upload(export, vhd())
    await export.container.get_blob_client("old1.vhd").upload_page(b"\1" * 512, 12 * MIB, 512)
    with pytest.raises(ArtefactWrong, match="SHA-256"):
        await VhdVerified().do(context)
    structure = replace(context, run=replace(context.run, spec=replace(context.run.spec, verify="structure")))
    assert (await VhdVerified().do(structure))["verified"]["checked"] == "structure"


@pytest.mark.parametrize(
    ("offset", "what"),
    [(SIZE, "footer"), (512, "primary"), (SIZE - 512, "backup")],
)
async def test_damaged_structure_is_named(export: Export, offset: int, what: str) -> None:
    """A broken footer or a broken partition table, either of the two, is told as such."""
    body = vhd()
    body[offset : offset + 8] = b"DAMAGED!"
    with pytest.raises(ArtefactWrong, match=what):
        await VhdVerified().do(await upload(export, body))


async def test_wrong_size_or_kind_or_nothing_is_refused(export: Export) -> None:
    """No blob, a block blob, and a size that was not promised are three different sentences."""
    with pytest.raises(ArtefactWrong, match="There is no old1"):
        await VhdVerified().do(export.context)
    await export.container.upload_blob("old1.vhd", b"a block blob")
    with pytest.raises(ArtefactWrong, match="not a page blob"):
        await VhdVerified().do(export.context)
    await export.container.delete_blob("old1.vhd")
    context = await upload(export, vhd())
    with pytest.raises(ArtefactWrong, match="promises 5"):
        await VhdVerified().do(replace(context, facts={**context.facts, "artefact_size": 5}))


async def test_block_blob_is_verified_where_it_was_asked_for(export: Export) -> None:
    """It knows no holes, so every byte is read; a page blob is then the wrong kind."""
    body = vhd()
    blob = export.container.get_blob_client("old1.vhd")
    blocks = [BlobBlock(f"{at:012}") for at in range(0, len(body), MIB // 2)]
    for block in blocks:
        await blob.stage_block(block.id, bytes(body[int(block.id) :][: MIB // 2]))
    await blob.commit_block_list(blocks)
    run = replace(export.context.run, spec=replace(export.context.run.spec, blob_type="block"))
    facts = {"sha256": hashlib.sha256(body).hexdigest(), "artefact_size": len(body)}
    context = replace(export.context, run=run, facts={**export.context.facts, **facts})
    verified = (await VhdVerified().do(context))["verified"]
    assert (verified["checked"], verified["data_bytes"]) == ("full", len(body))
    await export.container.delete_blob("old1.vhd")
    with pytest.raises(ArtefactWrong, match="is a PageBlob and not a block blob"):
        await VhdVerified().do(replace(await upload(export, body), run=run))


async def test_disk_of_the_first_generation_has_an_mbr(export: Export) -> None:
    """A boot record with one real partition is a disk too; without a partition it is none."""
    body = vhd()
    body[:MIB] = bytes(MIB)
    body[SIZE - MIB : SIZE] = bytes(MIB)
    body[446:462] = struct.pack("<B3sB3sII", 0x80, b"", 7, b"", 2048, 4096)
    body[510:512] = b"\x55\xaa"
    verified = (await VhdVerified().do(await upload(export, body)))["verified"]
    assert (verified["scheme"], verified["partitions"]) == ("mbr", 1)
    body[446:462] = bytes(16)
    await export.container.delete_blob("old1.vhd")
    with pytest.raises(ArtefactWrong, match="0 partitions"):
        await VhdVerified().do(await upload(export, body))


class Counted(SharedTransport):
    """Keeps the query of each request that it lets through."""

    def __init__(self, pool: AioHttpTransport) -> None:
        super().__init__(pool)
        self.asked: list[str] = []

    async def send(self, request: Any, **kwargs: Any) -> Any:
        self.asked.append(urlsplit(request.url).query)
        return await super().send(request, **kwargs)


async def test_page_ranges_are_listed_once_however_many_pieces_are_read(export: Export) -> None:
    """The list of a large disk is long: asked for with every piece it would outweigh the disk."""
    context = await upload(export, vhd())
    settings, arm = export.world.settings, export.world.shelf.url
    async with connections(settings, arm, None) as pool:
        transport = Counted(pool)
        credential = credential_for(settings, arm, SignInTransport(pool))
        azure = Azure(SUBSCRIPTION, 0.02, Cloud(arm, f"{arm}/.default", arm), credential, transport)
        await VhdVerified().do(replace(context, azure=azure))
        await credential.close()
    assert sum("comp=pagelist" in query for query in transport.asked) == 1
    assert sum("sig=" in query for query in transport.asked) > 2


async def test_artefact_that_changes_while_it_is_read_is_refused(export: Export) -> None:
    """Every range is of one and the same version of the blob."""
    context = await upload(export, vhd())
    container_of = artefact.open_container(
        context.azure, context.names.group, context.facts["export_account"], context.facts["export_endpoint"]
    )
    async with container_of as container:
        blob = await artefact.describe(context.azure, container, "old1.vhd")
        await export.container.get_blob_client("old1.vhd").upload_page(b"\1" * 512, 0, 512)
        with pytest.raises(AzureRefused, match="ConditionNotMet"):
            await artefact.read_ranges(context.azure, container, blob, [(0, 512)])
