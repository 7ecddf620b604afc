"""Connections to Azure: one pool for all clients, certificates checked, answers bounded, no other hosts."""

from __future__ import annotations

import json
import re
import ssl
import zlib
from http import HTTPStatus
from typing import TYPE_CHECKING, Any, Self
from urllib.parse import urlsplit

from aiohttp import ClientPayloadError, ClientResponse, ClientSession, DummyCookieJar, TCPConnector
from azure.core.exceptions import DecodeError, ResponseNotReadError, ServiceResponseError
from azure.core.pipeline.policies import AsyncHTTPPolicy
from azure.core.pipeline.transport import AioHttpTransport, AsyncHttpTransport

from vhdlift.azure.failures import AnswerTooLargeError, OtherHostError
from vhdlift.azure.patience import LEAST_READ_SECONDS, READ_SECONDS

if TYPE_CHECKING:
    from azure.core.pipeline import PipelineRequest, PipelineResponse

    from vhdlift.settings import Settings

LARGEST_ANSWER = 16 * 1024 * 1024
"""Bytes of an answer that is read whole, unpacked. Blobs are read in pieces and are not meant."""

_CONNECT_SECONDS = 30
_PIECE = 64 * 1024
_LISTS_OF_IMAGES = re.compile(r"/publishers(/.+/(offers|skus|versions))?$", re.IGNORECASE)
_BLANK = b"\xef\xbb\xbf \t\r\n"


class BoundedResponse(ClientResponse):
    """An answer that is never read whole when it is too large, nor when it ends too early."""

    async def read(self) -> bytes:
        """The whole body, still packed.

        Raises:
            AnswerTooLargeError: it is larger than `LARGEST_ANSWER`, also when unpacked.
            azure.core.exceptions.ServiceResponseError: it broke off.
        """
        if self._body is None:
            try:
                self._body = await self._bounded()
            except AnswerTooLargeError:
                self.close()
                raise
            except ClientPayloadError as error:
                self.close()
                raise ServiceResponseError("the answer broke off", error=error) from error
        return self._body

    async def _bounded(self) -> bytes:
        # The length that a HEAD is answered with is that of what a GET would bring.
        if self.method != "HEAD" and (self.content_length or 0) > LARGEST_ANSWER:
            raise AnswerTooLargeError(LARGEST_ANSWER)
        unpacked, whole = 0, bytearray()
        unpack = _unpacker(self.headers.get("Content-Encoding", ""))
        async for piece in self.content.iter_chunked(_PIECE):
            whole += piece
            try:
                unpacked += len(unpack(piece))
            except zlib.error as error:
                raise ServiceResponseError("the answer could not be unpacked", error=error) from error
            if max(unpacked, len(whole)) > LARGEST_ANSWER:
                raise AnswerTooLargeError(LARGEST_ANSWER)
        return bytes(whole)


def _unpacker(encoding: str) -> Any:
    """A function that unpacks the next piece of a body, `LARGEST_ANSWER` bytes and one at most."""
    windows = {"gzip": 16 + zlib.MAX_WBITS, "deflate": -zlib.MAX_WBITS}.get(encoding.lower())
    if windows is None:
        return lambda piece: piece
    unpacking = zlib.decompressobj(wbits=windows)
    return lambda piece: unpacking.decompress(piece, LARGEST_ANSWER + 1)


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


class SignInTransport(SharedTransport):
    """The pool for the sign-in service, which says nothing but JSON objects."""

    async def send(self, request: Any, **kwargs: Any) -> Any:
        """Send a request through the pool.

        Raises:
            azure.core.exceptions.ServiceResponseError: what answered is not the sign-in service.
        """
        response = await super().send(request, **kwargs)
        try:
            is_object = isinstance(json.loads(response.text()), dict)
        except ValueError:
            is_object = False
        if not is_object:
            message = f"the sign-in service's answer (HTTP {response.status_code}) could not be read"
            raise ServiceResponseError(message)
        return response


