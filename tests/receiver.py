"""A webhook receiver on a real socket that answers as a test tells it."""

from __future__ import annotations

import json
import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any


class Receiver:
    """What has been posted so far, and the statuses with which to answer (the last one for ever)."""

    def __init__(self, port: int) -> None:
        self.url = f"http://127.0.0.1:{port}/hook"
        self.statuses = [200]
        self.posts: list[tuple[dict[str, str], dict[str, Any]]] = []

    def bodies(self) -> list[dict[str, Any]]:
        """The bodies of the posts that were answered with a 2xx.

        One that was repeated, because its answer came too late, is there once.
        """
        first: dict[str, dict[str, Any]] = {}
        for headers, body in self.posts:
            first.setdefault(headers["webhook-id"], body)
        return list(first.values())


@contextmanager
def receiving(place: socket.socket | None = None) -> Iterator[Receiver]:
    """A receiver for the time of a test, on a port of its own or on the one that this socket has."""
    holder: list[Receiver] = []

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            receiver = holder[0]
            status = receiver.statuses.pop(0) if len(receiver.statuses) > 1 else receiver.statuses[0]
            body = json.loads(self.rfile.read(int(self.headers["content-length"])))
            if status < 300:
                receiver.posts.append((dict(self.headers.items()), body))
            self.send_response(status)
            self.send_header("content-length", "0")
            self.end_headers()

        def log_message(self, format: str, *args: object) -> None:  # noqa: A002
            """Keep the test output clean."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler, bind_and_activate=False)
    if place is None:
        server.server_bind()
    else:
        server.socket.close()
        server.socket, server.server_address = place, place.getsockname()
    server.server_activate()
    holder.append(Receiver(server.server_address[1]))
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05})
    thread.start()
    try:
        yield holder[0]
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
