"""What a name, a password, a size may be: Azure's and Windows's own rules, as functions of one value.

Each returns the value in its one canonical form, or raises a `ValueError` whose text follows the setting's
name in a message: "must ...". Sources: OSProfile in Azure's compute API and the Windows VM FAQ (names and
passwords), "Resource naming rules" (groups, VMs), "Use tags" (limits and characters of tags).
"""

# ruff: noqa: PLR2004 # each limit stands beside the sentence that names it
from __future__ import annotations

import re
from typing import TYPE_CHECKING

from vhdlift.model import EXPIRES_TAG, NEVER, RUN_TAG, SOURCE_TAG, VERSION_TAG

if TYPE_CHECKING:
    from collections.abc import Mapping

_RESERVED_USERS = (
    "1 123 a actuser adm admin admin1 admin2 administrator aspnet backup console david guest john owner root "
    "server sql support support_388945a0 sys test test1 test2 test3 user user1 user2 user3 user4 user5"
)
_FORBIDDEN_PASSWORDS = (
    "abc@123 iloveyou! p@$$w0rd p@ssw0rd p@ssword123 pa$$word pass@word1 password! password1 password22"
)
RESERVED_USERS = frozenset(_RESERVED_USERS.split())
FORBIDDEN_PASSWORDS = frozenset(_FORBIDDEN_PASSWORDS.split())
OUR_TAGS = (RUN_TAG, EXPIRES_TAG, VERSION_TAG, SOURCE_TAG)
# A DNS zone takes 15 tags, fewer than any other resource that we make.
MAX_TAGS = 15 - len(OUR_TAGS)

_GUID = r"[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}"
_CHARACTER_CLASSES = (r"[a-z]", r"[A-Z]", r"\d", r"[\W_]")


def _need(condition: object, rule: str) -> None:
    if not condition:
        raise ValueError(rule)


def computer_name(value: str) -> str:
    """A Windows computer name: what Azure takes for the name of the VM and NetBIOS for the machine."""
    _need(
        re.fullmatch(r"[A-Za-z0-9](?:[A-Za-z0-9-]{0,13}[A-Za-z0-9])?", value) and not value.isdecimal(),
        "must have 1 to 15 letters, digits or hyphens, not digits alone, and no hyphen at either end",
    )
    return value


def source_vm(value: str) -> str:
    """The name of an existing VM, which may be longer than a computer name."""
    _need(
        re.fullmatch(r"[A-Za-z0-9](?:[A-Za-z0-9._-]{0,62}[A-Za-z0-9_])?", value),
        "must be the name of a VM (1 to 64 letters, digits, '.', '_', '-') or its full resource id",
    )
    return value


def resource_group(value: str) -> str:
    """The name of a resource group."""
    _need(
        re.fullmatch(r"[\w.()-]{0,89}[\w()-]", value),
        "must have 1 to 90 letters, digits, '_', '-', '.', '(' or ')', and no '.' at its end",
    )
    return value


def location(value: str) -> str:
    """A location; the display name is taken too: 'UK South' becomes `uksouth`."""
    name = value.replace(" ", "").lower()
    _need(re.fullmatch(r"[a-z][a-z0-9]{1,49}", name), "must be a location of Azure, such as uksouth")
    return name


def vm_size(value: str) -> str:
    """The name of a VM size."""
    _need(
        re.fullmatch(r"Standard_[A-Z]{1,3}\d{1,4}[A-Za-z0-9]*(?:-\d{1,3}[a-z]*)?(?:_[A-Za-z0-9]+)*", value),
        "must be a size as Azure writes it, such as Standard_D4s_v5",
    )
    return value


def image(value: str) -> str:
    """A marketplace image as `publisher:offer:sku:version`."""
    part = r"[A-Za-z0-9][A-Za-z0-9._-]*"
    _need(
        re.fullmatch(rf"{part}:{part}:{part}:(?:latest|\d+\.\d+\.\d+)", value),
        "must be publisher:offer:sku:version, where version is 'latest' or like 26100.4061.250510",
    )
    return value


