"""Whatever a setting is given: it is taken in its one form, or refused in words; names that Azure takes."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from tests.steps.conftest import spec
from vhdlift.errors import UsageError
from vhdlift.model import SERVICES, Names, Run
from vhdlift.options import SETTINGS
from vhdlift.settings import load_settings
from vhdlift.settings.model import child_environment

NOWHERE = Path("/nonexistent")
HARM = [
    "'; Remove-Item C:\\ -Recurse #",
    '"$(curl x)"',
    "`id`",
    "a\nb",
    "../../etc/passwd",
    "..\\..\\x",
    "\x00",
    "\u202egnp.exe",
    "раypal",  # noqa: RUF001 - a look-alike is what it is
    "x" * 100_000,
    "{{ 7 * 7 }}",
    "%s%n",
    "<script>",
    "-rf",
    "",
    " ",
]
texts = (
    st.text(max_size=60) | st.sampled_from(HARM) | st.from_regex(r"[A-Za-z0-9._:/@=-]{1,40}", fullmatch=True)
)
values = (
    texts
    | st.integers()
    | st.floats()
    | st.booleans()
    | st.lists(texts, max_size=3)
    | st.dictionaries(texts, texts, max_size=3)
)
# What is valid of the secret ones becomes known to the redactor of the whole process.
OPEN = [info.name for info in SETTINGS if not info.secret and info.name != "webhook_url"]
REFUSABLE = (
    "VHDLIFT_ADMIN_PASSWORD",
    "VHDLIFT_WEBHOOK_SECRET",
    "VHDLIFT_DATABASE_URL",
    "VHDLIFT_WEBHOOK_URL",
)


@example(name="vm_name", value="xn--abc")
@given(name=st.sampled_from(OPEN), value=values)
@settings(max_examples=300)
def test_any_value_is_taken_or_refused_in_words(name: str, value: Any) -> None:
    """A problem names the setting, fits on a few lines and holds nothing that a terminal would obey."""
    try:
        load_settings({name: value}, {}, NOWHERE)
    except UsageError as refused:
        for problem in refused.problems:
            assert problem.isprintable()
            assert len(problem) < 1000


@example(name="usb_gb", value="10")
@given(name=st.sampled_from(OPEN), value=texts)
@settings(max_examples=300)
def test_what_is_taken_is_the_same_for_a_child_process(name: str, value: str) -> None:
    """Its environment says it in the same words, whatever is in it."""
    try:
        parent = load_settings({name: value}, {}, NOWHERE)
    except UsageError:
        return
    assert load_settings({}, child_environment(parent), NOWHERE) == parent


@given(env=st.sampled_from(REFUSABLE), value=st.text(max_size=60))
def test_a_secret_that_is_refused_is_not_repeated(env: str, value: str) -> None:
    """Not in the problem, nor in the error's own text."""
    with pytest.raises(UsageError) as refused:
        load_settings({}, {env: f"\x01hush-{value}"}, NOWHERE)
    assert "hush-" not in f"{refused.value!r} {refused.value.hint}"


# Two dashes in the third and fourth place are kept for names in other alphabets.
computers = st.from_regex(r"[A-Za-z][A-Za-z0-9-]{0,13}[A-Za-z0-9]", fullmatch=True).filter(
    lambda name: name[2:4] != "--"
)
machines = st.from_regex(r"[A-Za-z0-9][A-Za-z0-9._-]{0,62}[A-Za-z0-9_]", fullmatch=True)
ids = st.text("0123456789ABCDEFGHJKMNPQRSTVWXYZ", min_size=26, max_size=26)

# "Naming rules and restrictions for Azure resources", by the property of `Names`.
RULES = {
    "export_account": r"[a-z0-9]{3,24}",
    "script_account": r"[a-z0-9]{3,24}",
    "snapshot": r"[A-Za-z0-9][A-Za-z0-9._-]{0,78}[A-Za-z0-9_]",
    "os_disk": r"[A-Za-z0-9][A-Za-z0-9._-]{0,78}[A-Za-z0-9_]",
    "vnet": r"[A-Za-z0-9][A-Za-z0-9._-]{0,62}[A-Za-z0-9_]",
    "public_ip": r"[A-Za-z0-9][A-Za-z0-9._-]{0,78}[A-Za-z0-9_]",
    "nsg": r"[A-Za-z0-9][A-Za-z0-9._-]{0,78}[A-Za-z0-9_]",
    "nic": r"[A-Za-z0-9][A-Za-z0-9._-]{0,78}[A-Za-z0-9_]",
    "script_blob": r"[A-Za-z0-9._-]{1,1024}",
    "artefact": r"[A-Za-z0-9._-]{1,1024}",
    "manifest": r"[A-Za-z0-9._-]{1,1024}",
}


def names(run_id: str, source: str, target: str) -> Names:
    return run(run_id, source, target).names


def run(run_id: str, source: str, target: str) -> Run:
    of = spec(source_vm=source, vm_name=target, resource_group=f"{target}-rg", subdomain=target.lower())
    return Run(run_id, of, "2026-01-01T00:00:00+00:00", "0.1.0")


@given(run_id=ids, source=machines, target=computers)
def test_every_name_is_one_that_azure_takes(run_id: str, source: str, target: str) -> None:
    """Whatever VMs are named in the settings, by the settings' own rules."""
    given_ = {"source_vm": source, "vm_name": target}
    taken = load_settings(given_, {}, NOWHERE)
    made = names(run_id, str(taken.source_vm), str(taken.vm_name))
    for name, rule in RULES.items():
        assert re.fullmatch(rule, getattr(made, name)), name
    for service in SERVICES:
        host = made.host(service)
        assert len(host) <= 253
        assert all(re.fullmatch(r"[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?", label) for label in host.split("."))
    assert all(len(value) <= 256 for value in run(run_id, source, target).tags.values())


@given(run_id=ids, source=machines, target=computers)
def test_names_follow_from_the_run_alone(run_id: str, source: str, target: str) -> None:
    """The same after a restart: neither the clock nor chance is in them."""
    before = run(run_id, source, target)
    after = Run.from_json(before.to_json())
    assert all(getattr(before.names, name) == getattr(after.names, name) for name in RULES)


@given(one=ids, other=ids, source=machines, target=computers)
def test_what_must_be_unique_is_the_runs_own(one: str, other: str, source: str, target: str) -> None:
    """Storage accounts share one space with the whole world, and snapshots of one VM a group."""
    mine, theirs = names(one, source, target), names(other, source, target)
    for name in ("export_account", "script_account", "snapshot"):
        assert (getattr(mine, name) == getattr(theirs, name)) is (one == other)
    assert mine.export_account != mine.script_account
