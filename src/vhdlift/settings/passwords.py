"""Making an administrator's password that Azure and Windows accept."""

from __future__ import annotations

import secrets

from vhdlift.settings.rules import admin_password

# Without look-alikes (0 O o, 1 l I, 5 S, 2 Z, 8 B), and without what a shell, a URL or XML reads as its own.
_LETTERS = "abcdefghijkmnpqrstuvwxyzACDEFGHJKLMNPQRTUVWXY"
_DIGITS = "34679"
_SPECIAL = "-_+=:."
_LENGTH = 24


def make_admin_password() -> str:
    """A new password of 24 characters with all four kinds of them: about 130 bits of chance."""
    alphabet = _LETTERS + _DIGITS + _SPECIAL
    while True:
        password = "".join(secrets.choice(alphabet) for _ in range(_LENGTH))
        if _has_all_kinds(password):
            return admin_password(password)


def _has_all_kinds(password: str) -> bool:
    kinds = (str.islower, str.isupper, _DIGITS.__contains__, _SPECIAL.__contains__)
    return password[0].isalnum() and all(any(kind(c) for c in password) for kind in kinds)
