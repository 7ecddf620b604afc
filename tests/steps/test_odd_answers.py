"""An ARM that answers every request with something odd: each step ends with an error of ours, or well."""

from __future__ import annotations

import asyncio
import json
from contextlib import suppress
from dataclasses import replace
from typing import Any

import pytest
from aiohttp import web

from tests.azure.conftest import settings_of
from tests.steps.conftest import PASSWORD, RUN_ID, World
from vhdlift.azure.clients import open_clients
from vhdlift.errors import VhdliftError
from vhdlift.model import RUN_TAG
from vhdlift.steps import PROVISION
from vhdlift.steps.base import Context, Step

OURS = {RUN_TAG: RUN_ID}
IN_IT: dict[str, Any] = {"ipConfigurations": [{}], "securityRules": [{}], "storageProfile": {}, "keys": [{}]}
BODIES: dict[str, Any] = {
    "an empty object": {},
    "empty properties": {"id": "/x", "name": "y", "properties": {}},
    "nothing in them": {"properties": None, "value": None, "tags": None},
    "a list": [],
    "a text": "x",
    "a number": 7,
    "null": None,
    "an empty list of things": {"value": []},
    "a list of nothing": {"value": [None]},
    "a list of empty things": {"value": [{}]},
    "ours, and empty": {"id": "/x", "name": "y", "tags": OURS, "properties": {}},
    "ours, and no more": {"tags": OURS},
    "ours, with empty parts": {"value": [{"tags": OURS, "name": "example.org"}], "tags": OURS, **IN_IT},
    "of other kinds": {"id": 7, "name": [], "tags": OURS, "properties": "x", "value": {}},
}
FACTS: dict[str, Any] = {
    **dict.fromkeys(("source_id", "source_disk_id", "snapshot_id", "subnet_id", "public_ip_id"), "/x"),
    **dict.fromkeys(("security_group_id", "nic_id", "vm_id", "zone_id"), "/x"),
    "source_power_state": "running",
    "source_location": "uksouth",
    "source_disk_bytes": 1 << 30,
    "export_account": "vhdusbx",
    "zone_resource_group": "lab1-rg",
    "name_servers": ["ns1-08.azure-dns.com."],
    "address": "192.0.2.1",
    "artefact_url": "https://x/vhdusb/old1.vhd",
    "artefact_size": 512,
    "sha256": "ab" * 32,
    "verified": {"scheme": "gpt"},
}
# Asks DNS servers, and not Azure.
STEPS = [step for step in PROVISION if step.name != "dns_delegation_verified"]
LONGEST_SECONDS = 1.5


@pytest.mark.parametrize("kind", BODIES)
async def test_no_answer_makes_a_step_crash(kind: str, world: World) -> None:
    """Whatever is missing in it, or of the wrong kind; what takes long to be sure of is not waited for."""

    async def odd(request: web.Request) -> web.Response:
        await request.read()
        return web.Response(text=json.dumps(BODIES[kind]), content_type="application/json")

    world.shelf.other = odd
    endpoints = {name: f"{world.shelf.url}/{name}/" for name in ("export_endpoint", "script_endpoint")}
    settings = settings_of(world.shelf, admin_password=PASSWORD, time_scale=0.0001)
    async with open_clients(settings) as azure:
        context = replace(world.with_facts(**FACTS, **endpoints), azure=azure)
        await asyncio.gather(*(tried(step, context) for step in STEPS))


async def tried(step: Step, context: Context) -> None:
    """Do and undo a step, which may fail with our own errors only."""
    for work in (step.do, step.undo):
        with suppress(VhdliftError, TimeoutError):
            async with asyncio.timeout(LONGEST_SECONDS):
                await work(context)
