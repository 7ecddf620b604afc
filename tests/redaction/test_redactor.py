"""What the redactor takes out of text, and what it leaves alone."""

from __future__ import annotations

import asyncio
import base64
import html
import json
import re
import time
from urllib.parse import quote, quote_plus

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from vhdlift.redaction import MARK, REMEMBERED, Redactor

# Secrets that could be told from the mark itself and from each other's surroundings.
secrets = st.text(min_size=6, max_size=40).filter(
    lambda s: s.isprintable() and s not in MARK and "[" not in s
)
prose = st.text(max_size=60)


def redactor(*values: str) -> Redactor:
    made = Redactor()
    for value in values:
        made.register(value)
    return made


def run(made: Redactor, owner: str, *values: str) -> None:
    """Use some secrets, and come to an end."""
    with made.owned_by(owner):
        for value in values:
            made.register(value)
    made.let_go(owner)


@given(secret=secrets, before=prose, after=prose)
@example(secret='Pa"s\\<é>& 1%', before="x", after="y")
def test_a_registered_value_is_found_in_every_form(secret: str, before: str, after: str) -> None:
    """Plain, in a URL, in JSON, in HTML: no form of the value is left."""
    forms = {
        secret,
        quote(secret),
        quote(secret, safe=""),
        quote_plus(secret),
        re.sub("%..", lambda m: m[0].lower(), quote(secret, safe="")),
        json.dumps(secret)[1:-1],
        json.dumps(secret, ensure_ascii=False)[1:-1],
        html.escape(secret),
    }
    made = redactor(secret)
    for form in forms:
        assert form not in made.redact(f"{before}{form}{after}").replace(MARK, "")


@given(
    secret=st.text("abcXYZ0189+/é", min_size=8, max_size=30),
    before=st.binary(max_size=9),
    after=st.binary(max_size=9),
)
def test_a_value_inside_base64_cannot_be_decoded_any_more(secret: str, before: bytes, after: bytes) -> None:
    """Whatever stands before and behind it, as in the `name:password` of basic authentication."""
    text = base64.b64encode(before + secret.encode() + after).decode()
    assert MARK in redactor(secret).redact(text)


@given(values=st.lists(secrets, max_size=4), text=prose, pieces=st.data())
def test_redacting_twice_changes_nothing_more(values: list[str], text: str, pieces: st.DataObject) -> None:
    """What was redacted once can pass any number of times."""
    made = redactor(*values)
    for value in values:
        at = pieces.draw(st.integers(0, len(text)))
        text = text[:at] + value + text[at:]
    once = made.redact(text)
    assert made.redact(once) == once


def test_a_mark_is_left_alone() -> None:
    """Even if a secret is a word of it."""
    assert redactor("redacted").redact(f"it is {MARK}, not redacted") == f"it is {MARK}, not {MARK}"


def test_values_that_overlap_go_together() -> None:
    """The rest of one secret does not stay because another one begins inside it."""
    assert redactor("abcdefgh", "efghijkl").redact("<abcdefghijkl>") == f"<{MARK}>"


def test_a_short_value_is_not_registered() -> None:
    """Five characters would take words out of every message."""
    assert redactor("azure").redact("in azure") == "in azure"


@pytest.mark.parametrize(
    ("text", "secret"),
    [
        ("https://a.blob.core.windows.net/c/b?sv=2025-05-05&sig=AbC%2Bd%3D&se=2026", "AbC%2Bd%3D"),
        ("https://a.example/?SIG=AbCdEf", "AbCdEf"),
        ("next=https%3A%2F%2Fa.example%2F%3Fsig%3DAbCdEf%26x", "AbCdEf"),
        (r'"https://a.example/?sv=1\u0026sig=AbCdEf"', "AbCdEf"),
        ("DefaultEndpointsProtocol=https;AccountName=a;AccountKey=AbCdEf==;", "AbCdEf"),
        ("BlobEndpoint=https://a;SharedAccessSignature=sv=1&sig=AbCdEf", "AbCdEf"),
        ("Authorization: Bearer abc.def", "abc.def"),
        ("authorization: SharedKey account:AbCdEf=", "AbCdEf"),
        ('{"Authorization": "Basic dXNlcjpwdw=="}', "dXNlcjpwdw"),
        ("got Bearer abcdefghijklmnopqrst", "abcdefghijklmnopqrst"),
        ("grant_type=client_credentials&client_secret=s3cr3t~&scope=x", "s3cr3t~"),
        ('{"access_token": "opaque-token-1", "expires_in": 1}', "opaque-token-1"),
        ('{"adminPassword":"Abc-123-xyz"}', "Abc-123-xyz"),
        ("token eyJhbGciOiJub25lIn0.eyJzdWIiOiIxIn0.c2ln rest", "eyJzdWIiOiIxIn0"),
        ("postgresql://vhdlift:p%40ssw@db.example/runs", "p%40ss"),
    ],
)
def test_what_looks_like_a_secret_goes_unregistered(text: str, secret: str) -> None:
    """Signatures, keys, tokens and passwords in URLs are known by what stands before them."""
    done = Redactor().redact(text)
    assert secret not in done
    assert "sig=" not in done.lower()
    assert MARK in done


