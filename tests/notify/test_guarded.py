"""Where the webhook's connections go, and where they never go, whatever a name leads to."""

from __future__ import annotations

import asyncio
import socket
import ssl
import threading
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import pytest
import trustme

from tests.notify.receiver import answer, receiving
from vhdlift.notify.guarded import open_client
from vhdlift.notify.names import addresses_of
from vhdlift.notify.webhook import Retry, Sent, post_status_update

OK = answer("204 No Content")
NAME = "hooks.example.org"
FORBIDDEN = [
    "169.254.169.254",
    "168.63.129.16",
    "fd00:ec2::254",
    "::ffff:169.254.169.254",
    "64:ff9b::a9fe:a9fe",
    "2002:a9fe:a9fe::1",
    "fe80::1%lo",
    "0.0.0.0",
    "::",
    "100.100.100.200",
]
PRIVATE = ["10.0.0.5", "172.16.3.4", "192.168.1.1", "100.64.0.1", "fd12:3456::1", "198.18.0.1", "240.0.0.1"]


class Names:
    """Answers look-ups with one list after the other, the last for good, and counts them."""

    def __init__(self, *answers: list[str]) -> None:
        self.answers = list(answers)
        self.asked: list[str] = []

    async def __call__(self, host: str, _port: int) -> list[str]:
        self.asked.append(host)
        return self.answers.pop(0) if len(self.answers) > 1 else self.answers[0]


@pytest.fixture(scope="module")
def authority() -> trustme.CA:
    return trustme.CA()


@pytest.fixture(scope="module")
def trust(authority: trustme.CA) -> ssl.SSLContext:
    context = ssl.create_default_context()
    authority.configure_trust(context)
    return context


