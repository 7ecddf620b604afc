"""`DIR/env`: what a client needs to work with this stand-in, as shell exports."""

from __future__ import annotations

import os
import shlex
from dataclasses import dataclass
from typing import TYPE_CHECKING

from armlocal.mailbox import SENDER, USERNAME
from armlocal.startingworld import DOMAIN, GROUP, LOCATION, SOURCE_VM
from armlocal.webhooks import PATH as WEBHOOK_PATH

if TYPE_CHECKING:
    from pathlib import Path

    from armlocal.state import World

FILE = "env"
TARGET_VM = "lab1"
TARGET_GIB = "1"
"""Half of what the source disk has."""


@dataclass(frozen=True)
class Addresses:
    """Where the parts beside ARM listen, and the mailbox's password.

    Attributes:
        dns: port of the name server.
        smtp: port of the mailbox.
        smtp_password: of its only user.
        ca: the authority's certificate.
    """

    dns: int
    smtp: int
    smtp_password: str
    ca: Path


def exports(world: World, addresses: Addresses) -> dict[str, str]:
    """The variables, by name."""
    ca = str(addresses.ca.resolve())
    return {
        "AZURE_TENANT_ID": world.tenant_id,
        "AZURE_CLIENT_ID": world.client_id,
        "AZURE_CLIENT_SECRET": world.client_secret,
        "AZURE_SUBSCRIPTION_ID": world.subscription_id,
        "AZURE_AUTHORITY_HOST": world.base_url,
        "VHDLIFT_CLOUD": "custom",
        "VHDLIFT_ARM_ENDPOINT": world.base_url,
        "VHDLIFT_CA_BUNDLE": ca,
        "SSL_CERT_FILE": ca,
        "REQUESTS_CA_BUNDLE": ca,
        "VHDLIFT_RESOLVERS": f"127.0.0.1:{addresses.dns}",
        "SMTP_HOST": "127.0.0.1",
        "SMTP_PORT": str(addresses.smtp),
        "SMTP_USERNAME": USERNAME,
        "SMTP_PASSWORD": addresses.smtp_password,
        "SMTP_FROM": SENDER,
        "VHDLIFT_WEBHOOK_URL": world.base_url + WEBHOOK_PATH,
        "VHDLIFT_TIME_SCALE": f"{world.scale:g}",
        "VHDLIFT_SOURCE_VM": SOURCE_VM,
        "VHDLIFT_SOURCE_RESOURCE_GROUP": GROUP,
        "VHDLIFT_VM_NAME": TARGET_VM,
        "VHDLIFT_LOCATION": LOCATION,
        "VHDLIFT_TARGET_SIZE_GIB": TARGET_GIB,
        "VHDLIFT_DOMAIN": DOMAIN,
        "VHDLIFT_EMAIL": f"owner@{DOMAIN}",
    }


def write_env(folder: Path, variables: dict[str, str]) -> Path:
    """Writes the file, readable by the owner alone; it is there whole or not at all."""
    lines = [f"export {name}={shlex.quote(value)}\n" for name, value in variables.items()]
    path, partial = folder / FILE, folder / f".{FILE}.partial"
    partial.touch(mode=0o600)
    partial.write_text("".join(lines), encoding="utf-8")
    os.replace(partial, path)  # noqa: PTH105 - Path.replace says the same, less plainly
    return path
