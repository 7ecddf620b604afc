"""What `check` says, and how it ends, with findings that are passed in."""

from __future__ import annotations

import json

import pytest

from tests.cli.test_provision import Engine, Said, found
from vhdlift.azure.findings import Finding, Severity
from vhdlift.azure.identity import Identity
from vhdlift.azure.preflight import Report
from vhdlift.cli import findings
from vhdlift.cli.check import carry_out
from vhdlift.cli.machinery import Machinery
from vhdlift.settings import Settings

WHO = Identity("application", "c1", "o1", "t1", "s1")


def machinery(*found_: Finding) -> Machinery:
    """A look that found this."""

    async def check(*_: object) -> Report:
        return Report(WHO, list(found_))

    made = Engine().machinery()
    return Machinery(made.spec, check, made.new_run, made.provision, made.start_worker, made.plan)


@pytest.mark.parametrize(("severity", "code"), [("error", 5), ("warning", 0), ("notice", 0)])
def test_it_fails_on_errors_alone(settings: Settings, capsys: Said, severity: Severity, code: int) -> None:
    """Each finding is there with its severity, meaning, question and command."""
    assert carry_out(settings, as_json=False, machinery=machinery(found(severity))) == code
    said = capsys.readouterr().out
    for text in (
        severity,
        "vm-size",
        "The size is not offered here.",
        "asked: the VM sizes of uksouth",
        "mends: az vm list-skus",
    ):
        assert text in said


def test_it_says_who_is_signed_in(settings: Settings, capsys: Said) -> None:
    """Which identity, tenant and subscription was looked at comes first."""
    carry_out(settings, as_json=False, machinery=machinery())
    assert capsys.readouterr().out == "Signed in as application c1, tenant t1, subscription s1.\n"


def test_it_says_when_a_run_would_want_force(settings: Settings, capsys: Said) -> None:
    """A warning does not fail the look, but would stop a run."""
    carry_out(settings, as_json=False, machinery=machinery(found("warning")))
    assert "--force" in capsys.readouterr().err


def test_json_is_one_object(settings: Settings, capsys: Said) -> None:
    """Identity, findings and exit code as data."""
    carry_out(settings, as_json=True, machinery=machinery(found("error")))
    result = json.loads(capsys.readouterr().out)
    assert result["identity"]["object_id"] == "o1"
    assert (result["findings"][0]["code"], result["exit_code"]) == ("vm-size", 5)


def test_the_table_has_the_gravest_first_and_breaks_no_command() -> None:
    """Long meanings are wrapped below each other; a command can be copied as it stands."""
    command = "az network dns record-set a show " + "--name x " * 20
    rows = [
        found("notice").to_json(),
        Finding("a", "warning", "word " * 40, "asked", command.strip()).to_json(),
        found("error").to_json(),
    ]
    lines = findings.table(rows)
    assert [line.split()[0] for line in lines if not line.startswith(" ")] == [
        "severity",
        "error",
        "warning",
        "notice",
    ]
    assert any(line.strip() == f"mends: {command.strip()}" for line in lines)
    assert all(len(line) <= 80 for line in lines if "mends:" not in line)


def test_no_finding_is_no_table() -> None:
    """Nothing to say is not said."""
    assert findings.table([]) == []
