"""The mailbox: an SMTP server that keeps every mail as a file and delivers none.

It demands what real submission servers demand: STARTTLS first, then AUTH.
"""

from __future__ import annotations

import asyncio
import json
import re
import secrets
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from aiosmtpd.smtp import SMTP, AuthResult, Envelope, LoginPassword, Session
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

if TYPE_CHECKING:
    import ssl
    from pathlib import Path

    from starlette.requests import Request

USERNAME = "armlocal"
SENDER = "vhdlift@armlocal.example"
_REPLY = re.compile(r"[45]\d\d [ -~]+")


@dataclass
class Mailbox:
    """Mails go to `folder`/1.eml, 2.eml and so on, byte for byte as they came.

    Attributes:
        folder: made if absent.
        tls: the server's certificate.
        password: of the only user, `USERNAME`.
        refusal: the reply to every mail from now on, such as `451 4.3.0 Try later`; None takes them.
        port: where it listens, once started.
    """

    folder: Path
    tls: ssl.SSLContext
    password: str = field(default_factory=lambda: secrets.token_urlsafe(12), repr=False)
    refusal: str | None = None
    port: int = 0
    _server: asyncio.Server | None = field(default=None, repr=False)

    async def start(self) -> None:
        """Listens on a free port of 127.0.0.1."""
        self.folder.mkdir(parents=True, exist_ok=True)
        loop = asyncio.get_running_loop()
        self._server = await loop.create_server(self._session, "127.0.0.1", 0)
        self.port = self._server.sockets[0].getsockname()[1]

    async def stop(self) -> None:
        """Listens no more."""
        if self._server is not None:
            self._server.close()
            await self._server.wait_closed()

    def reset(self) -> None:
        """Takes mails again; those on disk stay."""
        self.refusal = None

    async def handle_DATA(self, server: SMTP, session: Session, envelope: Envelope) -> str:  # noqa: ARG002, N802
        """Keeps one mail; aiosmtpd calls it by this name."""
        if self.refusal is not None:
            return self.refusal
        number = 1 + sum(1 for _ in self.folder.glob("*.eml"))
        content = envelope.original_content or b""
        part = self.folder / f"{number}.part"
        part.write_bytes(content)
        part.rename(self.folder / f"{number}.eml")
        return f"250 2.0.0 Kept as {number}.eml"

    def routes(self) -> list[Route]:
        """The knob under `/_control/`: `POST mail` takes `{"refusal": "451 4.3.0 Later"}`, or null."""
        return [Route("/_control/mail", self._control, methods=["POST"])]

    async def _control(self, request: Request) -> Response:
        given = json.loads(await request.body() or b"null")
        refusal = given.get("refusal") if isinstance(given, dict) else ""
        if refusal is not None and not (isinstance(refusal, str) and _REPLY.fullmatch(refusal)):
            return JSONResponse({"error": "refusal is an SMTP reply such as '451 4.3.0 Later', or null"}, 400)
        self.refusal = refusal
        return JSONResponse({"refusal": refusal})

    def _session(self) -> SMTP:
        return SMTP(
            self,
            hostname="armlocal",
            tls_context=self.tls,
            require_starttls=True,
            auth_required=True,
            authenticator=self._authenticate,
        )

    def _authenticate(self, *args: Any) -> AuthResult:
        data = args[-1]
        good = isinstance(data, LoginPassword) and (
            secrets.compare_digest(data.login, USERNAME.encode())
            and secrets.compare_digest(data.password, self.password.encode())
        )
        return AuthResult(success=good, handled=False)
