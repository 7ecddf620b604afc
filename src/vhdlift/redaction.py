"""One place that knows every secret value in use and takes it out of whatever is shown or kept.

Registered values are found as they are and as they look inside a URL, JSON, HTML or base64. Besides these,
what is a secret by its looks: signatures of SAS URLs, keys in connection strings, bearer tokens, passwords in
URLs. The standard library only: every message of the program goes through here.
"""

from __future__ import annotations

import base64
import html
import json
import re
import threading
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any
from urllib.parse import quote, quote_plus

if TYPE_CHECKING:
    from collections.abc import Iterator

MARK = "[redacted]"
SHORTEST = 6
REMEMBERED = 32
"""How many owners that were let go of keep their secrets: what they had under way may yet speak of them."""
_HELD_BACK = 4096
_PROCESS = ""
_owner: ContextVar[str] = ContextVar("vhdlift_owner_of_secrets", default=_PROCESS)

# The group `secret` is what goes; without it the whole match does. No pattern crosses the end of a line.
_PATTERNS = (
    re.compile(r"sig(?:=|%3d|%253d|\\u003d)[^&\s\"'<>\\;,)]+", re.IGNORECASE),
    re.compile(
        r"(?:shared_?access_?(?:signature|key)|account_?key|access_?sas|sas_?token|client_?(?:secret|assertion)"
        r"|(?:access|refresh|id)_?token|pass_?word|passwd|pwd)(?:=|%3d|\"[ \t]*:[ \t]*\")"
        r"(?P<secret>[^&\s\"'<>;,]+)",
        re.IGNORECASE,
    ),
    re.compile(
        r"authorization[\"']?[ \t]*[:=][ \t]*[\"']?(?:(?:bearer|basic|shared_?key(?:lite)?)[ \t]+)?"
        r"(?P<secret>[^\s\"',]+)",
        re.IGNORECASE,
    ),
    re.compile(r"bearer[ \t]+(?P<secret>[A-Za-z0-9._~+/-]{16,}=*)", re.IGNORECASE),
    re.compile(r"eyJ[A-Za-z0-9_-]{8,}\.[A-Za-z0-9_-]{8,}(?:\.[A-Za-z0-9_-]*)?"),
    re.compile(r"://[^/\s:@\"'<>\[]*:(?P<secret>[^@/?#\s\"'<>]+)@"),
)
_SECRET_KEYS = re.compile(
    r"(?:.*_)?(?:password|passwd|secret|access_?sas|account_?key|sas_?token|authorization|protected_?settings"
    r"|shared_?access_?signature|(?:access|refresh|id)_?token|admin_?password|client_?secret)",
    re.IGNORECASE,
)


@dataclass
class _Known:
    """How a secret looks, and who uses it."""

    forms: frozenset[str]
    owners: set[str] = field(default_factory=set)


class Redactor:
    """A set of secret values, and the means to take them out of text.

    `redact` is idempotent, and what it returns holds none of the values in any of their forms.
    """

    def __init__(self) -> None:
        self._values: dict[str, _Known] = {}
        self._let_go: dict[str, None] = {}
        self._forms: tuple[str, ...] = ()
        self._guard = threading.Lock()

    def register(self, value: str) -> None:
        """Remember a secret; values of fewer than six characters would take words out of every message."""
        if len(value) < SHORTEST:
            return
        with self._guard:
            known = self._values.get(value)
            if known is None:
                known = self._values[value] = _Known(frozenset(_forms(value)))
                self._look_for({*self._forms, *known.forms})
            known.owners.add(_owner.get())

    @contextmanager
    def owned_by(self, owner: str) -> Iterator[None]:
        """What is registered in the block, and in the tasks and threads that it starts, is the owner's."""
        with self._guard:
            self._let_go.pop(owner, None)
        token = _owner.set(owner)
        try:
            yield
        finally:
            _owner.reset(token)

    def let_go(self, owner: str) -> None:
        """Forget the owner's secrets once 32 others were let go of; not those that are others' as well.

        A process that carries runs for months would otherwise look for the secrets of all of them in every
        message.
        """
        with self._guard:
            self._let_go[owner] = self._let_go.pop(owner, None)
            if len(self._let_go) > REMEMBERED:
                self._forget(next(iter(self._let_go)))

    def _forget(self, owner: str) -> None:
        del self._let_go[owner]
        for known in self._values.values():
            known.owners.discard(owner)
        self._values = {value: known for value, known in self._values.items() if known.owners}
        self._look_for({form for known in self._values.values() for form in known.forms})

    def _look_for(self, forms: set[str]) -> None:
        self._forms = tuple(sorted(forms, key=len, reverse=True))

    def redact(self, text: str) -> str:
        """The text with every secret replaced by `[redacted]`."""
        return _replaced(text, self._spans(text))

    def redact_json(self, data: Any) -> Any:
        """The same for all text in plain data, keys included; what a key calls a secret goes whole."""
        if isinstance(data, str):
            return self.redact(data)
        if isinstance(data, dict):
            return {self._key(key): self._value(key, value) for key, value in data.items()}
        if isinstance(data, list | tuple):
            return [self.redact_json(item) for item in data]
        return data

    def _key(self, key: Any) -> Any:
        return self.redact(key) if isinstance(key, str) else key

    def _value(self, key: Any, value: Any) -> Any:
        secret = isinstance(key, str) and value and _SECRET_KEYS.fullmatch(key)
        return MARK if secret and not isinstance(value, bool) else self.redact_json(value)

    def _spans(self, text: str) -> list[tuple[int, int]]:
        """Where secrets lie, in order and without overlaps; a mark that is already there is one of them."""
        found = [*_every(MARK, text), *_looks(text)]
        for form in self._forms:
            if form in text:
                found += _every(form, text)
        return _merged(found)


