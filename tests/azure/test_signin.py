"""A token that cannot be had: at first it is for the user to sign in, later for the run to wait."""

from __future__ import annotations

from uuid import uuid4

import pytest
from azure.core.credentials import AccessTokenInfo
from azure.core.exceptions import ClientAuthenticationError

from vhdlift.azure.signin import RenewableCredential
from vhdlift.azure.waiting import asked
from vhdlift.errors import SignInNeeded

SCALE = 0.001


class Chain:
    """Says what azure-identity's chain says, whether nobody is signed in or the network is away."""

    def __init__(self, *answers: str) -> None:
        self.answers = list(answers)

    async def get_token_info(self, *_scopes: str, options: object = None) -> AccessTokenInfo:
        del options
        if self.answers.pop(0) == "none":
            raise ClientAuthenticationError(
                "No token.\nAttempted credentials:\n\tAzureCliCredential: timed out"
            )
        return AccessTokenInfo("a-token", 4102444800)


async def token(*answers: str, name: str) -> str:
    """What a call gets that needs a token."""
    chain = Chain(*answers)
    credential = RenewableCredential(lambda: chain, name)
    info = await asked(credential.get_token_info, "scope", what="reading the key", scale=SCALE)
    return str(info.token)


async def test_who_is_not_signed_in_is_told_at_once() -> None:
    with pytest.raises(SignInNeeded, match="reading the key: No token"):
        await token("none", "one", name=uuid4().hex)


async def test_who_was_signed_in_is_waited_for() -> None:
    """Also by new clients, as those of a step that begins after hours."""
    name = uuid4().hex
    assert await token("one", name=name) == "a-token"
    assert await token("none", "none", "one", name=name) == "a-token"
