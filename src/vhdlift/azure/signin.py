"""Signing in: which credential, and a new token when Azure no longer takes the one we have.

When a token ends is judged by our own clock, which may be wrong, and a token may be taken back before. So
a 401 means a new token and the request once more, once; a second 401 is an error.
"""

from __future__ import annotations

import asyncio
from http import HTTPStatus
from typing import TYPE_CHECKING, Any, Self

from azure.core.exceptions import AzureError, ClientAuthenticationError, ServiceRequestError
from azure.mgmt.core.policies import AsyncARMChallengeAuthenticationPolicy

from vhdlift.azure.retries import ServiceRetryPolicy

if TYPE_CHECKING:
    from collections.abc import Callable

    from azure.core.credentials import AccessTokenInfo
    from azure.core.pipeline import PipelineRequest, PipelineResponse

    from vhdlift.azure.transport import SharedTransport
    from vhdlift.settings import Settings


_signed_in: set[str] = set()


class RenewableCredential:
    """A credential that can be made to forget its tokens, for all clients that use it.

    Once this process has had a token, it is signed in: that there is none later is a passing matter, to be
    waited for like a network that is away. azure-identity's chain does not tell the two apart.

    Args:
        make: makes the credential.
        name: what tells it from others of this process.
    """

    def __init__(self, make: Callable[[], Any], name: str) -> None:
        self._make = make
        self._name = name
        self._made = [make()]
        self._last = ""
        self._turn = asyncio.Lock()

    async def get_token_info(self, *scopes: str, options: Any = None) -> AccessTokenInfo:
        """A token, from memory if there is one.

        Raises:
            azure.core.exceptions.AzureError: there is none to be had.
        """
        async with self._turn:
            try:
                token: AccessTokenInfo = await self._made[-1].get_token_info(*scopes, options=options)
            except ClientAuthenticationError as error:
                if error.response is None and self._name in _signed_in:
                    raise ServiceRequestError(" ".join(str(error.message).split())) from error
                raise
            self._last = token.token
        _signed_in.add(self._name)
        return token

    async def forget(self, token: str) -> None:
        """Azure refused this token: the next is a new one, unless it has been asked for meanwhile."""
        async with self._turn:
            if token == self._last:
                self._made.append(self._make())
                self._last = ""

    async def close(self) -> None:
        """Close all that was opened."""
        while self._made:
            await self._made.pop().close()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.close()


class RenewingTokenPolicy(AsyncARMChallengeAuthenticationPolicy):
    """Sends the token with each request; after a 401, once more with a new one."""

    def __init__(self, credential: RenewableCredential, *scopes: str) -> None:
        super().__init__(credential, *scopes)
        self._renewable = credential

    async def send(self, request: PipelineRequest[Any]) -> PipelineResponse[Any, Any]:
        """Send a request on.

        Raises:
            azure.core.exceptions.AzureError: no token, or no answer.
        """
        response: PipelineResponse[Any, Any] = await super().send(request)
        if response.http_response.status_code != HTTPStatus.UNAUTHORIZED:
            return response
        refused = request.http_request.headers.get("Authorization", "").removeprefix("Bearer ")
        await _drop(response)
        await self._renewable.forget(refused)
        self._token = None
        await self.on_request(request)
        return await self.next.send(request)


async def _drop(response: PipelineResponse[Any, Any]) -> None:
    """Read an answer to its end, so that its connection can be used again."""
    try:
        await response.http_response.read()
    except AzureError:
        await response.http_response.close()


def credential_for(settings: Settings, authority: str, transport: SharedTransport) -> RenewableCredential:
    """The service principal of the settings when it is whole, otherwise azure-identity's default chain.

    Args:
        settings: tenant, id, secret, and whom to trust.
        authority: who issues the tokens.
        transport: for the service principal; the chain brings its own.
    """
    from azure.identity.aio import ClientSecretCredential, DefaultAzureCredential  # noqa: PLC0415

    tenant, client, secret = settings.tenant_id, settings.client_id, settings.client_secret
    name = f"{authority} {tenant} {client}"
    if tenant and client and secret:
        return RenewableCredential(
            lambda: ClientSecretCredential(
                tenant,
                client,
                secret.get_secret_value(),
                authority=authority,
                disable_instance_discovery=settings.cloud == "custom",
                transport=transport,
                # The call that needs the token is repeated anyway when this cannot be reached.
                retry_policy_class=lambda **_: ServiceRetryPolicy(settings.time_scale, lost_connections=1),
            ),
            name,
        )
    verify = str(settings.ca_bundle) if settings.ca_bundle else True
    # By itself it reads the environment only, and so misses an identity that is named in a file.
    named = {"managed_identity_client_id": client} if client else {}
    return RenewableCredential(
        lambda: DefaultAzureCredential(authority=authority, connection_verify=verify, **named), name
    )
