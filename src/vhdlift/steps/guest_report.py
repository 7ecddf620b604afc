"""What the program on the target VM writes beside the artefact: `progress.json`, and the manifest at the end.

Whoever can write into the container can write these, so they are read as claims: limited in size, checked
in every field, cleaned of control characters and of anything secret before they are shown.
"""

from __future__ import annotations

import re
from typing import Annotated, Any, Literal, TypeVar

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from fixedvhd import FOOTER_SIZE, size_problems
from vhdlift.errors import ArtefactWrong, GuestFailed
from vhdlift.redaction import redact

LIMIT_BYTES = 1 << 20
_CONTROL = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f\u200e\u200f\u202a-\u202e\u2066-\u2069]")
_FIELD = re.compile(r"[a-z_0-9]{1,20}|\[key\]")

Bytes = Annotated[int, Field(ge=0, le=1 << 46)]
Seconds = Annotated[float, Field(ge=0, le=1e8, allow_inf_nan=False)]
Percent = Annotated[float, Field(ge=0, le=100, allow_inf_nan=False)]
Phase = Annotated[str, Field(pattern=r"^[a-z][a-z_]{0,39}\z")]
PhaseState = Literal["started", "progress", "done", "failed", "skipped"]
_Claim = TypeVar("_Claim", bound=BaseModel)


class _Told(BaseModel):
    model_config = ConfigDict(strict=True, frozen=True, extra="ignore", hide_input_in_errors=True)


class PhaseEnd(_Told):
    """One entry of the history: a phase that is over and how long it took, in seconds."""

    phase: Phase
    state: PhaseState
    seconds: Seconds


class Progress(_Told):
    """Where the guest is; `sequence` counts its reports from 1.

    `services` says of each service `on`, or why it is not, once the guest has set them up.
    """

    schema_: Literal[1] = Field(alias="schema")
    run_id: str
    sequence: int = Field(ge=0, le=1 << 31)
    phase: Phase
    state: PhaseState
    percent: Percent | None = None
    done: Bytes | None = Field(default=None, alias="bytes")
    total: Bytes | None = None
    message: str = Field(default="", max_length=8192)
    attempt: int = Field(default=1, ge=1, le=10_000)
    updated_at: str = Field(default="", max_length=64)
    history: list[PhaseEnd] = Field(default=[], max_length=1000)
    log_tail: str = Field(default="", max_length=65536)
    services: dict[Phase, Annotated[str, Field(max_length=4096)]] = Field(default={}, max_length=100)

    def details(self) -> dict[str, Any]:
        """What a `progress` event says beside its message."""
        return {
            "phase": self.phase,
            "phase_state": self.state,
            "percent": self.percent,
            "bytes": self.done,
            "total": self.total,
            "attempt": self.attempt,
            "guest_sequence": self.sequence,
        }


class Manifest(_Told):
    """What the guest says the artefact is; sizes in bytes, `sha256` of the whole file, footer included."""

    schema_: Literal[1] = Field(alias="schema")
    run_id: str
    name: str = Field(max_length=1024)
    size: Bytes
    virtual_size: Bytes
    sha256: str = Field(pattern=r"^[0-9a-fA-F]{64}\z")
    started_at: str = Field(default="", max_length=64)
    finished_at: str = Field(default="", max_length=64)
    timings: dict[Phase, Seconds] = Field(default={}, max_length=1000)
    changes: list[Any] = Field(default=[], max_length=10_000)


def read_progress(raw: bytes, run_id: str) -> Progress:
    """The progress that `raw` claims.

    Raises:
        GuestFailed: it is not a progress of this run.
    """
    try:
        return _read(Progress, raw, run_id)
    except ValueError as error:
        raise GuestFailed(f"What the target VM reports as its progress cannot be used: {error}") from None


def read_manifest(raw: bytes, run_id: str, name: str) -> Manifest:
    """The manifest that `raw` claims.

    Raises:
        ArtefactWrong: it is not a manifest of this run's artefact `name`.
    """
    try:
        manifest = _read(Manifest, raw, run_id)
    except ValueError as error:
        raise ArtefactWrong(f"The manifest of the VHD cannot be used: {error}") from None
    if manifest.name != name:
        raise ArtefactWrong(f"The manifest is of another file than {name}.")
    if manifest.size != manifest.virtual_size + FOOTER_SIZE or size_problems(manifest.virtual_size):
        told = f"{manifest.size} bytes for a disk of {manifest.virtual_size}"
        raise ArtefactWrong(f"The manifest promises a file of {told}, which no fixed VHD has.")
    return manifest


def clean(text: str, limit: int = 2000) -> str:
    """The last `limit` characters of `text`, without secrets and control characters other than line ends."""
    return redact(_CONTROL.sub(" ", text.replace("\r\n", "\n")))[-limit:].strip()


def _read(kind: type[_Claim], raw: bytes, run_id: str) -> _Claim:
    if len(raw) > LIMIT_BYTES:
        raise ValueError(f"it is larger than {LIMIT_BYTES} bytes")
    try:
        claim = kind.model_validate_json(raw)
    except ValidationError as error:
        first = error.errors(include_url=False, include_input=False, include_context=False)[0]
        place = ".".join(_spoken(part) for part in first["loc"][:3]) or "the whole"
        raise ValueError(f"{place}: {first['msg'][:200]}") from None
    if getattr(claim, "run_id", None) != run_id:
        raise ValueError("it belongs to another run")
    return claim


def _spoken(part: str | int) -> str:
    """A step on the way to a wrong value; a key that nobody but the guest chose is not repeated."""
    return str(part) if isinstance(part, int) or _FIELD.fullmatch(part) else "a key"
