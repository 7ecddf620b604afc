"""The HTTPS server: one port for the token endpoint, ARM, exports, webhooks and the control path."""

from __future__ import annotations

import asyncio
import socket
from contextlib import asynccontextmanager, contextmanager
from typing import TYPE_CHECKING

import uvicorn

from armlocal.dropping import protocol_with
from armlocal.tls import HOST

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Generator

    from starlette.types import ASGIApp

    from armlocal.dropping import Connections
    from armlocal.tls import Certificates

PATIENCE = 0.5
"""Seconds that open requests get when the server ends; then their connections are closed."""
GRACE = 5
"""Seconds after which the server ends whatever is open."""


class _Server(uvicorn.Server):
    """A server that leaves the process's signals alone: they belong to the command."""

    @contextmanager
    def capture_signals(self) -> Generator[None, None, None]:
        """Captures none."""
        yield


def listen(port: int) -> socket.socket:
    """A listening socket on 127.0.0.1.

    Args:
        port: 0 for a free one.

    Raises:
        OSError: the port is taken.
    """
    sock = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
    try:
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        sock.bind((HOST, port))
    except OSError:
        sock.close()
        raise
    return sock


@asynccontextmanager
async def serving(
    app: ASGIApp, sock: socket.socket, certificates: Certificates, connections: Connections
) -> AsyncIterator[None]:
    """Serves the application until the block ends."""
    config = uvicorn.Config(
        app,
        http=protocol_with(connections),
        ws="none",
        loop="asyncio",
        lifespan="off",
        log_level="warning",
        access_log=False,
        server_header=False,
        date_header=False,
        timeout_keep_alive=75,
        timeout_graceful_shutdown=GRACE,
        ssl_certfile=certificates.chain,
        ssl_keyfile=certificates.key,
    )
    server = _Server(config)
    task = asyncio.create_task(server.serve(sockets=[sock]))
    try:
        while not server.started:
            if task.done():
                await task
            await asyncio.sleep(0.01)
        yield
    finally:
        server.should_exit = True
        await asyncio.wait({task}, timeout=PATIENCE)
        for transport in list(connections.values()):
            transport.abort()
        await task
