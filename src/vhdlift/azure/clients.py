"""Clients of one subscription: credential, endpoints of the cloud, retries, user agent.

The management SDKs are large, so each is imported when its client is first used.
"""

from __future__ import annotations

from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from functools import cached_property
from importlib.metadata import version
from typing import TYPE_CHECKING, Any, clear_overloads

from vhdlift.azure.patience import TRIES
from vhdlift.azure.retries import ServiceRetryPolicy
from vhdlift.azure.signin import RenewingTokenPolicy, credential_for
from vhdlift.azure.transport import OneHostPolicy, SharedTransport, SignInTransport, connections
from vhdlift.azure.waiting import asked
from vhdlift.errors import UsageError

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from azure.core import AsyncPipelineClient
    from azure.core.rest import AsyncHttpResponse, HttpRequest
    from azure.mgmt.compute.aio import ComputeManagementClient
    from azure.mgmt.dns.aio import DnsManagementClient
    from azure.mgmt.network.aio import NetworkManagementClient
    from azure.mgmt.resource.resources.aio import ResourceManagementClient
    from azure.mgmt.storage.aio import StorageManagementClient
    from azure.storage.blob.aio import BlobClient, BlobServiceClient

    from vhdlift.azure.signin import RenewableCredential
    from vhdlift.settings import Settings


@dataclass(frozen=True)
class Cloud:
    """Where a cloud's ARM is, what its tokens are for, and who issues them."""

    arm: str
    scope: str
    authority: str


CLOUDS = {
    "public": Cloud(
        "https://management.azure.com",
        "https://management.azure.com/.default",
        "https://login.microsoftonline.com",
    ),
    "usgovernment": Cloud(
        "https://management.usgovcloudapi.net",
        "https://management.usgovcloudapi.net/.default",
        "https://login.microsoftonline.us",
    ),
    "china": Cloud(
        "https://management.chinacloudapi.cn",
        "https://management.chinacloudapi.cn/.default",
        "https://login.chinacloudapi.cn",
    ),
}