@asynccontextmanager
async def tls_receiver(authority: trustme.CA, name: str) -> AsyncIterator[tuple[int, list[bytes]]]:
    """An https receiver with a certificate for `name`; gives its port and the heads of what it gets."""
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    authority.issue_cert(name).configure_cert(context)
    heads: list[bytes] = []

    async def take(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        heads.append(await reader.readuntil(b"\r\n\r\n"))
        writer.write(OK)
        await writer.drain()
        writer.close()

    server = await asyncio.start_server(take, "127.0.0.1", 0, ssl=context)
    try:
        yield server.sockets[0].getsockname()[1], heads
    finally:
        server.close()


async def post(
    url: str, trust: ssl.SSLContext, look_up: Any = addresses_of, scale: float = 1.0, **more: Any
) -> Any:
    given = {"allow_private": False, "agent": "test", **more}
    async with open_client(url, trust, look_up=look_up, **given) as client:
        return await post_status_update(client, url, None, {"a": 1}, "1", scale=scale)


@pytest.mark.parametrize("allow_private", [False, True])
@pytest.mark.parametrize("address", FORBIDDEN)
async def test_a_name_that_leads_to_the_clouds_own_services_is_not_reached(
    trust: ssl.SSLContext, address: str, allow_private: bool
) -> None:
    """Whatever is allowed: nothing is there that wants to hear of a run."""
    found = await post(f"https://{NAME}/x", trust, Names([address]), allow_private=allow_private)
    assert isinstance(found, Retry)
    assert f"its name leads to {address}" in found.reason


@pytest.mark.parametrize("address", PRIVATE)
async def test_a_name_that_leads_to_a_private_address_is_not_reached(
    trust: ssl.SSLContext, address: str
) -> None:
    """Unless it is allowed; the reason says by what."""
    found = await post(f"https://{NAME}/x", trust, Names([address]))
    assert isinstance(found, Retry)
    assert f"its name leads to {address}, which is private" in found.reason
    assert "--webhook-allow-private" in found.reason


async def test_a_private_address_can_be_allowed(trust: ssl.SSLContext) -> None:
    """Then it is tried."""
    found = await post(f"https://{NAME}/x", trust, Names(["240.0.0.1"]), allow_private=True)
    assert isinstance(found, Retry)
    assert "private" not in found.reason


async def test_tls_proves_the_name_and_not_the_address(authority: trustme.CA, trust: ssl.SSLContext) -> None:
    """The connection goes to the address that was looked at; `Host` and certificate are the name's."""
    async with tls_receiver(authority, NAME) as (port, heads):
        assert Sent() == await post(f"https://{NAME}:{port}/x", trust, Names(["127.0.0.1"]))
    assert f"host: {NAME}:{port}".encode() in heads[0].lower()


async def test_a_certificate_for_the_address_is_not_enough(
    authority: trustme.CA, trust: ssl.SSLContext
) -> None:
    """Whoever answers there must be who was asked for."""
    async with tls_receiver(authority, "127.0.0.1") as (port, heads):
        found = await post(f"https://{NAME}:{port}/x", trust, Names(["127.0.0.1"]))
    assert isinstance(found, Retry)
    assert "certificate" in found.reason
    assert heads == []


async def test_a_name_is_looked_up_once_for_each_post(authority: trustme.CA, trust: ssl.SSLContext) -> None:
    """A second answer, such as rebinding counts on, is never asked for; the next post sees it, and stops."""
    names = Names(["127.0.0.1"], ["169.254.169.254"])
    async with tls_receiver(authority, NAME) as (port, heads):
        url = f"https://{NAME}:{port}/x"
        assert Sent() == await post(url, trust, names)
        assert names.asked == [NAME]
        assert isinstance(await post(url, trust, names), Retry)
    assert len(heads) == 1


async def test_of_several_addresses_only_those_that_may_be_are_tried(
    authority: trustme.CA, trust: ssl.SSLContext
) -> None:
    """In their order, until one answers."""
    with socket.socket() as nobody:
        nobody.bind(("127.0.0.2", 0))
        async with tls_receiver(authority, NAME) as (port, _):
            found = await post(
                f"https://{NAME}:{port}/x", trust, Names(["169.254.169.254", "127.0.0.2", "127.0.0.1"])
            )
    assert found == Sent()


async def test_without_tls_no_other_machine_is_reached(trust: ssl.SSLContext) -> None:
    """`localhost` may be anything in a broken hosts file."""
    found = await post("http://localhost/x", trust, Names(["203.0.113.7"]), allow_private=True)
    assert isinstance(found, Retry)
    assert "needs https" in found.reason


async def test_localhost_is_reached(trust: ssl.SSLContext) -> None:
    """By the system's own look-up."""
    async with receiving(OK) as receiver:
        url = receiver.url.replace("127.0.0.1", "localhost")
        assert Sent() == await post(url, trust)


async def test_a_host_that_does_not_exist_is_tried_again(trust: ssl.SSLContext) -> None:
    """A resolver that is away comes back."""
    found = await post("https://no-such-host.invalid/x", trust)
    assert isinstance(found, Retry)
    assert "no-such-host.invalid" in found.reason


async def test_a_look_up_that_hangs_takes_no_thread_of_the_loop(trust: ssl.SSLContext) -> None:
    """The run's own work goes on in those, and the process ends without waiting for it."""

    async def hangs(_host: str, _port: int) -> list[str]:
        await asyncio.Event().wait()
        return []

    assert await post(f"https://{NAME}/x", trust, hangs, 0.1) == Retry("no answer in 1 s")
    await addresses_of("localhost", 80)
    assert all(t.daemon for t in threading.enumerate() if t.name == "vhdlift-names")


async def test_a_proxy_of_the_environment_is_used(
    trust: ssl.SSLContext, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It is asked for the name, which this machine may not be able to look up."""
    async with receiving(answer("502 No")) as proxy:
        monkeypatch.setenv("https_proxy", proxy.url.partition("/hook")[0])
        monkeypatch.setenv("no_proxy", "other.example")
        names = Names(["127.0.0.1"])
        assert isinstance(await post(f"https://{NAME}/x", trust, names), Retry)
        assert proxy.posts[0][0][":line"] == f"CONNECT {NAME}:443 HTTP/1.1"
        assert names.asked == []
        assert isinstance(await post("https://other.example:1/x", trust, names), Retry)
        assert names.asked == ["other.example"]
    assert len(proxy.posts) == 1
