"""The stand-in's own certificate authority, made anew at each start."""

from __future__ import annotations

import ssl
from dataclasses import dataclass
from typing import TYPE_CHECKING

import trustme

if TYPE_CHECKING:
    from pathlib import Path

HOST = "127.0.0.1"


@dataclass(frozen=True)
class Certificates:
    """Where the files are.

    Attributes:
        ca: what clients trust, PEM.
        chain: the server's certificate, PEM.
        key: its private key, PEM, readable by the owner alone.
    """

    ca: Path
    chain: Path
    key: Path

    def server_context(self) -> ssl.SSLContext:
        """For servers that present the certificate."""
        context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
        context.load_cert_chain(self.chain, self.key)
        return context

    def trust(self) -> ssl.SSLContext:
        """For clients that trust it."""
        return ssl.create_default_context(cafile=str(self.ca))


def make_certificates(folder: Path) -> Certificates:
    """Makes an authority and a certificate for 127.0.0.1 and localhost.

    Args:
        folder: gets `ca.pem`, and `tls/` with the server's own.
    """
    authority = trustme.CA(organization_name="armlocal")
    leaf = authority.issue_cert(HOST, "localhost")
    private = folder / "tls"
    private.mkdir(mode=0o700, parents=True, exist_ok=True)
    made = Certificates(folder / "ca.pem", private / "chain.pem", private / "key.pem")
    authority.cert_pem.write_to_path(str(made.ca))
    made.chain.write_bytes(b"".join(blob.bytes() for blob in leaf.cert_chain_pems))
    made.key.touch(mode=0o600)
    made.key.write_bytes(leaf.private_key_pem.bytes())
    return made
