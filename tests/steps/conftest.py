"""What a step is given, with an ARM that keeps what it is told."""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import AsyncIterator, Iterator
from contextlib import AsyncExitStack
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import pytest
import trustme
from aiohttp import web

from tests.azure.conftest import SUBSCRIPTION, settings_of
from tests.steps.blobs import Blobs, blobs_of
from tests.steps.shelf import Shelf
from vhdlift.azure.clients import open_clients
from vhdlift.model import Run, Spec
from vhdlift.settings import Settings
from vhdlift.steps.base import Context

RUN_ID = "01JD0000000000000000000000"
PASSWORD = "Correct-Horse-9-Battery"


def spec(**more: Any) -> Spec:
    """A complete spec of the VM `lab1`."""
    values: dict[str, Any] = {
        "subscription_id": SUBSCRIPTION,
        "source_vm": "old1",
        "source_resource_group": "old-rg",
        "vm_name": "lab1",
        "resource_group": "lab1-rg",
        "location": "uksouth",
        "vm_size": "Standard_D4s_v5",
        "image": "MicrosoftWindowsServer:WindowsServer:2025-datacenter-g2:latest",
        "os_disk_gb": 256,
        "admin_username": "labadmin",
        "domain": "example.org",
        "subdomain": "lab1",
        "dns_resource_group": None,
        "target_size_gib": None,
        "ports": (80, 443),
        "allow_from": ("*",),
        "email": (),
        "tags": {"team": "a"},
    }
    return Spec(**{**values, **more})


@dataclass
class World:
    """One shelf, one run, and what the step under test said."""

    shelf: Shelf
    settings: Settings
    context: Context
    entered: list[str] = field(default_factory=list)
    told: list[tuple[str, dict[str, Any]]] = field(default_factory=list)
    warned: asyncio.Queue[tuple[str, dict[str, Any]]] = field(default_factory=asyncio.Queue)

    def with_facts(self, **facts: Any) -> Context:
        return replace(self.context, facts={**self.context.facts, **facts})

    def with_spec(self, **more: Any) -> Context:
        run = replace(self.context.run, spec=replace(self.context.run.spec, **more))
        return replace(self.context, run=run)


@pytest.fixture(scope="session")
def authority() -> trustme.CA:
    return trustme.CA()


@pytest.fixture(scope="session")
def blobs_of_all(authority: trustme.CA, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Blobs]:
    with blobs_of(authority, tmp_path_factory.mktemp("blobs")) as running:
        yield running


@pytest.fixture
def azurite(blobs_of_all: Blobs) -> Iterator[Blobs]:
    """An Azurite without accounts."""
    yield blobs_of_all
    blobs_of_all.reset()


@pytest.fixture
async def shelf(authority: trustme.CA, tmp_path: Path) -> AsyncIterator[Shelf]:
    shelf = Shelf()
    shelf.ca = tmp_path / "ca.pem"
    authority.cert_pem.write_to_path(str(shelf.ca))
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    authority.issue_cert("127.0.0.1").configure_cert(context)
    app = web.Application()
    app.router.add_route("*", "/{rest:.*}", shelf.handle)
    runner = web.AppRunner(app)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0, ssl_context=context).start()
    shelf.url = f"https://127.0.0.1:{runner.addresses[0][1]}"
    yield shelf
    await runner.cleanup()


@pytest.fixture
async def world(shelf: Shelf) -> AsyncIterator[World]:
    settings = settings_of(shelf, admin_password=PASSWORD, silence_minutes=1)
    run = Run(RUN_ID, spec(), "2026-01-01T00:00:00+00:00", "0.1.0")
    entered: list[str] = []
    told: list[tuple[str, dict[str, Any]]] = []
    warned: asyncio.Queue[tuple[str, dict[str, Any]]] = asyncio.Queue()

    async def ledger(resource_id: str) -> None:
        entered.append(resource_id)

    async def progress(message: str, details: dict[str, Any]) -> None:
        told.append((message, details))

    async def warn(message: str, details: dict[str, Any]) -> None:
        warned.put_nowait((message, details))

    async with AsyncExitStack() as stack:
        azure = await stack.enter_async_context(open_clients(settings))
        context = Context(run, azure, settings, {}, ledger, progress, warn)
        yield World(shelf, settings, context, entered, told, warned)
