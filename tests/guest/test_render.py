from __future__ import annotations

import json
import re
from dataclasses import fields, replace
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.guest.conftest import MARKER
from tests.guest.grammar import broken, parse
from vhdlift.errors import UsageError
from vhdlift.guest.render import agent, csharp, phases, quote, render, render_masked
from vhdlift.guest.values import SECRETS, GuestValues
from vhdlift.tools import TOOLS, Tool

if TYPE_CHECKING:
    from collections.abc import Iterator

# As the guest double reads the head.
LINE = re.compile(r"^\$([A-Z][A-Z0-9_]*) = '((?:[^']|'')*)'$")
PRINTABLE = st.text(st.characters(min_codepoint=0x20, max_codepoint=0x7E))
HEAD = (
    *("SNAPSHOT_URL", "AZURE_SAS_TOKEN", "WEBHOOK_URL", "WEBHOOK_SECRET", "RUN_ID", "VM_NAME"),
    *("RESOURCE_GROUP", "LOCATION", "CONTAINER_URL", "ARTEFACT_NAME", "SOURCE_VM", "TARGET_SIZE_BYTES"),
    *("SAS_EXPIRES", "TIME_SCALE", "HYPER_V", "BLOB_TYPE", "TOOLS", "SERVICES", "HOSTS", "PORTS"),
    *("DROP_PASSWORD", "PIN_PASSWORD"),
)
HOSTILE = (
    *("'; Remove-Item C:\\ -Recurse #", "$(Get-Process)", "`$x`n", 'a"b', "a|b;c&d", "@'", "'@", "''", "#>"),
    *("$env:PATH", "{}", "%TEMP%", "\\", "# [agent begins]", "' -f 'x"),
)


def head(script: str) -> Iterator[tuple[str, str]]:
    for line in script.split("\n"):
        if match := LINE.match(line):
            yield match[1], match[2].replace("''", "'")
        elif line.startswith("# [agent begins]"):
            return


def test_the_head_holds_every_value_in_the_agreed_order(values: GuestValues) -> None:
    found = list(head(render(values)))
    assert [name for name, _ in found] == list(HEAD)
    assert dict(found) == {name.upper(): text for name, text in values.texts().items()}


def test_the_head_starts_the_script_after_a_comment_and_requires(values: GuestValues) -> None:
    lines = render(values).split("\n")
    first = next(i for i, line in enumerate(lines) if not line.startswith("#"))
    assert "#requires -Version 5.1" in lines[:first]
    assert all(LINE.match(line) for line in lines[first : first + len(HEAD)])


@pytest.mark.parametrize("text", HOSTILE)
def test_a_hostile_value_stays_a_value(values: GuestValues, text: str) -> None:
    script = render(replace(values, resource_group=text, source_vm=text))
    assert broken(parse(script)) == []
    assert dict(head(script))["RESOURCE_GROUP"] == text
    assert script.count("\n# [agent begins]\n") == 1


@given(PRINTABLE)
def test_quoting_and_reading_back_gives_the_same(text: str) -> None:
    literal = quote(text)
    match = LINE.match(f"$X = {literal}")
    assert match is not None
    assert match[2].replace("''", "'") == text
    root = parse(f"$X = {literal}\n$Y = 'z'\n")
    assert broken(root) == []
    assert len([n for n in root.children[0].children if n.type == "pipeline"]) == 2


@given(st.text(min_size=1).filter(lambda t: not re.fullmatch(r"[ -~]*", t)))
def test_all_but_printable_ascii_is_refused(text: str) -> None:
    with pytest.raises(UsageError):
        quote(text)


@pytest.mark.parametrize(
    "bad", ["\u2018", "\u2019", "\u201a", "\u201b", "\0", "\r", "\n", "\t", "\x7f", "\u00fc"]
)
def test_a_refusal_names_the_field_and_not_the_value(values: GuestValues, bad: str) -> None:
    with pytest.raises(UsageError) as caught:
        render(replace(values, azure_sas_token=f"{MARKER}{bad}", vm_name=bad))
    assert [p.split(":")[0] for p in caught.value.problems] == ["azure_sas_token", "vm_name"]
    assert MARKER not in str(caught.value)


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("tools", {**TOOLS, "azcopy": Tool("https://example.org/a.zip", "abc")}),
        ("tools", {**TOOLS, "caddy": Tool("file://x", "0" * 64)}),
        ("tools", {}),
        ("hyper_v", "maybe"),
        ("blob_type", "append"),
        ("services", ("mail",)),
        ("hosts", {"web": "web.example.org"}),
        ("ports", (0,)),
        ("drop_password", "short"),
        ("pin_password", "has a space in it"),
        ("azure_sas_token", "?sv=1"),
        ("container_url", "https://a/vhdusb?sig=1"),
        ("container_url", "https://a/vhdusb/"),
        ("target_size_bytes", "-1"),
        ("target_size_bytes", "1e9"),
        ("time_scale", "fast"),
    ],
)
def test_a_value_that_the_guest_cannot_use_is_refused(values: GuestValues, field: str, value: Any) -> None:
    with pytest.raises(UsageError, match=field):
        render(replace(values, **{field: value}))


def test_the_masked_script_has_no_secret(values: GuestValues) -> None:
    mirror = {**TOOLS, "azcopy": Tool(f"https://mirror.example.org/a.zip?sig={MARKER}", "0" * 64)}
    masked = render_masked(replace(values, tools=mirror))
    assert MARKER in render(values)
    assert MARKER not in masked
    assert dict(head(masked))["SNAPSHOT_URL"] == "***"
    shown = json.loads(dict(head(masked))["TOOLS"])
    assert shown["azcopy"]["url"] == "https://mirror.example.org/a.zip?***"


def test_the_masked_script_shows_what_is_not_set(values: GuestValues) -> None:
    assert dict(head(render_masked(replace(values, webhook_url=""))))["WEBHOOK_URL"] == ""


def test_the_agent_holds_no_value(values: GuestValues) -> None:
    assert MARKER not in agent()
    assert agent() in render(values)


def test_no_secret_is_in_the_repr(values: GuestValues) -> None:
    assert MARKER not in repr(values)
    assert {f.name for f in fields(values)} >= SECRETS


def test_the_phases_run_in_the_agreed_order() -> None:
    agreed = """
        bootstrap preflight tools hyperv download verify_source inspect clean shrink usb_prep finalize_vhd
        verify_result upload services finish
    """
    assert phases() == tuple(agreed.split())
    assert re.findall(r"^Add-Phase -Name '(\w+)'", agent(), re.MULTILINE) == list(phases()[1:])


def test_the_script_is_ascii_and_small(values: GuestValues) -> None:
    script = render(values)
    assert script.isascii()
    assert len(script) < 200_000
    assert csharp() in script