@pytest.mark.parametrize(
    "text",
    [
        "AuthorizationFailed: The client has no right to perform the action.",
        "VHDLIFT_ADMIN_PASSWORD must have 12 to 123 characters",
        "the bearer of news; design=modern; signature verified",
        "https://vhdusb01.blob.core.windows.net/vhdusb/office-pc.vhd",
        "https://[::1]:8443/a:b@c",
        "http://127.0.0.1:8443/?to=a@b",
        "",
    ],
)
def test_prose_and_addresses_stay(text: str) -> None:
    """A message is of no use if its words are gone."""
    assert Redactor().redact(text) == text


def test_plain_data_is_redacted_at_any_depth() -> None:
    """Texts, keys and lists alike; numbers stay, and a key that names a secret takes its value along."""
    data = {
        "step": "vm_created",
        "percent": 12.5,
        "details": [{"message": "it is hunter22!"}, None, True],
        "hunter22": ("hunter22", 1),
        "adminPassword": "x",
        "protectedSettings": {"fileUris": ["u"]},
        "client_secret": None,
    }
    expected = {
        "step": "vm_created",
        "percent": 12.5,
        "details": [{"message": f"it is {MARK}!"}, None, True],
        MARK: [MARK, 1],
        "adminPassword": MARK,
        "protectedSettings": MARK,
        "client_secret": None,
    }
    assert redactor("hunter22").redact_json(data) == expected


def test_it_is_quick() -> None:
    """A megabyte of log with twenty secrets takes well under a second."""
    made = redactor(*(f"secret-number-{n}" for n in range(20)))
    text = "2026-01-01T00:00:00Z vm_created done in uksouth after 12 s\n" * 17_000
    start = time.process_time()
    assert made.redact(text) == text
    assert time.process_time() - start < 2


def test_secrets_of_a_run_that_is_over_are_forgotten_after_those_of_later_ones() -> None:
    """Else every message of a process that works for months is searched for the secrets of all its runs."""
    made = Redactor()
    run(made, "first", "secret of first")
    for number in range(REMEMBERED):
        assert made.redact("secret of first") == MARK
        run(made, f"run{number}", f"secret of run {number}.")
    assert made.redact("secret of first") == "secret of first"
    assert made.redact("secret of run 0.") == MARK


def test_a_secret_that_others_use_too_is_not_forgotten_with_a_run() -> None:
    """The process's own, and those of a run that is not over."""
    made = redactor("secret of all")
    with made.owned_by("going"):
        made.register("secret of two")
    for number in range(REMEMBERED + 2):
        run(made, f"run{number}", "secret of all", "secret of two")
    assert made.redact("secret of all, secret of two") == f"{MARK}, {MARK}"


def test_a_run_that_is_taken_up_again_is_not_over() -> None:
    made = Redactor()
    run(made, "again", "secret of again")
    with made.owned_by("again"):
        for number in range(REMEMBERED + 2):
            run(made, f"run{number}", f"secret of run {number}")
        assert made.redact("secret of again") == MARK


def test_a_thread_that_a_run_starts_registers_for_the_run() -> None:
    """As `asyncio.to_thread` starts them."""

    async def work(made: Redactor) -> None:
        with made.owned_by("first"):
            await asyncio.to_thread(made.register, "secret of first")
        made.let_go("first")

    made = Redactor()
    asyncio.run(work(made))
    for number in range(REMEMBERED):
        made.let_go(f"run{number}")
    assert made.redact("secret of first") == "secret of first"
