"""Clients of one subscription: credential, endpoints of the cloud, retries, user agent.

The management SDKs are large, so each is imported when its client is first used.
"""

from __future__ import annotations

import ssl
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from functools import cached_property
from importlib.metadata import version
from typing import TYPE_CHECKING, Any, Self
from urllib.parse import urlsplit

from aiohttp import ClientSession, DummyCookieJar, TCPConnector
from azure.core.pipeline.policies import AsyncRetryPolicy
from azure.core.pipeline.transport import AioHttpTransport, AsyncHttpTransport

from vhdlift.azure.failures import is_untrusted
from vhdlift.errors import UsageError

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from azure.core.credentials_async import AsyncTokenCredential
    from azure.core.pipeline import PipelineResponse
    from azure.mgmt.compute.aio import ComputeManagementClient
    from azure.mgmt.dns.aio import DnsManagementClient
    from azure.mgmt.network.aio import NetworkManagementClient
    from azure.mgmt.resource.resources.aio import ResourceManagementClient
    from azure.mgmt.storage.aio import StorageManagementClient
    from azure.storage.blob.aio import BlobClient, BlobServiceClient

    from vhdlift.settings import Settings

LONGEST_RETRY_AFTER = 15 * 60.0
"""Seconds of a service's Retry-After that are still obeyed; a longer one is an error at once."""

_CONNECT_SECONDS = 30
_READ_SECONDS = 120
_RETRIES = 8


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


class ServiceRetryPolicy(AsyncRetryPolicy[Any, Any]):
    """azure-core's retry, with what this tool's calls allow.

    Every call of this tool may be repeated, POST included (stop, start, grant access, list keys), so a
    connection that broke after the request was sent is retried for all methods. The service's
    Retry-After is obeyed up to `LONGEST_RETRY_AFTER`; our own back-off is multiplied by `scale`.
    """

    def __init__(self, scale: float, lost_connections: int = _RETRIES) -> None:
        super().__init__(
            retry_total=_RETRIES,
            retry_status=_RETRIES,
            retry_connect=lost_connections,
            retry_read=lost_connections,
            retry_backoff_factor=0.5 * scale,
            retry_backoff_max=30 * scale,
        )

    def _is_method_retryable(self, settings: Any, request: Any, response: Any = None) -> bool:  # noqa: ARG002
        return True

    def is_retry(self, settings: dict[str, Any], response: PipelineResponse[Any, Any]) -> bool:
        """Whether to ask again: never when the service wants more patience than a run has."""
        asked_for = self.get_retry_after(response)
        if asked_for is not None and asked_for > LONGEST_RETRY_AFTER:
            return False
        return bool(super().is_retry(settings, response))

    def increment(
        self, settings: dict[str, Any], response: Any = None, error: Exception | None = None
    ) -> bool:
        """Whether another try is left; none when the other side's certificate is not to be trusted."""
        return not is_untrusted(error) and bool(super().increment(settings, response, error))


class SharedTransport(AsyncHttpTransport[Any, Any]):
    """One pool of connections for many clients: closing a client does not close the pool."""

    def __init__(self, pool: AioHttpTransport) -> None:
        self._pool = pool

    async def send(self, request: Any, **kwargs: Any) -> Any:
        """Send a request through the pool."""
        return await self._pool.send(request, **kwargs)

    async def sleep(self, duration: float) -> None:
        """Wait, for retries."""
        await self._pool.sleep(duration)

    async def open(self) -> None:
        """Nothing: the pool is open."""

    async def close(self) -> None:
        """Nothing: whoever opened the pool closes it."""

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        return None


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
        credential: AsyncTokenCredential,
        transport: SharedTransport,
    ) -> None:
        self.subscription_id = subscription_id
        self.scale = scale
        self._cloud = cloud
        self._credential = credential
        self._transport = transport

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

    def _blob_options(self) -> dict[str, Any]:
        from azure.storage.blob.aio import LinearRetry  # noqa: PLC0415

        retry = LinearRetry(retry_total=_RETRIES)
        # The class says whole seconds; it only ever draws a random number around them.
        retry.backoff = 3 * self.scale  # type: ignore[assignment]
        retry.random_jitter_range = 1 * self.scale  # type: ignore[assignment]
        return {"transport": self._transport, "retry_policy": retry, "user_agent": _user_agent()}

    def _options(self) -> dict[str, Any]:
        return {
            "credential": self._credential,
            "subscription_id": self.subscription_id,
            "base_url": self._cloud.arm,
            "credential_scopes": [self._cloud.scope],
            "transport": self._transport,
            "retry_policy": ServiceRetryPolicy(self.scale),
            "user_agent": _user_agent(),
        }


