"""Text that comes in pieces is redacted as if it came whole."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from vhdlift.redaction import MARK, Redactor, Stream

SECRETS = ("hunter-22", "two\nlines-of-key", "https://hook.example/x?code=1")


def made() -> Redactor:
    redactor = Redactor()
    for secret in SECRETS:
        redactor.register(secret)
    return redactor


words = st.sampled_from(
    ["word ", "\n", *SECRETS, "?sig=AbCdEf&", "Authorization: Bearer xyz\n", "sig", "=", "x" * 3000]
)


@given(text=st.lists(words, max_size=12).map("".join), cuts=st.lists(st.integers(1, 400), max_size=40))
def test_a_secret_cut_in_two_is_found(text: str, cuts: list[int]) -> None:
    """However the text is cut, the output is that of the whole."""
    stream, out, rest = Stream(made()), "", text
    for cut in cuts:
        out, rest = out + stream.feed(rest[:cut]), rest[cut:]
    out += stream.feed(rest) + stream.close()
    assert out == made().redact(text)


def test_a_finished_line_is_shown_at_once() -> None:
    """A reader of live output does not wait for the next piece."""
    redactor = Redactor()
    redactor.register("hunter-22")
    stream = Stream(redactor)
    assert stream.feed("it is hunt") == ""
    assert stream.feed("er-22.\nmore") == f"it is {MARK}.\n"
    assert stream.close() == "more"


def test_text_without_line_ends_is_not_kept_for_ever() -> None:
    """At most some thousand characters are held back."""
    stream = Stream(made())
    assert len(stream.feed("x " * 50_000)) > 90_000