class Azure:
    """The clients of one subscription; open it with `open_clients`.

    Attributes:
        subscription_id: the subscription that all clients speak to.
        scale: our own waits and deadlines are multiplied by it (1.0 on the real service).
    """

    def __init__(
        self,
        subscription_id: str,
        scale: float,
        cloud: Cloud,
        credential: RenewableCredential,
        transport: SharedTransport,
    ) -> None:
        self.subscription_id = subscription_id
        self.scale = scale
        self._cloud = cloud
        self._credential = credential
        self._transport = transport

    async def sign_in(self) -> None:
        """Have a token, without much patience.

        Raises:
            SignInNeeded: there is none to be had.
            AzureRefused: who gives them cannot be reached.
        """
        await asked(self.token, what="signing in to Azure", kind="probe", scale=self.scale)

    async def token(self) -> str:
        """The token that requests to ARM carry; a secret.

        Raises:
            azure.core.exceptions.AzureError: there is none to be had.
        """
        return (await self._credential.get_token_info(self._cloud.scope)).token

    @cached_property
    def compute(self) -> ComputeManagementClient:
        """Virtual machines, disks, snapshots, extensions, sizes."""
        from azure.mgmt.compute.aio import ComputeManagementClient  # noqa: PLC0415

        return ComputeManagementClient(**self._options())

    @cached_property
    def network(self) -> NetworkManagementClient:
        """Virtual networks, public IPs, security groups, interfaces."""
        from azure.mgmt.network.aio import NetworkManagementClient  # noqa: PLC0415

        return NetworkManagementClient(**self._options())

    @cached_property
    def dns(self) -> DnsManagementClient:
        """DNS zones and record sets."""
        from azure.mgmt.dns.aio import DnsManagementClient  # noqa: PLC0415

        return DnsManagementClient(**self._options())

    @cached_property
    def storage(self) -> StorageManagementClient:
        """Storage accounts and their keys."""
        from azure.mgmt.storage.aio import StorageManagementClient  # noqa: PLC0415

        return StorageManagementClient(**self._options())

    @cached_property
    def resources(self) -> ResourceManagementClient:
        """Resource groups, and resources of any kind by tag."""
        from azure.mgmt.resource.resources.aio import ResourceManagementClient  # noqa: PLC0415

        return ResourceManagementClient(**self._options())

    def blob_service(self, endpoint: str, account: str, key: str) -> BlobServiceClient:
        """The blobs of one storage account, signed with its key.

        Args:
            endpoint: the account's blob endpoint as ARM tells it (`primaryEndpoints.blob`).
            account: the account's name.
            key: one of its keys.
        """
        from azure.core.credentials import AzureNamedKeyCredential  # noqa: PLC0415
        from azure.storage.blob.aio import BlobServiceClient  # noqa: PLC0415

        signer = AzureNamedKeyCredential(account, key)
        return BlobServiceClient(endpoint.rstrip("/"), credential=signer, **self._blob_options())

    def blob_at(self, url: str) -> BlobClient:
        """One blob by a URL that carries its own SAS."""
        from azure.storage.blob.aio import BlobClient  # noqa: PLC0415

        return BlobClient.from_blob_url(url, **self._blob_options())

    @cached_property
    def signed(self) -> AsyncPipelineClient[HttpRequest, AsyncHttpResponse]:
        """Requests to an address that carries its own SAS, for what the blob client cannot do."""
        from azure.core import AsyncPipelineClient  # noqa: PLC0415
        from azure.core.pipeline.policies import UserAgentPolicy  # noqa: PLC0415

        policies = [UserAgentPolicy(base_user_agent=_user_agent()), ServiceRetryPolicy(self.scale)]
        return AsyncPipelineClient("", policies=policies, transport=self._transport)

    def _blob_options(self) -> dict[str, Any]:
        from azure.storage.blob.aio import LinearRetry  # noqa: PLC0415

        retry = LinearRetry(retry_total=TRIES, retry_connect=TRIES, retry_read=TRIES, retry_status=TRIES)
        # The class says whole seconds; it only ever draws a random number around them.
        retry.backoff = 3 * self.scale  # type: ignore[assignment]
        retry.random_jitter_range = 1 * self.scale  # type: ignore[assignment]
        return {
            "transport": self._transport,
            "retry_policy": retry,
            # What is uploaded may hold secrets, and would go along.
            "permit_redirects": False,
            "user_agent": _user_agent(),
        }

    def _options(self) -> dict[str, Any]:
        # What was just imported describes each operation in several overloads. `typing` keeps them, texts and
        # all, for whoever asks for them: 10 MB, and nobody here does.
        clear_overloads()
        return {
            "credential": self._credential,
            "subscription_id": self.subscription_id,
            "base_url": self._cloud.arm,
            "credential_scopes": [self._cloud.scope],
            "transport": self._transport,
            "authentication_policy": RenewingTokenPolicy(self._credential, self._cloud.scope),
            "redirect_policy": OneHostPolicy(self._cloud.arm),
            "retry_policy": ServiceRetryPolicy(self.scale),
            "user_agent": _user_agent(),
        }


@asynccontextmanager
async def open_clients(settings: Settings, read_seconds: float | None = None) -> AsyncIterator[Azure]:
    """Open the clients for the settings' cloud and subscription, and close them at the end.

    The credential is the service principal of the settings when tenant, id and secret are all given,
    otherwise azure-identity's default chain. Nothing is sent before the first call.

    Args:
        settings: cloud, subscription, credential, time scale.
        read_seconds: silence after which an answer is given up; None for the usual.

    Raises:
        UsageError: no subscription is named.
    """
    if not settings.subscription_id:
        raise UsageError(["AZURE_SUBSCRIPTION_ID: no subscription is named"])
    cloud = _cloud(settings)
    async with AsyncExitStack() as stack:
        pool = await stack.enter_async_context(connections(settings, cloud.arm, read_seconds))
        transport = SharedTransport(pool)
        credential = credential_for(settings, cloud.authority, SignInTransport(pool))
        stack.push_async_callback(credential.close)
        yield Azure(settings.subscription_id, settings.time_scale, cloud, credential, transport)


def _cloud(settings: Settings) -> Cloud:
    if settings.cloud == "custom":
        arm = str(settings.arm_endpoint).rstrip("/")
        return Cloud(arm, f"{arm}/.default", settings.authority_host or CLOUDS["public"].authority)
    known = CLOUDS[settings.cloud]
    return Cloud(known.arm, known.scope, settings.authority_host or known.authority)


def _user_agent() -> str:
    return f"vhdlift/{version('vhdlift')}"
