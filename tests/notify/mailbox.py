"""A real mail server on a real socket, with or without TLS, that keeps what it is sent."""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

from aiosmtpd.smtp import SMTP, AuthResult, Envelope, LoginPassword, Session


@dataclass
class Mailbox:
    """What arrived: envelopes and the names that signed in.

    `refuse` are addresses it does not take, `first` its answers to the first addresses, `data` those to the
    first mails.
    """

    port: int = 0
    refuse: tuple[str, ...] = ()
    first: list[str] = field(default_factory=list)
    data: list[str] = field(default_factory=list)
    envelopes: list[Envelope] = field(default_factory=list)
    logins: list[bytes] = field(default_factory=list)
    encrypted: list[bool] = field(default_factory=list)

    async def handle_RCPT(  # noqa: N802 # aiosmtpd looks for this name
        self, _server: SMTP, _session: Session, envelope: Envelope, address: str, _options: list[str]
    ) -> str:
        if address in self.refuse:
            return "550 no such mailbox"
        answer = self.first.pop(0) if self.first else "250 OK"
        if not answer.startswith("250"):
            return answer
        envelope.rcpt_tos.append(address)
        return "250 OK"

    async def handle_DATA(self, _server: SMTP, session: Session, envelope: Envelope) -> str:  # noqa: N802
        if self.data:
            return self.data.pop(0)
        self.encrypted.append(session.ssl is not None)
        self.envelopes.append(envelope)
        return "250 OK"

    def check(
        self, _server: SMTP, _session: Session, _envelope: Envelope, _method: str, data: Any
    ) -> AuthResult:
        assert isinstance(data, LoginPassword)
        self.logins.append(data.login)
        return AuthResult(success=data.password == b"right-password", handled=False)


@asynccontextmanager
async def listening(
    tls: ssl.SSLContext | None = None, *, implicit: bool = False, **answers: Any
) -> AsyncIterator[Mailbox]:
    """A mail server that listens while the block runs; `tls` is offered as STARTTLS unless `implicit`."""
    box = Mailbox(**answers)

    def session() -> SMTP:
        return SMTP(
            box,
            hostname="mail.example",
            authenticator=box.check,
            auth_require_tls=False,
            tls_context=None if implicit else tls,
            enable_SMTPUTF8=True,
        )

    loop = asyncio.get_running_loop()
    server = await loop.create_server(session, "127.0.0.1", 0, ssl=tls if implicit else None)
    box.port = server.sockets[0].getsockname()[1]
    try:
        yield box
    finally:
        server.close()
        await asyncio.sleep(0)
