"""The webhook receiver: what was posted, one JSON object a line, and answers that a test asks for."""

from __future__ import annotations

import asyncio
import json
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from starlette.responses import JSONResponse, Response
from starlette.routing import Route

if TYPE_CHECKING:
    from pathlib import Path

    from starlette.requests import Request

PATH = "/_webhook"


@dataclass
class Refusal:
    """How the next posts are answered.

    Attributes:
        status: HTTP status.
        times: for so many posts; 0 for all from now on.
        retry_after: seconds of a Retry-After header, or None for no header.
        delay: seconds to wait before the answer.
        seen: posts it was used for.
    """

    status: int = 500
    times: int = 1
    retry_after: int | None = None
    delay: float = 0.0
    seen: int = 0

    @property
    def over(self) -> bool:
        """Whether it was used often enough."""
        return 0 < self.times <= self.seen


@dataclass
class Webhooks:
    """Keeps posts in `file`: time, headers, body (JSON, or text that is none) and the status answered.

    The query of the address is not kept, since such addresses carry their secret there.
    """

    file: Path
    refusals: list[Refusal] = field(default_factory=list)

    def routes(self) -> list[Route]:
        """The receiver, and its knob under `/_control/`."""
        return [
            Route(PATH, self._receive, methods=["POST"]),
            Route("/_control/webhook", self._control, methods=["POST", "DELETE"]),
        ]

    def reset(self) -> None:
        """Answers 200 again; posts on disk stay."""
        self.refusals.clear()

    async def _receive(self, request: Request) -> Response:
        raw = await request.body()
        refusal = self._next_refusal()
        status = 200 if refusal is None else refusal.status
        headers = {}
        if refusal is not None:
            await asyncio.sleep(refusal.delay)
            if refusal.retry_after is not None:
                headers["Retry-After"] = str(refusal.retry_after)
        row = {
            "time": datetime.now(UTC).isoformat(),
            "headers": dict(request.headers),
            "body": _json_or_text(raw),
            "status": status,
        }
        with self.file.open("a", encoding="utf-8") as file:
            file.write(json.dumps(row) + "\n")
        return Response(status_code=status, headers=headers)

    async def _control(self, request: Request) -> Response:
        if request.method == "DELETE":
            self.reset()
            return JSONResponse([])
        try:
            given = await request.json()
            made = [Refusal(**row) for row in (given if isinstance(given, list) else [given])]
        except (ValueError, TypeError) as error:
            return JSONResponse({"error": str(error)}, 400)
        self.refusals += made
        return JSONResponse([vars(refusal) for refusal in self.refusals])

    def _next_refusal(self) -> Refusal | None:
        waiting = next((refusal for refusal in self.refusals if not refusal.over), None)
        if waiting is not None:
            waiting.seen += 1
        return waiting


def _json_or_text(raw: bytes) -> Any:
    try:
        return json.loads(raw)
    except ValueError:
        return raw.decode(errors="replace")
