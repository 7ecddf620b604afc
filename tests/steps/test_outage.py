"""Following the export while the network of the machine that runs vhdlift comes and goes."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import Any

from fixedvhd import GIB, Extent
from tests.azure.conftest import Answer, settings_of
from tests.steps.conftest import RUN_ID, World
from tests.steps.shelf import GROUP
from vhdlift.azure.artefact import PAGE_BLOB, Artefact, data_extents, open_container
from vhdlift.azure.clients import open_clients
from vhdlift.steps.vhd_exported import VhdExported

MANIFEST = {
    "schema": 1,
    "run_id": RUN_ID,
    "name": "old1.vhd",
    "size": 2**20 + 512,
    "virtual_size": 2**20,
    "sha256": "ab" * 32,
}
LONG_OUTAGE = [Answer(drop=True)] * 200


async def test_an_outage_here_is_no_silence_of_the_guest(world: World) -> None:
    """The guest works on when nobody reads its reports, however long that is; its result is then there."""
    account = world.context.names.export_account
    path = f"{GROUP}/providers/Microsoft.Storage/storageAccounts/{account}"
    keys = {"keys": [{"keyName": "key1", "value": "a2V5a2V5"}]}
    world.shelf.on(f"POST {path}/listKeys", Answer(body=keys))
    blob = f"/{account}/vhdusb/old1.vhd"
    world.shelf.on(f"GET {blob}.progress.json", *LONG_OUTAGE, Answer(404))
    world.shelf.on(f"GET {blob}.json", _found(MANIFEST))
    facts = {"export_account": account, "export_endpoint": f"{world.shelf.url}/{account}/"}
    async with open_clients(settings_of(world.shelf, time_scale=0.001)) as azure:
        context = replace(world.with_facts(**facts), azure=azure)
        made = await VhdExported(look_seconds=1, least_seconds=0.1).do(context)
    assert made["artefact_size"] == MANIFEST["size"]
    assert any("cannot be read for now" in message for message, _ in world.told)


async def test_artefact_whose_ranges_cannot_be_listed_is_read_as_a_whole(world: World) -> None:
    """The list of a large disk may take longer than the service allows, so it is asked for in parts."""
    account, size = world.context.names.export_account, 40 * GIB + 512
    path = f"{GROUP}/providers/Microsoft.Storage/storageAccounts/{account}"
    world.shelf.on(f"POST {path}/listKeys", Answer(body={"keys": [{"keyName": "key1", "value": "a2V5a2V5"}]}))
    late = {"error": {"code": "OperationTimedOut", "message": "The operation took too long."}}
    world.shelf.on(f"GET /{account}/vhdusb/old1.vhd", Answer(500, late))
    async with open_clients(settings_of(world.shelf, time_scale=0.0001)) as azure:
        opened = open_container(azure, "lab1-rg", account, f"{world.shelf.url}/{account}/")
        async with opened as container:
            blob = Artefact("old1.vhd", size, PAGE_BLOB, '"1"')
            assert await data_extents(azure, container, blob) == [Extent(0, size)]
    asked_for = {seen.headers["x-ms-range"] for seen in world.shelf.of("GET", "vhdusb")}
    ends = [(0, 16 * GIB - 1), (16 * GIB, 32 * GIB - 1), (32 * GIB, size - 1)]
    assert asked_for == {f"bytes={start}-{end}" for start, end in ends}


def _found(body: dict[str, Any]) -> Answer:
    """A blob as it is read by range, whose size JSON has in the server's own spelling."""
    size = len(json.dumps(body))
    headers = {"Content-Range": f"bytes 0-{size - 1}/{size}", "x-ms-blob-type": "BlockBlob", "ETag": '"1"'}
    return Answer(206, body, headers)