@asynccontextmanager
async def open_clients(settings: Settings) -> AsyncIterator[Azure]:
    """Open the clients for the settings' cloud and subscription, and close them at the end.

    The credential is the service principal of the settings when tenant, id and secret are all given,
    otherwise azure-identity's default chain. Nothing is sent before the first call.

    Raises:
        UsageError: no subscription is named.
    """
    if not settings.subscription_id:
        raise UsageError(["AZURE_SUBSCRIPTION_ID: no subscription is named"])
    cloud = _cloud(settings)
    async with AsyncExitStack() as stack:
        pool = await stack.enter_async_context(_connections(settings, cloud))
        transport = SharedTransport(pool)
        credential = _credential(settings, cloud, transport)
        stack.push_async_callback(credential.close)
        yield Azure(settings.subscription_id, settings.time_scale, cloud, credential, transport)


def _cloud(settings: Settings) -> Cloud:
    if settings.cloud == "custom":
        arm = str(settings.arm_endpoint).rstrip("/")
        return Cloud(arm, f"{arm}/.default", settings.authority_host or CLOUDS["public"].authority)
    known = CLOUDS[settings.cloud]
    return Cloud(known.arm, known.scope, settings.authority_host or known.authority)


def _connections(settings: Settings, cloud: Cloud) -> AioHttpTransport:
    """A pool of connections.

    The certificates to trust are given to the pool and not to each request: azure-core would read them
    anew for every request, and no two requests could then share a connection.
    """
    session = ClientSession(
        connector=TCPConnector(ssl=_trust(settings)),
        # A proxy of the environment cannot reach this machine's own loopback.
        trust_env=urlsplit(cloud.arm).hostname not in {"127.0.0.1", "localhost", "::1"},
        cookie_jar=DummyCookieJar(),
        auto_decompress=False,
    )
    return AioHttpTransport(
        session=session,
        connection_timeout=_CONNECT_SECONDS,
        read_timeout=_READ_SECONDS,
        use_env_settings=False,
    )


def _trust(settings: Settings) -> ssl.SSLContext:
    return ssl.create_default_context(cafile=str(settings.ca_bundle) if settings.ca_bundle else None)


def _credential(settings: Settings, cloud: Cloud, transport: SharedTransport) -> Any:
    from azure.identity.aio import ClientSecretCredential, DefaultAzureCredential  # noqa: PLC0415

    secret = settings.client_secret
    if settings.tenant_id and settings.client_id and secret:
        return ClientSecretCredential(
            settings.tenant_id,
            settings.client_id,
            secret.get_secret_value(),
            authority=cloud.authority,
            disable_instance_discovery=settings.cloud == "custom",
            transport=transport,
            # The call that needs the token is repeated anyway when the login endpoint cannot be reached.
            retry_policy_class=lambda **_: ServiceRetryPolicy(settings.time_scale, lost_connections=1),
        )
    verify = str(settings.ca_bundle) if settings.ca_bundle else True
    # By itself it reads the environment only, and so misses an identity that is named in a file.
    named = {"managed_identity_client_id": settings.client_id} if settings.client_id else {}
    return DefaultAzureCredential(authority=cloud.authority, connection_verify=verify, **named)


def _user_agent() -> str:
    return f"vhdlift/{version('vhdlift')}"
