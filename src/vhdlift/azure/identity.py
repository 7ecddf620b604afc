"""Who Azure takes us for, as the token says it."""

from __future__ import annotations

import base64
import json
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

from vhdlift.azure.plainly import least
from vhdlift.azure.waiting import asked

if TYPE_CHECKING:
    from vhdlift.azure.clients import Azure


@dataclass(frozen=True)
class Identity:
    """Who is signed in, and where; what the token does not say is empty.

    Attributes:
        kind: `user`, or `application` for service principals and managed identities.
        name: the user's name, or the application's client id.
        object_id: of the user or the service principal.
        tenant_id: who issued the token.
        subscription_id: what is spoken to.
    """

    kind: str
    name: str
    object_id: str
    tenant_id: str
    subscription_id: str

    @property
    def assignee(self) -> str:
        """What `az role assignment create --assignee` takes."""
        return self.object_id or self.name or "CLIENT_ID"

    @property
    def sentence(self) -> str:
        """Who, and where, in one line."""
        who = f"{self.kind} {self.name}" if self.name else f"an unnamed {self.kind}"
        return (
            f"Signed in as {who}, tenant {self.tenant_id or 'unknown'}, subscription {self.subscription_id}."
        )

    def to_json(self) -> dict[str, str]:
        """Plain data."""
        return asdict(self)


async def read_identity(azure: Azure) -> Identity:
    """Sign in, and say as whom.

    Raises:
        SignInNeeded: no credential works.
        VhdliftError: whoever issues tokens is out of reach.
    """
    token = await asked(azure.token, what="signing in", kind="probe", scale=least(azure.scale))
    return identity_of(token, azure.subscription_id)


def identity_of(token: str, subscription_id: str) -> Identity:
    """What the claims of an access token say; a token that cannot be read is of nobody known."""
    claims = _claims(token)
    user = str(claims.get("upn") or claims.get("unique_name") or "")
    return Identity(
        "user" if user else "application",
        user or str(claims.get("appid") or claims.get("azp") or ""),
        str(claims.get("oid") or ""),
        str(claims.get("tid") or ""),
        subscription_id,
    )


def _claims(token: str) -> dict[str, Any]:
    parts = token.split(".")
    try:
        claims = json.loads(base64.urlsafe_b64decode(parts[1] + "=" * (-len(parts[1]) % 4)))
    except (IndexError, ValueError):
        return {}
    return claims if isinstance(claims, dict) else {}
