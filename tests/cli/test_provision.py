"""What `provision` does, in which order, with an engine that is passed in."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import pytest
from pydantic import SecretStr

from vhdlift.azure.findings import Finding, Severity
from vhdlift.azure.preflight import Report
from vhdlift.cli.machinery import Machinery
from vhdlift.cli.provision import Wishes, carry_out
from vhdlift.engine.store import Outcome
from vhdlift.errors import Leftover, PreflightFailed, VhdliftError
from vhdlift.model import Event, Run, Spec
from vhdlift.settings import Settings

NOON = "2026-01-01T12:00:00Z"
FACTS: dict[str, Any] = {
    "services": {"pin": "https://pin.lab1.example.org", "web": "https://web.lab1.example.org"},
    "artefact_url": "https://a.blob.example/vhdusb/old-pc.vhd",
    "artefact_size": 2**30,
    "sha256": "ab" * 32,
    "email_to": ["me@example.org"],
}
LEFT = Leftover(
    "/subscriptions/s/snap", "It is locked (ScopeLocked)", "az snapshot delete --ids /subscriptions/s/snap"
)


def found(severity: Severity, message: str = "The size is not offered here.") -> Finding:
    """A finding of preflight."""
    return Finding("vm-size", severity, message, "the VM sizes of uksouth", "az vm list-skus")


@dataclass
class Engine:
    """Does nothing, and keeps what it was asked for."""

    outcome: Outcome = field(default_factory=lambda: Outcome("completed", facts=FACTS))
    findings: list[Finding] = field(default_factory=list)
    provisioned: list[tuple[Settings, Run]] = field(default_factory=list)
    left_to_worker: list[tuple[Settings, Run]] = field(default_factory=list)

    async def spec(self, settings: Settings) -> Spec:
        return settings.spec()

    async def check(self, settings: Settings, spec: Spec, run: Run | None) -> Report:
        return Report(None, list(self.findings))

    async def provision(self, settings: Settings, run: Run, show: Callable[[Event], None]) -> Outcome:
        self.provisioned.append((settings, run))
        show(Event(run.id, 1, "provisioning", "first", "started", "The first", NOON))
        show(Event(run.id, 2, "provisioning", "first", "done", "The first", NOON))
        return self.outcome

    def machinery(self) -> Machinery:
        return Machinery(
            spec=self.spec,
            check=self.check,
            new_run=lambda spec: Run("01RUN", spec, NOON, "1"),
            provision=self.provision,
            start_worker=lambda settings, run: self.left_to_worker.append((settings, run)),
            plan={"first": ()},
        )


Said = pytest.CaptureFixture[str]


def test_a_run_that_completes_ends_with_where_everything_is(settings: Settings, capsys: Said) -> None:
    """The last lines name the services, the artefact without a signature, and where the mail went."""
    code = carry_out(settings, Wishes(), Engine().machinery())
    said = capsys.readouterr().out
    assert code == 0
    for value in (
        *FACTS["services"].values(),
        FACTS["artefact_url"],
        FACTS["sha256"],
        "1.0 GiB",
        "me@example.org",
    ):
        assert value in said


def test_a_password_is_made_when_there_is_none_and_shown_once(settings: Settings, capsys: Said) -> None:
    """The password that the VM gets is on stderr once, and not on stdout."""
    engine = Engine()
    carry_out(settings, Wishes(), engine.machinery())
    password = engine.provisioned[0][0].admin_password
    assert password is not None
    said = capsys.readouterr()
    assert said.err.count(password.get_secret_value()) == 1
    assert password.get_secret_value() not in said.out


def test_a_given_password_is_used_and_not_shown(settings: Settings, capsys: Said) -> None:
    """A password from the environment goes to the run as it is."""
    given = settings.model_copy(update={"admin_password": SecretStr("Given-Pass-123")})
    engine = Engine()
    carry_out(given, Wishes(), engine.machinery())
    said = capsys.readouterr()
    assert engine.provisioned[0][0] is given
    assert "Given-Pass-123" not in said.out + said.err


def test_a_problem_in_azure_ends_it_before_anything_is_touched(settings: Settings, capsys: Said) -> None:
    """With an error among the findings nothing is started, and no password is made."""
    engine = Engine(findings=[found("warning"), found("error")])
    with pytest.raises(PreflightFailed) as failed:
        carry_out(settings, Wishes(), engine.machinery())
    assert (len(failed.value.findings), engine.provisioned) == (2, [])
    assert capsys.readouterr().err == ""


def test_a_run_that_could_not_be_remembered_ends_before_anything_is_asked(
    settings: Settings, tmp_path: Path, capsys: Said
) -> None:
    """Azure is not looked at, and no password is shown, when the run database cannot be opened."""
    (tmp_path / "file").write_text("")
    engine = Engine(findings=[found("error")])
    with pytest.raises(VhdliftError, match="cannot be opened: Not a directory"):
        carry_out(
            settings.model_copy(update={"state_dir": tmp_path / "file" / "x"}), Wishes(), engine.machinery()
        )
    assert capsys.readouterr().err == ""


def test_a_warning_ends_it_too_unless_it_is_forced(settings: Settings, capsys: Said) -> None:
    """Whoever starts the run has to say that the warning is all right; then it is shown, and it starts."""
    engine = Engine(findings=[found("warning", "The link ends before the VHD is expected.")])
    with pytest.raises(PreflightFailed, match="The link ends before") as failed:
        carry_out(settings, Wishes(), engine.machinery())
    assert ("--force" in failed.value.hint, engine.provisioned) == (True, [])
    assert carry_out(settings, Wishes(force=True), engine.machinery()) == 0
    assert "The link ends before" in capsys.readouterr().err


def test_an_error_ends_it_even_if_it_is_forced(settings: Settings) -> None:
    """--force goes past warnings only."""
    engine = Engine(findings=[found("error")])
    with pytest.raises(PreflightFailed):
        carry_out(settings, Wishes(force=True), engine.machinery())
    assert engine.provisioned == []


def test_a_notice_is_told_and_the_run_goes_on(settings: Settings, capsys: Said) -> None:
    """What is only worth knowing stops nothing."""
    engine = Engine(findings=[found("notice", "The link ends before the VHD is expected.")])
    assert carry_out(settings, Wishes(), engine.machinery()) == 0
    assert "The link ends before" in capsys.readouterr().err


def test_a_dry_run_touches_nothing(settings: Settings, capsys: Said) -> None:
    """--dry-run looks and shows the plan; neither engine nor worker is called."""
    engine = Engine()
    assert carry_out(settings, Wishes(dry_run=True), engine.machinery()) == 0
    assert (engine.provisioned, engine.left_to_worker) == ([], [])
    assert "lab1-vnet" in capsys.readouterr().out


def test_no_wait_leaves_the_run_to_a_worker(settings: Settings, capsys: Said) -> None:
    """--no-wait says the run's id on stdout, and the worker has the password that was shown."""
    engine = Engine()
    assert carry_out(settings, Wishes(no_wait=True), engine.machinery()) == 0
    said = capsys.readouterr()
    password = engine.left_to_worker[0][0].admin_password
    assert password is not None
    assert said.out == "01RUN\n"
    assert password.get_secret_value() in said.err
    assert engine.provisioned == []


