"""No secret survives any path through the redactor: whatever spelled it, and however the text was cut."""

from __future__ import annotations

import base64
import html
import json
import re
from collections.abc import Callable
from typing import Any
from urllib.parse import quote, quote_plus

from hypothesis import example, given, settings
from hypothesis import strategies as st

from vhdlift.redaction import MARK, Redactor, Stream

Spell = Callable[[str], str]


def _net(text: str) -> str:
    """JSON as .NET and PowerShell write it."""
    return re.sub("[&<>'+`]", lambda m: f"\\u{ord(m[0]):04X}", json.dumps(text)[1:-1])


SPELLINGS: dict[str, Spell] = {
    "plain": lambda text: text,
    "url": quote,
    "whole url": lambda text: quote(text, safe=""),
    "form": quote_plus,
    "json": lambda text: json.dumps(text)[1:-1],
    "json in unicode": lambda text: json.dumps(text, ensure_ascii=False)[1:-1],
    "json of .net": _net,
    "html": html.escape,
}
AROUND: dict[str, Spell] = {name: SPELLINGS[name] for name in ("plain", "url", "whole url", "form", "json")}

# What could not be told from the mark, or from the end of a line that ends what is held back, is no secret.
secrets = st.text(min_size=6, max_size=40).filter(
    lambda s: s.isprintable() and s not in MARK and "[" not in s
)
around = st.text(max_size=30)
cuts = st.lists(st.integers(1, 60), max_size=30)


def streamed(redactor: Redactor, text: str, lengths: list[int]) -> str:
    """The text, in pieces of these lengths."""
    stream, out = Stream(redactor), ""
    for length in lengths:
        out, text = out + stream.feed(text[:length]), text[length:]
    return out + stream.feed(text) + stream.close()


@given(
    secret=secrets,
    inner=st.sampled_from(list(SPELLINGS)),
    outer=st.sampled_from(list(AROUND)),
    before=around,
    after=around,
    lengths=cuts,
)
@example('p&"+\\<é>', "json of .net", "json", "", "", [3])
@settings(max_examples=300)
def test_a_secret_spelled_twice_and_cut_is_gone(
    secret: str, inner: str, outer: str, before: str, after: str, lengths: list[int]
) -> None:
    """As in a JSON error inside a JSON message, or an address inside another's query."""
    redactor = Redactor()
    redactor.register(secret)
    spelled = AROUND[outer](SPELLINGS[inner](secret))
    text = f"{before}{spelled}{after}"
    assert spelled not in redactor.redact(text).replace(MARK, "")
    assert streamed(redactor, text, lengths) == redactor.redact(text)


@given(
    secret=st.text('abcXYZ0189+/é&"', min_size=8, max_size=30),
    spell=st.sampled_from(
        [str.encode, lambda s: s.encode("utf-16-le"), lambda s: json.dumps(s)[1:-1].encode()]
    ),
    before=st.binary(max_size=9),
    after=st.binary(max_size=9),
    lengths=cuts,
)
def test_a_secret_inside_base64_is_gone(
    secret: str, spell: Callable[[str], bytes], before: bytes, after: bytes, lengths: list[int]
) -> None:
    """Also as PowerShell takes a command, and as JSON that was packed."""
    redactor = Redactor()
    redactor.register(secret)
    text = base64.b64encode(before + spell(secret) + after).decode()
    assert MARK in redactor.redact(text)
    assert streamed(redactor, text, lengths) == redactor.redact(text)


plain = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=10),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
    max_leaves=8,
)


@given(secret=secrets, data=plain, place=st.data())
def test_a_secret_anywhere_in_plain_data_is_gone(secret: str, data: Any, place: st.DataObject) -> None:
    """In a value, in a key, in a list in a list; and the rest keeps its shape."""
    redactor = Redactor()
    redactor.register(secret)
    shape = place.draw(st.sampled_from(["value", "key", "list", "tuple"]))
    spread: Any = {
        "value": {"a": [data, {"b": f"x{secret}y"}]},
        "key": {f"x{secret}y": data},
        "list": [data, [[secret]]],
        "tuple": (data, secret),
    }[shape]
    clean = redactor.redact_json(spread)
    assert secret not in json.dumps(clean, ensure_ascii=False, default=str).replace(MARK, "")
    assert len(clean) == len(spread)


@given(secret=secrets, other=secrets, lengths=cuts)
def test_secrets_inside_each_other_are_gone(secret: str, other: str, lengths: list[int]) -> None:
    """One that begins inside another leaves no rest that could be put together again."""
    redactor = Redactor()
    both = secret + other[: len(other) // 2]
    for value in (secret, both):
        redactor.register(value)
    text = f"a {both}{secret} b {both[1:]}{both}"
    out = streamed(redactor, text, lengths)
    assert secret not in out.replace(MARK, "\0")
    assert out == redactor.redact(text)
