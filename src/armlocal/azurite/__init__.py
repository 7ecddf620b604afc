"""Blob storage of the local Azure: Azurite, with accounts that come and go as ARM says.

Azurite keeps no list of accounts with their containers: a name that is taken away and given again would
find its old blobs. Taking an account away therefore deletes its containers first.
"""

from __future__ import annotations

from typing import TYPE_CHECKING
from xml.etree import ElementTree as ET

import httpx

from armlocal.azurite.accountsas import account_sas
from armlocal.azurite.install import InstallError, ensure_installed
from armlocal.azurite.process import AzuriteProcess, Keys, StorageDiedError

if TYPE_CHECKING:
    import ssl
    from pathlib import Path

__all__ = ["Azurite", "InstallError", "StorageDiedError", "ensure_installed"]


class Azurite:
    """The blob service and the accounts on it."""

    def __init__(self, process: AzuriteProcess, client: httpx.AsyncClient) -> None:
        self._process = process
        self._client = client
        self._accounts: dict[str, Keys] = {}

    @classmethod
    async def start(cls, folder: Path, certificate: Path, key: Path, trust: ssl.SSLContext) -> Azurite:
        """Starts the service with no account.

        Args:
            folder: for its data.
            certificate: PEM chain for 127.0.0.1.
            key: its private key, PEM.
            trust: what the stand-in's own requests to it trust.

        Raises:
            InstallError: Azurite could not be installed.
            StorageDiedError: it did not start.
        """
        process = await AzuriteProcess.start(folder, certificate, key)
        return cls(process, httpx.AsyncClient(verify=trust, trust_env=False))

    def endpoint(self, name: str) -> str:
        """The account's blob endpoint, with a slash at its end."""
        return f"{self._process.url}/{name}/"

    def has_account(self, name: str) -> bool:
        """Whether the account exists."""
        return name in self._accounts

    async def add_account(self, name: str, key1: str, key2: str) -> None:
        """From now on the account exists with these base64 keys; an existing one gets them instead."""
        self._accounts[name] = (key1, key2)
        await self._process.set_accounts(self._accounts)

    async def remove_account(self, name: str) -> None:
        """The account goes, with all it holds; nothing happens when there is none."""
        if name not in self._accounts:
            return
        await self._empty(name)
        del self._accounts[name]
        await self._process.set_accounts(self._accounts)

    async def reset(self) -> None:
        """All accounts go."""
        for name in list(self._accounts):
            await self.remove_account(name)

    async def stop(self) -> None:
        """Ends the service."""
        await self._client.aclose()
        await self._process.stop()

    async def _empty(self, name: str) -> None:
        query = account_sas(name, self._accounts[name][0])
        answer = await self._client.get(f"{self.endpoint(name)}?comp=list&{query}")
        answer.raise_for_status()
        root = ET.fromstring(answer.content)  # noqa: S314 - our own Azurite's answer
        for node in root.iter("Container"):
            container = node.findtext("Name")
            gone = await self._client.delete(f"{self.endpoint(name)}{container}?restype=container&{query}")
            if gone.status_code != httpx.codes.NOT_FOUND:
                gone.raise_for_status()