class Stream:
    """Takes secrets out of text that comes in pieces, also when one is cut in two.

    Text is held back up to the last end of a line, or 4 KiB where lines do not end. Feed all pieces, then
    `close`.
    """

    def __init__(self, redactor: Redactor) -> None:
        self._redactor = redactor
        self._buffer = ""

    def feed(self, piece: str) -> str:
        """What is safe to show now."""
        self._buffer += piece
        return self._take(self._safe())

    def close(self) -> str:
        """All that was held back."""
        return self._take(len(self._buffer))

    def _safe(self) -> int:
        forms = self._redactor._forms  # noqa: SLF001 # two halves of one thing
        across_lines = max((len(form) for form in forms if "\n" in form), default=0)
        line_end = self._buffer.rfind("\n", 0, max(0, len(self._buffer) - across_lines)) + 1
        held = max(_HELD_BACK, *(len(form) for form in forms[:1]), 0)
        cut = max(line_end, len(self._buffer) - held)
        return next((a for a, b in self._redactor._spans(self._buffer) if a < cut < b), cut)  # noqa: SLF001

    def _take(self, cut: int) -> str:
        if cut <= 0:
            return ""
        ready, self._buffer = self._buffer[:cut], self._buffer[cut:]
        return self._redactor.redact(ready)


def _forms(value: str) -> Iterator[str]:
    """How a value looks where people and programs write it, and that once more inside JSON or a URL."""
    once = set(_once(value))
    yield from once
    for form in once:
        yield from (json.dumps(form)[1:-1], json.dumps(form, ensure_ascii=False)[1:-1])
        yield from (quote(form, safe=""), quote(form), quote_plus(form))
    for form in {value, json.dumps(value)[1:-1], json.dumps(value, ensure_ascii=False)[1:-1]}:
        yield from _base64(form.encode())
    # As PowerShell takes a command.
    yield from _base64(value.encode("utf-16-le"))


def _once(value: str) -> Iterator[str]:
    yield value
    for encode in (quote, quote_plus, lambda v: quote(v, safe="")):
        yield encode(value)
        yield re.sub(r"%[0-9A-F]{2}", lambda m: m[0].lower(), encode(value))
    yield json.dumps(value)[1:-1]
    yield json.dumps(value, ensure_ascii=False)[1:-1]
    yield html.escape(value)
    yield html.escape(value).replace("&#x27;", "&#39;").replace("&quot;", "&#34;")
    yield from (_net_json(value, "{:04X}"), _net_json(value, "{:04x}"))


def _net_json(value: str, number: str) -> str:
    """JSON as .NET and PowerShell write it, so that it is safe inside HTML."""
    return re.sub("[&<>'+`]", lambda m: "\\u" + number.format(ord(m[0])), json.dumps(value)[1:-1])


def _base64(data: bytes) -> Iterator[str]:
    """Bytes inside base64, by themselves and behind one or two others; only what is theirs alone."""
    for before in range(3):
        text = base64.b64encode(b"\0" * before + data).decode()
        tail = (before + len(data)) % 3
        core = text[(0, 2, 3)[before] : len(text) - (0, 3, 2)[tail]]
        if len(core) >= SHORTEST:
            yield core
            yield core.replace("+", "-").replace("/", "_")
            yield quote(core, safe="")


def _looks(text: str) -> Iterator[tuple[int, int]]:
    for pattern in _PATTERNS:
        group = "secret" if "secret" in pattern.groupindex else 0
        yield from (match.span(group) for match in pattern.finditer(text))


def _every(form: str, text: str) -> Iterator[tuple[int, int]]:
    at = text.find(form)
    while at >= 0:
        yield at, at + len(form)
        at = text.find(form, at + 1)


def _merged(spans: list[tuple[int, int]]) -> list[tuple[int, int]]:
    merged: list[tuple[int, int]] = []
    for start, end in sorted(spans):
        if merged and start < merged[-1][1]:
            merged[-1] = merged[-1][0], max(end, merged[-1][1])
        else:
            merged.append((start, end))
    return merged


def _replaced(text: str, spans: list[tuple[int, int]]) -> str:
    pieces, at = [], 0
    for start, end in spans:
        pieces += [text[at:start], MARK]
        at = end
    return "".join([*pieces, text[at:]])


_process = Redactor()
register = _process.register
owned_by = _process.owned_by
let_go = _process.let_go
redact = _process.redact
redact_json = _process.redact_json


def stream() -> Stream:
    """A redactor for text in pieces, with the secrets of this process."""
    return Stream(_process)
