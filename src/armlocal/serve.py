"""Puts the whole stand-in together and runs it: certificates, blob service, name server, mailbox, HTTPS."""

from __future__ import annotations

import secrets
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING

from armlocal.app import make_app
from armlocal.azurite import Azurite
from armlocal.control import delegation_routes
from armlocal.disks import DiskFiles
from armlocal.dnsserver import DnsServer
from armlocal.dnszones import Delegations, Zones
from armlocal.envfile import FILE, Addresses, exports, write_env
from armlocal.export import Exports
from armlocal.faults import Faults
from armlocal.guest import GuestDouble
from armlocal.lro import Operations
from armlocal.mailbox import Mailbox
from armlocal.requestlog import FILE as REQUESTS
from armlocal.server import listen, serving
from armlocal.startingworld import make_starting_world
from armlocal.state import World
from armlocal.tls import HOST, make_certificates
from armlocal.webhooks import Webhooks

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable
    from pathlib import Path
    from socket import socket

    from starlette.routing import BaseRoute

    from armlocal.dropping import Connections
    from armlocal.routing import Router
    from armlocal.tls import Certificates

MAIL = "mail"
POSTS = "webhooks.ndjson"


@dataclass(frozen=True)
class StandIn:
    """A running stand-in.

    Attributes:
        world: everything there is.
        env: the file with the exports for clients.
    """

    world: World
    env: Path


@dataclass
class _Parts:
    """What runs beside ARM."""

    azurite: Azurite
    disks: DiskFiles
    exports: Exports
    guest: GuestDouble
    delegations: Delegations
    mailbox: Mailbox
    webhooks: Webhooks

    def routes(self) -> list[BaseRoute]:
        """Their routes on the HTTPS port."""
        own = delegation_routes(self.delegations)
        parts = (self.exports, self.webhooks, self.guest, self.mailbox)
        return [*(route for part in parts for route in part.routes()), *own]

    async def reset(self, folder: Path) -> None:
        """Back to the start: nothing granted, nothing running, nothing kept."""
        await self.guest.reset()
        self.exports.reset()
        self.disks.reset()
        await self.azurite.reset()
        self.delegations.reset()
        self.mailbox.reset()
        self.webhooks.reset()
        for path in [*(folder / MAIL).glob("*.eml"), folder / POSTS, folder / REQUESTS]:
            path.unlink(missing_ok=True)


async def _start_parts(
    stack: AsyncExitStack, folder: Path, certificates: Certificates, scale: Callable[[], float]
) -> _Parts:
    azurite = await Azurite.start(
        folder / "azurite", certificates.chain, certificates.key, certificates.trust()
    )
    stack.push_async_callback(azurite.stop)
    disks = DiskFiles(folder / "disks")
    guest = GuestDouble(folder / "guest", certificates.trust(), scale)
    stack.push_async_callback(guest.close)
    mailbox = Mailbox(folder / MAIL, certificates.server_context())
    await mailbox.start()
    stack.push_async_callback(mailbox.stop)
    return _Parts(azurite, disks, Exports(disks), guest, Delegations(), mailbox, Webhooks(folder / POSTS))


def _make_world(folder: Path, scale: float, parts: _Parts) -> World:
    return World(
        dir=folder,
        scale=scale,
        storage=parts.azurite,
        disks=parts.disks,
        exports=parts.exports,
        guest=parts.guest,
        operations=Operations(),
        faults=Faults(),
        client_secret=secrets.token_urlsafe(24),
    )


def _prepare(folder: Path) -> None:
    """Makes the folder; takes away what says that one is ready."""
    folder.mkdir(parents=True, exist_ok=True)
    (folder / FILE).unlink(missing_ok=True)


@asynccontextmanager
async def standing_in(folder: Path, port: int, scale: float) -> AsyncIterator[StandIn]:
    """Runs a stand-in until the block ends.

    Args:
        folder: for all its files; made if absent.
        port: of HTTPS; 0 for a free one.
        scale: what every recorded time is multiplied by.

    Raises:
        OSError: the port is taken.
        armlocal.azurite.install.InstallError: the blob service could not be installed.
    """
    _prepare(folder)
    async with AsyncExitStack() as stack:
        sock = listen(port)
        stack.callback(sock.close)
        certificates = make_certificates(folder)
        parts = await _start_parts(stack, folder, certificates, lambda: world.scale)
        world = _make_world(folder, scale, parts)
        world.base_url = f"https://{HOST}:{sock.getsockname()[1]}"
        dns = DnsServer(Zones(world, parts.delegations))
        await dns.start()
        stack.push_async_callback(dns.stop)
        await stack.enter_async_context(_https(sock, certificates, world, parts))
        addresses = Addresses(dns.port, parts.mailbox.port, parts.mailbox.password, certificates.ca)
        env = write_env(folder, exports(world, addresses))
        stack.callback(env.unlink, missing_ok=True)
        yield StandIn(world, env)


@asynccontextmanager
async def _https(
    sock: socket, certificates: Certificates, world: World, parts: _Parts
) -> AsyncIterator[None]:
    """Makes the starting world, and serves it until the block ends."""
    connections: Connections = {}
    scale, token_seconds = world.scale, world.token_seconds

    async def reset(router: Router) -> None:
        await world.clear()
        world.scale, world.token_seconds = scale, token_seconds
        await parts.reset(world.dir)
        await make_starting_world(world, router)

    app, router = make_app(world, connections, reset=reset, extra=parts.routes())
    await make_starting_world(world, router)
    async with serving(app, sock, certificates, connections):
        yield
    await world.stop_work()
