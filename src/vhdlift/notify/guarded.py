"""Connections of the webhook: made to the very address that was looked at, and only where it may be.

A name can lead to an address of the cloud's own services, at once or after a while (DNS rebinding). So it is
looked up here, once for each post, and the connection goes to an address of that answer; TLS still proves the
name.
"""

from __future__ import annotations

import ipaddress
from typing import TYPE_CHECKING
from urllib.request import getproxies_environment, proxy_bypass

import httpx

from vhdlift.notify.names import addresses_of
from vhdlift.options import BY_NAME
from vhdlift.settings import addresses

if TYPE_CHECKING:
    import ssl

    from vhdlift.notify.names import Lookup

_MOST_TRIED = 4
_PORTS = {"http": 80, "https": 443}


class Guarded(httpx.AsyncHTTPTransport):
    """Refuses the cloud's own services always, private addresses unless they are allowed."""

    def __init__(self, trust: ssl.SSLContext, *, allow_private: bool, look_up: Lookup = addresses_of) -> None:
        super().__init__(verify=trust)
        self._allow_private = allow_private
        self._look_up = look_up

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        """Send the request to the first address of its host that answers.

        Raises:
            httpx.ConnectError: the host has no address, or none that it may have.
        """
        url, host = request.url, request.url.raw_host.decode("ascii")
        places = await self._allowed(request, host, url.port or _PORTS[url.scheme])
        problem: httpx.ConnectError | httpx.ConnectTimeout | None = None
        for place in places:
            try:
                return await super().handle_async_request(_to(request, place, len(places)))
            except (httpx.ConnectError, httpx.ConnectTimeout) as error:
                problem = error
        assert problem is not None
        raise problem

    async def _allowed(self, request: httpx.Request, host: str, port: int) -> list[str]:
        try:
            found = await self._look_up(host.strip("[]"), port)
        except OSError as error:
            raise httpx.ConnectError(f"{host}: {error}", request=request) from error
        refusals = {place: self._refusal(place, plain=request.url.scheme == "http") for place in found}
        allowed = [place for place, refusal in refusals.items() if not refusal]
        if not allowed:
            raise httpx.ConnectError(
                "; ".join(refusals.values()) or f"{host} has no address", request=request
            )
        return allowed[:_MOST_TRIED]

    def _refusal(self, place: str, *, plain: bool) -> str:
        """Why no connection is made to this address; nothing if it may be."""
        address = ipaddress.ip_address(place)
        if addresses.is_forbidden(address):
            return f"its name leads to {place}, where the cloud's own services are"
        if plain and not addresses.is_this_machine(address):
            return f"its name leads to {place}, which is another machine: that needs https"
        if addresses.is_private(address) and not self._allow_private:
            allows = BY_NAME["webhook_allow_private"].title
            return f"its name leads to {place}, which is private: {allows} lets it"
        return ""


def open_client(
    url: str, trust: ssl.SSLContext, *, allow_private: bool, agent: str, look_up: Lookup = addresses_of
) -> httpx.AsyncClient:
    """A client for posts to this URL; close it at the end.

    A proxy that the environment names is used for https. It looks the name up itself, so then it is the one
    to guard what it reaches.
    """
    proxy = _proxy_for(url)
    guarded = Guarded(trust, allow_private=allow_private, look_up=look_up)
    mounts = {"all://": httpx.AsyncHTTPTransport(verify=trust, proxy=proxy)} if proxy else {}
    return httpx.AsyncClient(transport=guarded, mounts=mounts, headers={"user-agent": agent})


def _to(request: httpx.Request, place: str, share: int) -> httpx.Request:
    """The request to this address, its `Host` header and the name in its certificate as they were."""
    limits = dict(request.extensions.get("timeout", {}))
    if limits.get("connect"):
        limits["connect"] /= share
    return httpx.Request(
        request.method,
        request.url.copy_with(host=place),
        headers=request.headers,
        stream=request.stream,
        extensions={**request.extensions, "timeout": limits, "sni_hostname": request.url.raw_host.decode()},
    )


def _proxy_for(url: str) -> str | None:
    """The HTTP proxy that the environment names for this URL; what is on this machine needs none."""
    try:
        parts = httpx.URL(url)
    except httpx.InvalidURL:
        return None
    if parts.scheme != "https" or proxy_bypass(parts.host):
        return None
    known = getproxies_environment()
    proxy = known.get("https") or known.get("all") or ""
    return proxy if proxy.startswith(("http://", "https://")) else None
