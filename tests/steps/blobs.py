"""One Azurite for all tests of a process: starting it takes longer than most of them."""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import trustme
from anyio.from_thread import BlockingPortal, start_blocking_portal

from armlocal.azurite import Azurite


class Blobs:
    """Azurite on an event loop of its own, as each test has another one."""

    def __init__(self, portal: BlockingPortal, azurite: Azurite) -> None:
        self._portal = portal
        self._azurite = azurite
        self.endpoint = azurite.endpoint

    async def add_account(self, name: str, key: str) -> None:
        """From now on the account exists, with this base64 key."""
        await asyncio.to_thread(self._portal.call, self._azurite.add_account, name, key, key)

    async def remove_account(self, name: str) -> None:
        """The account goes, with all it holds."""
        await asyncio.to_thread(self._portal.call, self._azurite.remove_account, name)

    def reset(self) -> None:
        """All accounts go."""
        self._portal.call(self._azurite.reset)


@contextmanager
def blobs_of(authority: trustme.CA, folder: Path) -> Iterator[Blobs]:
    """Azurite with a certificate of this authority, for as long as the block lasts."""
    chain, key, trusted = folder / "chain.pem", folder / "key.pem", folder / "ca.pem"
    issued = authority.issue_cert("127.0.0.1", "localhost")
    chain.write_bytes(b"".join(blob.bytes() for blob in issued.cert_chain_pems))
    issued.private_key_pem.write_to_path(str(key))
    authority.cert_pem.write_to_path(str(trusted))
    with start_blocking_portal() as portal:
        trust = ssl.create_default_context(cafile=str(trusted))
        azurite = portal.call(Azurite.start, folder / "azurite", chain, key, trust)
        yield Blobs(portal, azurite)
        portal.call(azurite.stop)