class OneHostPolicy(AsyncHTTPPolicy[Any, Any]):
    """Lets requests go to ARM's own host alone, and only what ARM says come back.

    It stands where azure-core would follow redirects. A redirect is not followed, so its answer becomes an
    error. Addresses that ARM hands out (of a long operation, of a list's next page) may be of a host below
    ARM's own, as those of single regions are.
    """

    def __init__(self, arm: str) -> None:
        super().__init__()
        self._scheme, self._host, self._port = _place(arm)

    async def send(self, request: PipelineRequest[Any]) -> PipelineResponse[Any, Any]:
        """Send a request on.

        Raises:
            OtherHostError: it is for another host.
            azure.core.exceptions.DecodeError: what came back is not what ARM says.
        """
        scheme, host, port = _place(request.http_request.url)
        known = host == self._host or host.endswith(f".{self._host}")
        if not known or scheme != self._scheme or port != self._port:
            raise OtherHostError(host)
        response = await self.next.send(request)
        _expect_answer(response.http_response)
        return response


def _expect_answer(answer: Any) -> None:
    """Success without a body is an answer too; what an error says is looked at where it is translated.

    The answer to the start of a long operation is not read yet; its result will be. A list without its
    `value` would be taken for one of nothing, and what is in it for gone.
    """
    if answer.status_code >= HTTPStatus.MULTIPLE_CHOICES:
        return
    try:
        body = answer.body().lstrip(_BLANK)
    except (ResponseNotReadError, ValueError):
        return
    path = urlsplit(answer.request.url).path
    if body.startswith(b"[") and _LISTS_OF_IMAGES.search(path):
        return
    if body and not body.startswith(b"{"):
        raise DecodeError("it is no JSON object", response=answer)
    lists = body and answer.request.method == "GET" and _is_collection(path)
    if lists and not isinstance(json.loads(body).get("value"), list):
        raise DecodeError("it is no list", response=answer)


def _is_collection(path: str) -> bool:
    """Whether a path names a type, and not one resource of it: `.../providers/NAMESPACE/type/name/type`.

    Any name may be a word that types and this grammar use, such as `resources`.
    """
    rest = path.lower().strip("/").split("/")
    for level in ("subscriptions", "resourcegroups"):
        if rest[:1] == [level] and len(rest) > 1:
            rest = rest[2:]
    while rest[:1] == ["providers"] and len(rest) > 1:
        rest = rest[2:]
        while len(rest) > 1 and rest[0] != "providers":
            rest = rest[2:]
    return len(rest) == 1


def _place(url: str) -> tuple[str, str, int | None]:
    try:
        parts = urlsplit(url)
        return parts.scheme, (parts.hostname or "").lower(), parts.port or 443
    except ValueError:
        return "", "", None


def connections(settings: Settings, arm: str, read_seconds: float | None) -> AioHttpTransport:
    """A pool of connections.

    The certificates to trust are given to the pool and not to each request: azure-core would read them
    anew for every request, and no two requests could then share a connection.

    Args:
        settings: whom to trust, and the time scale.
        arm: ARM's address.
        read_seconds: silence after which an answer is given up; None for the usual.
    """
    session = ClientSession(
        connector=TCPConnector(ssl=_trust(settings)),
        # A proxy of the environment cannot reach this machine's own loopback.
        trust_env=urlsplit(arm).hostname not in {"127.0.0.1", "localhost", "::1"},
        cookie_jar=DummyCookieJar(),
        auto_decompress=False,
        response_class=BoundedResponse,
    )
    usual = max(READ_SECONDS * min(settings.time_scale, 1.0), LEAST_READ_SECONDS)
    return AioHttpTransport(
        session=session,
        connection_timeout=_CONNECT_SECONDS,
        read_timeout=usual if read_seconds is None else read_seconds,
        connection_data_block_size=_PIECE,
        use_env_settings=False,
    )


def _trust(settings: Settings) -> ssl.SSLContext:
    return ssl.create_default_context(cafile=str(settings.ca_bundle) if settings.ca_bundle else None)
