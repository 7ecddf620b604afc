"""Certificates and a running Azurite for the tests of the stand-in's parts."""

from __future__ import annotations

import asyncio
import base64
import os
import ssl
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING

import pytest
import pytest_asyncio
import trustme
import uvicorn
from starlette.applications import Starlette

from armlocal.azurite import Azurite

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Sequence
    from pathlib import Path

    from starlette.routing import BaseRoute


@dataclass(frozen=True)
class Certificates:
    """A certificate authority's own certificate, and one of 127.0.0.1, as PEM files."""

    ca: Path
    chain: Path
    key: Path

    def trust(self) -> ssl.SSLContext:
        """What a client needs."""
        return ssl.create_default_context(cafile=str(self.ca))

    def serve(self) -> ssl.SSLContext:
        """What a server needs."""
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(self.chain, self.key)
        return context


@pytest.fixture(scope="session")
def certificates(tmp_path_factory: pytest.TempPathFactory) -> Certificates:
    folder = tmp_path_factory.mktemp("certificates")
    made = Certificates(folder / "ca.pem", folder / "chain.pem", folder / "key.pem")
    authority = trustme.CA()
    authority.cert_pem.write_to_path(str(made.ca))
    server = authority.issue_cert("127.0.0.1", "localhost")
    made.chain.write_bytes(b"".join(blob.bytes() for blob in server.cert_chain_pems))
    server.private_key_pem.write_to_path(str(made.key))
    return made


def new_key() -> str:
    """An account key of the usual length."""
    return base64.b64encode(os.urandom(64)).decode()


@asynccontextmanager
async def serving(routes: Sequence[BaseRoute], certificates: Certificates) -> AsyncIterator[str]:
    """Routes on a real HTTPS socket; gives its address."""
    config = uvicorn.Config(
        Starlette(routes=list(routes)),
        port=0,
        ssl_certfile=str(certificates.chain),
        ssl_keyfile=str(certificates.key),
        log_level="warning",
        lifespan="off",
    )
    server = uvicorn.Server(config)
    task = asyncio.create_task(server.serve())
    while not server.started:  # noqa: ASYNC110 - uvicorn tells it no other way
        await asyncio.sleep(0.01)
    port = server.servers[0].sockets[0].getsockname()[1]
    try:
        yield f"https://127.0.0.1:{port}"
    finally:
        server.should_exit = True
        await task


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def azurite_of_module(
    certificates: Certificates, tmp_path_factory: pytest.TempPathFactory
) -> AsyncIterator[Azurite]:
    """One process for all tests of a module, whose event loop has to be the module's."""
    folder = tmp_path_factory.mktemp("azurite")
    service = await Azurite.start(folder, certificates.chain, certificates.key, certificates.trust())
    yield service
    await service.stop()


@pytest_asyncio.fixture(loop_scope="module")
async def azurite(azurite_of_module: Azurite) -> AsyncIterator[Azurite]:
    """An Azurite without accounts."""
    yield azurite_of_module
    await azurite_of_module.reset()