def test_json_is_events_and_one_result(settings: Settings, capsys: Said) -> None:
    """With --json every line of stdout is an object; the last is the result."""
    assert carry_out(settings, Wishes(as_json=True), Engine().machinery()) == 0
    *events, result = [json.loads(text) for text in capsys.readouterr().out.splitlines()]
    assert [(one["type"], one["step"], one["state"]) for one in events] == [
        ("event", "first", "started"),
        ("event", "first", "done"),
    ]
    assert (result["type"], result["run_id"], result["exit_code"]) == ("result", "01RUN", 0)


def test_a_failure_names_step_cause_and_that_all_is_gone(settings: Settings, capsys: Said) -> None:
    """Exit code 1, and the sentence that nothing is left."""
    engine = Engine(outcome=Outcome("failed", "vm_created", "No quota.", "Ask for more."))
    assert carry_out(settings, Wishes(), engine.machinery()) == 1
    said = capsys.readouterr().err
    for text in ("vm_created: No quota.", "Ask for more.", "Everything the run made is gone."):
        assert text in said


def test_leftovers_are_told_with_their_commands(settings: Settings, capsys: Said) -> None:
    """Exit code 3, and each leftover with id, reason and the command that removes it."""
    engine = Engine(outcome=Outcome("failed", "vm_created", "No quota.", leftovers=(LEFT,)))
    assert carry_out(settings, Wishes(), engine.machinery()) == 3
    said = capsys.readouterr().err
    assert "is gone" not in said
    for text in vars(LEFT).values():
        assert text in said


def test_what_was_kept_is_told(settings: Settings, capsys: Said) -> None:
    """With --on-failure keep the last lines list what is there, and how it goes away."""
    engine = Engine(outcome=Outcome("failed", "vm_created", "No quota.", kept=("/subscriptions/s/vnet",)))
    carry_out(settings, Wishes(), engine.machinery())
    said = capsys.readouterr().err
    assert "/subscriptions/s/vnet" in said
    assert "vhdlift cleanup 01RUN" in said


def test_nothing_secret_is_shown(settings: Settings, capsys: Said) -> None:
    """A signature that slips into a fact or a reason is taken out of what is printed."""
    facts = {**FACTS, "artefact_url": "https://a.blob.example/vhdusb/x.vhd?sv=1&sig=SECRETSIGNATURE"}
    engine = Engine(outcome=replace(Engine().outcome, facts=facts))
    carry_out(settings, Wishes(), engine.machinery())
    carry_out(settings, Wishes(as_json=True), engine.machinery())
    assert "SECRETSIGNATURE" not in capsys.readouterr().out
