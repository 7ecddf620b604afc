"""The administrator's password: made when nobody gave one, and shown once."""

from __future__ import annotations

from typing import TYPE_CHECKING

from vhdlift.cli import output
from vhdlift.redaction import register
from vhdlift.settings import make_admin_password

if TYPE_CHECKING:
    from vhdlift.settings import Settings


def with_password(settings: Settings, machine: str) -> Settings:
    """The settings with an administrator's password.

    A password that is made here appears on stderr this once, and nowhere else: whoever loses it sets
    another one in the portal.

    Args:
        settings: as they were read.
        machine: the VM that the password will belong to.
    """
    if settings.admin_password is not None:
        return settings
    from pydantic import SecretStr  # noqa: PLC0415  # slow to import

    password = make_admin_password()
    output.print_once(f"Password of {settings.admin_username} on {machine}, shown only now", password)
    register(password)
    return settings.model_copy(update={"admin_password": SecretStr(password)})
