"""What the guest tells, by a blob beside the artefact and by webhook. Neither can fail the work."""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
import json
import time
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import httpx

from armlocal.guest.errors import PhaseError

if TYPE_CHECKING:
    from armlocal.guest.values import Values
    from armlocal.guest.wire import Wire

_LOG_TAIL = 2048
_LONGEST_WAIT = 300.0


def utc_text() -> str:
    """Now, as the guest writes it."""
    return datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


@dataclass
class Job:
    """What the guest knows about its work; the same object serves every attempt.

    Attributes:
        run_id: whose work it is.
        sequence: reports so far.
        done: phases that are over.
        attempts: how often each phase was tried.
        history: phase, state, seconds of all that ended.
        timings: seconds by phase.
        facts: what phases hand on.
        log: lines, without secrets.
    """

    run_id: str
    started_at: str = field(default_factory=utc_text)
    sequence: int = 0
    done: list[str] = field(default_factory=list)
    attempts: dict[str, int] = field(default_factory=dict)
    history: list[dict[str, Any]] = field(default_factory=list)
    timings: dict[str, float] = field(default_factory=dict)
    facts: dict[str, Any] = field(default_factory=dict)
    log: list[str] = field(default_factory=list)

    def close(self, phase: str, state: str, seconds: float) -> None:
        """A phase is over: done, skipped or failed."""
        spent = round(self.timings.get(phase, 0.0) + seconds, 3)
        self.timings[phase] = spent
        self.history.append({"phase": phase, "state": state, "seconds": spent})
        if state != "failed":
            self.done.append(phase)


class Teller:
    """Tells about one job."""

    def __init__(self, client: httpx.AsyncClient, wire: Wire, values: Values, job: Job) -> None:
        self._client = client
        self._wire = wire
        self._values = values
        self._job = job
        self._outbox: list[tuple[int, bytes]] = []
        self._next_post = 0.0
        self._refused = 0
        self._last = b""

    async def tell(
        self, phase: str, state: str, message: str, done: int | None = None, total: int | None = None
    ) -> None:
        """One report, to the blob and to the webhook."""
        self._job.sequence += 1
        self.log(f"{phase} {state}: {message}")
        progress = self._progress(phase, state, self._values.scrub(message), done, total)
        self._last = json.dumps(progress).encode()
        try:
            await self.write_last()
        except PhaseError as error:
            self.log(f"the progress blob was not written: {error}")
        if self._values["WEBHOOK_URL"]:
            self._outbox.append((self._job.sequence, json.dumps(self._webhook_body(progress)).encode()))
            await self._post_waiting()

    async def write_last(self) -> None:
        """The last report again, to the blob.

        Raises:
            PhaseError: the storage account did not take it.
        """
        await self._wire.put_blob(f"{self._values['ARTEFACT_NAME']}.progress.json", self._last)

    def log(self, line: str) -> None:
        """A line of the guest's own log."""
        self._job.log.append(f"{utc_text()} {self._values.scrub(line)}")

    async def finish(self) -> None:
        """A last chance for posts that still wait."""
        self._next_post = 0.0
        await self._post_waiting()

    def _progress(
        self, phase: str, state: str, message: str, done: int | None, total: int | None
    ) -> dict[str, Any]:
        log = "\r\n".join(self._job.log)
        return {
            "schema": 1,
            "run_id": self._values["RUN_ID"],
            "sequence": self._job.sequence,
            "phase": phase,
            "state": state,
            "percent": round(100 * done / total, 1) if done is not None and total else None,
            "bytes": done,
            "total": total,
            "message": message,
            "attempt": max(1, self._job.attempts.get(phase, 1)),
            "updated_at": utc_text(),
            "history": self._job.history,
            "services": self._job.facts.get("services", {}),
            "log_tail": log[-_LOG_TAIL:] if state == "failed" else "",
        }

    def _webhook_body(self, progress: dict[str, Any]) -> dict[str, Any]:
        told = ("state", "phase", "percent", "bytes", "total", "message")
        return {
            "vm_name": self._values["VM_NAME"],
            "status": "provisioning",
            "resource_group": self._values["RESOURCE_GROUP"],
            "location": self._values["LOCATION"],
            "run_id": self._values["RUN_ID"],
            "sequence": None,
            "details": {
                "step": "vhd_exported",
                "reporter": "guest",
                "guest_sequence": progress["sequence"],
                "timestamp": progress["updated_at"],
                **{key: progress[key] for key in told},
            },
        }

    async def _post_waiting(self) -> None:
        """In order; after a refusal the next try waits, from 5 seconds up to 5 minutes."""
        while self._outbox and time.monotonic() >= self._next_post:
            if not await self._post(*self._outbox[0]):
                self._refused += 1
                wait = min(_LONGEST_WAIT, 5 * 2 ** (self._refused - 1)) * self._values.scale
                self._next_post = time.monotonic() + wait
                return
            self._outbox.pop(0)
            self._refused = 0

    async def _post(self, sequence: int, body: bytes) -> bool:
        """True when the receiver took it, or is gone for good."""
        message_id = f"{self._values['RUN_ID']}.guest.{sequence}"
        headers = {"Content-Type": "application/json; charset=utf-8", "webhook-id": message_id}
        if self._values["WEBHOOK_SECRET"]:
            headers |= signature(self._values["WEBHOOK_SECRET"], message_id, body)
        try:
            answer = await self._client.post(
                self._values["WEBHOOK_URL"], content=body, headers=headers, timeout=10
            )
        except httpx.HTTPError as error:
            self.log(f"the webhook did not answer: {type(error).__name__}")
            return False
        if not answer.is_success:
            self.log(f"the webhook answered {answer.status_code}")
        return answer.is_success or answer.status_code == httpx.codes.GONE


def signature(secret: str, message_id: str, body: bytes) -> dict[str, str]:
    """Headers by the Standard Webhooks specification; a secret that is no base64 is taken as it is."""
    bare = secret.removeprefix("whsec_")
    try:
        key = base64.b64decode(bare, validate=True)
    except binascii.Error:
        key = bare.encode()
    now = int(time.time())
    digest = hmac.new(key, f"{message_id}.{now}.".encode() + body, hashlib.sha256).digest()
    return {
        "webhook-timestamp": str(now),
        "webhook-signature": f"v1,{base64.b64encode(digest).decode()}",
    }
