"""The name server's sockets: UDP and TCP on the same free port of two addresses of this machine."""

from __future__ import annotations

import asyncio
import struct
from functools import partial
from typing import TYPE_CHECKING, cast

from armlocal.dnszones import PARENT_HOST

if TYPE_CHECKING:
    from collections.abc import Callable

    from armlocal.dnszones import Zones

    Answer = Callable[[bytes], bytes | None]

HOST = "127.0.0.1"
_TRIES = 20


class DnsServer:
    """Answers on `port`, from `start` to `stop`: at `HOST`, and as the zones' parent at `PARENT_HOST`."""

    def __init__(self, zones: Zones) -> None:
        self.port = 0
        self._zones = zones
        self._udp: list[asyncio.DatagramTransport] = []
        self._tcp: list[asyncio.Server] = []

    async def start(self) -> None:
        """Opens all sockets.

        Raises:
            OSError: no port was free for all.
        """
        for attempt in range(1, _TRIES + 1):
            try:
                await self._open(HOST, self._zones.answer)
                await self._open(PARENT_HOST, partial(self._zones.answer, as_parent=True))
            except OSError:
                await self.stop()
                if attempt == _TRIES:
                    raise
                continue
            return

    async def _open(self, host: str, answer: Answer) -> None:
        """UDP and TCP at a host; the first chooses the port."""
        loop = asyncio.get_running_loop()
        udp, _ = await loop.create_datagram_endpoint(lambda: _Datagrams(answer), (host, self.port))
        self._udp.append(udp)
        self.port = udp.get_extra_info("sockname")[1]
        self._tcp.append(await asyncio.start_server(partial(_converse, answer), host, self.port))

    async def stop(self) -> None:
        """Closes all sockets."""
        while self._udp:
            self._udp.pop().close()
        while self._tcp:
            server = self._tcp.pop()
            server.close()
            await server.wait_closed()
        self.port = 0


async def _converse(answer: Answer, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """One TCP connection: each message behind two bytes of length."""
    try:
        while True:
            (length,) = struct.unpack("!H", await reader.readexactly(2))
            said = answer(await reader.readexactly(length))
            if said is None:
                return
            writer.write(struct.pack("!H", len(said)) + said)
            await writer.drain()
    except (asyncio.IncompleteReadError, ConnectionError):
        return
    finally:
        writer.close()


class _Datagrams(asyncio.DatagramProtocol):
    """One UDP datagram a query."""

    def __init__(self, answer: Answer) -> None:
        self._answer = answer
        self._transport: asyncio.DatagramTransport | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Keeps the way back."""
        self._transport = cast("asyncio.DatagramTransport", transport)

    def datagram_received(self, data: bytes, addr: tuple[str, int]) -> None:
        """Answers, if it was a query."""
        answer = self._answer(data)
        if answer is not None and self._transport is not None:
            self._transport.sendto(answer, addr)