def admin_username(value: str) -> str:
    """The administrator's name: Windows's rules and Azure's list of names that it refuses."""
    _need(
        re.fullmatch(r"[A-Za-z0-9_-](?:[A-Za-z0-9._-]{0,18}[A-Za-z0-9_-])?", value),
        "must have 1 to 20 letters, digits, '.', '_' or '-', and no '.' at either end",
    )
    _need(value.lower() not in RESERVED_USERS, "must not be one of the names that Azure reserves")
    return value


def admin_password(value: str) -> str:
    """The administrator's password; Azure's command line and portal ask for 12 characters."""
    _need(12 <= len(value) <= 123, "must have 12 to 123 characters")
    _need(value.isprintable(), "must have no control characters")
    found = sum(bool(re.search(pattern, value)) for pattern in _CHARACTER_CLASSES)
    _need(found >= 3, "must have three of: a small letter, a capital letter, a digit, a special character")
    _need(value.lower() not in FORBIDDEN_PASSWORDS, "must not be one of the passwords that Azure refuses")
    return value


def guid(value: str) -> str:
    """A GUID, in small letters."""
    _need(re.fullmatch(_GUID, value.lower()), "must be a GUID, such as 00000000-0000-0000-0000-000000000000")
    return value.lower()


def sha256(value: str) -> str:
    """A SHA-256 in hexadecimal, in small letters."""
    _need(re.fullmatch(r"[0-9a-f]{64}", value.lower()), "must be 64 hexadecimal digits")
    return value.lower()


def expiry(value: str) -> str:
    """A number of days, or `never`."""
    text = value.strip().lower()
    days = int(text) if re.fullmatch(r"[0-9]{1,4}", text) else 0
    _need(text == NEVER or 1 <= days <= 3650, f"must be a number of days, 1 to 3650, or '{NEVER}'")
    return text if text == NEVER else str(days)


def time_of_day(value: str) -> str:
    """Hours and minutes."""
    _need(re.fullmatch(r"(?:[01][0-9]|2[0-3]):[0-5][0-9]", value), "must be a time from 00:00 to 23:59")
    return value


def windows_timezone(value: str) -> str:
    """A time zone by the name that Windows has for it, such as `Pacific Standard Time` or `UTC+12`."""
    _need(
        re.fullmatch(r"[A-Za-z][A-Za-z0-9 .()+-]{1,63}", value),
        "must be a time zone as Windows calls it, such as 'UTC' or 'W. Europe Standard Time'",
    )
    return value


def tags(value: Mapping[str, str]) -> dict[str, str]:
    """The user's tags: the limits of all resource types that we make taken together."""
    _need(len(value) <= MAX_TAGS, f"must be at most {MAX_TAGS} tags: a DNS zone has room for no more")
    for name, text in value.items():
        _tag(name, text)
    _need(len({name.lower() for name in value}) == len(value), "must not name a tag twice")
    return dict(value)


def _tag(name: str, text: str) -> None:
    shown = f"'{name[:40]}'" if name.isprintable() else "a tag"
    _need(
        re.fullmatch(r"[A-Za-z][A-Za-z0-9._-]{0,127}", name),
        "must have names of 1 to 128 letters, digits, '.', '_' or '-' that begin with a letter",
    )
    _need(
        not name.lower().startswith(("azure", "microsoft", "windows")),
        f"must not begin with azure, microsoft or windows, which Azure reserves: {shown}",
    )
    _need(
        not name.lower().startswith("vhdlift-"),
        f"must not begin with vhdlift-, by which a run knows what it made: {shown}",
    )
    _need(
        len(text) <= 256 and text.isprintable(),
        f"must have values of at most 256 characters without control characters: {shown}",
    )
