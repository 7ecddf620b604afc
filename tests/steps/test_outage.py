"""Following the export while the network of the machine that runs vhdlift comes and goes."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import Any

from tests.azure.conftest import Answer, settings_of
from tests.steps.conftest import RUN_ID, World
from tests.steps.shelf import GROUP
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


def _found(body: dict[str, Any]) -> Answer:
    """A blob as it is read by range, whose size JSON has in the server's own spelling."""
    size = len(json.dumps(body))
    headers = {"Content-Range": f"bytes 0-{size - 1}/{size}", "x-ms-blob-type": "BlockBlob", "ETag": '"1"'}
    return Answer(206, body, headers)
