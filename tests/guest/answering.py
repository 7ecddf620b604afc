"""An HTTP server on this machine whose answers a test decides."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, ClassVar


class Answering(BaseHTTPRequestHandler):
    """A handler with a method for each of HTTP's, such as `get`; several threads share the gate."""

    protocol_version = "HTTP/1.1"
    gate: ClassVar[threading.Lock]

    def _dispatch(self) -> None:
        getattr(self, self.command.lower())()

    do_GET = do_HEAD = do_PUT = do_POST = _dispatch  # noqa: N815 - the names that http.server asks for

    def body(self) -> bytes:
        """What was sent along."""
        return self.rfile.read(int(self.headers.get("Content-Length", "0")))

    def answer(self, status: int, body: bytes, headers: dict[str, str] | None = None) -> None:
        """The whole answer; to HEAD, all but the body."""
        self.send_response(status)
        for name, value in (headers or {}).items():
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(body)

    def log_message(self, *_: object) -> None:
        """Nothing: a test's output is its own."""


@contextmanager
def listening(handler: type[Answering], **given: Any) -> Iterator[str]:
    """The address of a server with this handler, which has what is given, until the end of the block."""
    bound = type("Bound", (handler,), {**given, "gate": threading.Lock()})
    server = ThreadingHTTPServer(("127.0.0.1", 0), bound)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_address[1]}"
    finally:
        server.shutdown()
        thread.join()
        server.server_close()
