"""The ARM side of the stand-in on a real HTTPS socket, and the official clients for it."""

from __future__ import annotations

import asyncio
import time
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Self, cast

import httpx
import uvicorn
from azure.core.credentials import AccessToken
from azure.mgmt.compute.aio import ComputeManagementClient
from azure.mgmt.dns.aio import DnsManagementClient
from azure.mgmt.network.aio import NetworkManagementClient
from azure.mgmt.resource.resources.aio import ResourceManagementClient
from azure.mgmt.storage.aio import StorageManagementClient

from armlocal.app import make_app
from armlocal.dropping import protocol_with
from armlocal.faults import Faults
from armlocal.lro import Operations
from armlocal.state import World

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path

    from armlocal.dropping import Connections
    from armlocal.parts import StorageBackend
    from armlocal.routing import Router
    from tests.armlocal.conftest import Certificates

LOCATION = "uksouth"
SCALE = 0.001


@dataclass
class KeptKeys:
    """A blob service that only remembers its accounts."""

    accounts: dict[str, tuple[str, str]] = field(default_factory=dict)

    async def add_account(self, name: str, key1: str, key2: str) -> None:
        self.accounts[name] = (key1, key2)

    async def remove_account(self, name: str) -> None:
        self.accounts.pop(name, None)

    def endpoint(self, name: str) -> str:
        return f"https://127.0.0.1:10000/{name}/"

    async def reset(self) -> None:
        self.accounts.clear()


@dataclass(frozen=True)
class OneToken:
    """A credential that gives the same token always."""

    token: str

    async def get_token(self, *_: str, **__: Any) -> AccessToken:
        return AccessToken(self.token, int(time.time()) + 3000)

    async def close(self) -> None:
        """Nothing is open."""

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        """Nothing is open."""


@dataclass(frozen=True)
class Arm:
    """A running stand-in.

    Attributes:
        world: what it knows.
        router: its handlers, without HTTP.
        http: a client that sends the token and the api-version; paths begin with the subscription.
        network: the official client, like the next four; Any, for they take bodies as plain dicts.
    """

    world: World
    router: Router
    http: httpx.AsyncClient
    network: Any
    dns: Any
    storage: Any
    resources: Any
    compute: Any

    def id(self, group: str, path: str) -> str:
        """The id of a resource in a group."""
        return f"/subscriptions/{self.world.subscription_id}/resourceGroups/{group}/providers/{path}"

    async def end(self, url: str) -> dict[str, Any]:
        """Polls an Azure-AsyncOperation until it is over; its body."""
        while True:
            body: dict[str, Any] = (await self.http.get(url)).raise_for_status().json()
            if body["status"] != "InProgress":
                return body
            await asyncio.sleep(0.01)

    async def make_group(self, name: str = "lab") -> str:
        """A resource group; returns its name."""
        await self.resources.resource_groups.create_or_update(name, {"location": LOCATION})
        return name


@asynccontextmanager
async def running_arm(
    certificates: Certificates, folder: Path, storage: StorageBackend | None = None, scale: float = SCALE
) -> AsyncIterator[Arm]:
    """Starts it with nothing in it."""
    world = _world(folder, storage or KeptKeys(), scale)
    (folder / "ca.pem").write_bytes(certificates.ca.read_bytes())
    connections: Connections = {}

    async def reset(_: Router) -> None:
        world.resources.clear()

    app, router = make_app(world, connections, reset=reset)
    server, task = await _served(app, connections, certificates)
    world.base_url = f"https://127.0.0.1:{server.servers[0].sockets[0].getsockname()[1]}"
    try:
        async with AsyncExitStack() as stack:
            yield await _clients(stack, world, router, certificates)
    finally:
        await world.stop_work()
        server.should_exit = True
        await task


def _world(folder: Path, storage: StorageBackend, scale: float) -> World:
    """Without disks, exports and guests, which belong to the other half of the stand-in."""
    absent = cast("Any", None)
    return World(folder, scale, storage, absent, absent, absent, Operations(), Faults(), client_secret="s")


async def _served(
    app: Any, connections: Connections, certificates: Certificates
) -> tuple[uvicorn.Server, asyncio.Task[None]]:
    """The app on a free port, listening, and the task that ends with it."""
    config = uvicorn.Config(
        app,
        port=0,
        http=protocol_with(connections),
        ssl_certfile=str(certificates.chain),
        ssl_keyfile=str(certificates.key),
        log_level="warning",
        lifespan="off",
        date_header=False,
    )
    server = uvicorn.Server(config)
    task = asyncio.create_task(server.serve())
    while not server.started:  # noqa: ASYNC110 - uvicorn tells it no other way
        await asyncio.sleep(0.01)
    return server, task


async def _add_version(request: httpx.Request) -> None:
    """Polling addresses have their api-version already, and must not change."""
    if "api-version" not in request.url.params:
        request.url = request.url.copy_add_param("api-version", "2025-03-01")


async def _clients(stack: AsyncExitStack, world: World, router: Router, certificates: Certificates) -> Arm:
    http = httpx.AsyncClient(
        base_url=world.base_url,
        verify=certificates.trust(),
        event_hooks={"request": [_add_version]},
        trust_env=False,
    )
    await stack.enter_async_context(http)
    form = {
        "client_id": world.client_id,
        "client_secret": world.client_secret,
        "grant_type": "client_credentials",
        "scope": f"{world.base_url}/.default",
    }
    answer = await http.post(f"/{world.tenant_id}/oauth2/v2.0/token", data=form)
    token = OneToken(answer.raise_for_status().json()["access_token"])
    http.headers["Authorization"] = f"Bearer {token.token}"

    async def client(kind: Any) -> Any:
        made = kind(
            token,
            world.subscription_id,
            base_url=world.base_url,
            credential_scopes=[f"{world.base_url}/.default"],
            connection_verify=str(certificates.ca),
            polling_interval=0.01,
            retry_total=0,
        )
        return await stack.enter_async_context(made)

    return Arm(
        world,
        router,
        http,
        network=await client(NetworkManagementClient),
        dns=await client(DnsManagementClient),
        storage=await client(StorageManagementClient),
        resources=await client(ResourceManagementClient),
        compute=await client(ComputeManagementClient),
    )
