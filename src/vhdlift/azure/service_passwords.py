"""The passwords of the services on the target VM: kept nowhere, made again where they are needed.

Hours lie between the setup script, which takes them to the VM, and the mail, which takes them to the user,
and the run may change its process and its machine between the two: memory cannot hold them, and the database
must not. They are derived from the first key of the artefact's storage account and from the run's id: whoever
may read that key may read the disk itself, and nobody else can make them.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from vhdlift.azure.storage import account_key
from vhdlift.redaction import register

if TYPE_CHECKING:
    from vhdlift.azure.clients import Azure

_BYTES = 15
"""120 bits, which are 24 letters and digits: bcrypt would cut what is longer than 72."""


@dataclass(frozen=True)
class ServicePasswords:
    """Of the users `drop`, and `pin`, who signs in at `web.` too.

    Attributes:
        drop: a secret.
        pin: a secret.
        mark: eight hexadecimal digits that tell passwords of one key from those of another, and nothing else.
    """

    drop: str = field(repr=False)
    pin: str = field(repr=False)
    mark: str


async def service_passwords(azure: Azure, group: str, account: str, run_id: str) -> ServicePasswords:
    """The passwords of this run, made known to the redactor; the same ones as long as the key is the same.

    Raises:
        VhdliftError: what Azure answered when asked for the account's key.
    """
    key = (await account_key(azure, group, account)).encode()
    drop, pin = (_password(key, run_id, user) for user in ("drop", "pin"))
    for password in (drop, pin):
        register(password)
    return ServicePasswords(drop, pin, _derived(key, run_id, "mark").hex()[:8])


def _password(key: bytes, run_id: str, user: str) -> str:
    return base64.b32encode(_derived(key, run_id, user)[:_BYTES]).decode().lower()


def _derived(key: bytes, run_id: str, purpose: str) -> bytes:
    """One pseudorandom value a purpose; none tells anything about another, or about the key."""
    return hmac.new(key, f"vhdlift service {purpose}\n{run_id}".encode(), hashlib.sha256).digest()
