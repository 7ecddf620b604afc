"""The name server's sockets: UDP and TCP on the same free port of 127.0.0.1."""

from __future__ import annotations

import asyncio
import struct
from typing import TYPE_CHECKING, cast

if TYPE_CHECKING:
    from armlocal.dnszones import Zones

HOST = "127.0.0.1"
_TRIES = 20


class DnsServer:
    """Answers on `port`, from `start` to `stop`."""

    def __init__(self, zones: Zones) -> None:
        self.port = 0
        self._zones = zones
        self._udp: asyncio.DatagramTransport | None = None
        self._tcp: asyncio.Server | None = None

    async def start(self) -> None:
        """Opens both sockets.

        Raises:
            OSError: no port was free for both.
        """
        loop = asyncio.get_running_loop()
        for attempt in range(1, _TRIES + 1):
            udp, _ = await loop.create_datagram_endpoint(lambda: _Datagrams(self._zones), (HOST, 0))
            port = udp.get_extra_info("sockname")[1]
            try:
                self._tcp = await asyncio.start_server(self._converse, HOST, port)
            except OSError:
                udp.close()
                if attempt == _TRIES:
                    raise
                continue
            self._udp, self.port = udp, port
            return

    async def stop(self) -> None:
        """Closes both sockets."""
        if self._udp is not None:
            self._udp.close()
        if self._tcp is not None:
            self._tcp.close()
            await self._tcp.wait_closed()

    async def _converse(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """One TCP connection: each message behind two bytes of length."""
        try:
            while True:
                (length,) = struct.unpack("!H", await reader.readexactly(2))
                answer = self._zones.answer(await reader.readexactly(length))
                if answer is None:
                    return
                writer.write(struct.pack("!H", len(answer)) + answer)
                await writer.drain()
        except (asyncio.IncompleteReadError, ConnectionError):
            return
        finally:
            writer.close()


class _Datagrams(asyncio.DatagramProtocol):
    """One UDP datagram a query."""

    def __init__(self, zones: Zones) -> None:
        self._zones = zones
        self._transport: asyncio.DatagramTransport | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Keeps the way back."""
        self._transport = cast("asyncio.DatagramTransport", transport)

    def datagram_received(self, data: bytes, addr: tuple[str, int]) -> None:
        """Answers, if it was a query."""
        answer = self._zones.answer(data)
        if answer is not None and self._transport is not None:
            self._transport.sendto(answer, addr)
