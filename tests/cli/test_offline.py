"""The commands that ask nobody: plan and script."""

from __future__ import annotations

import json
import re

import pytest

from tests.cli.conftest import Command
from vhdlift.cli.plan import names
from vhdlift.engine.api import new_run
from vhdlift.model import Spec

ENOUGH = {
    "VHDLIFT_SOURCE_VM": "old-pc",
    "VHDLIFT_SOURCE_RESOURCE_GROUP": "old-rg",
    "VHDLIFT_VM_NAME": "lab1",
    "VHDLIFT_DOMAIN": "example.org",
    "AZURE_SUBSCRIPTION_ID": "11111111-2222-3333-4444-555555555555",
}


def test_plan_shows_every_step_with_its_needs(vhdlift: Command) -> None:
    """`plan` needs no sign-in: it lists the steps in order, and what each waits for."""
    told = vhdlift("plan", env=ENOUGH)
    assert (told.code, told.err) == (0, "")
    rows = [line.split(maxsplit=2) for line in told.out.splitlines() if re.match(r"\d", line)]
    assert (rows[0], rows[-1][1], len(rows)) == (["1", "source_inspected"], "completed", 24)
    assert ["3", "source_stopped", "source_inspected"] in rows


def test_plan_names_everything_that_would_be_made(vhdlift: Command) -> None:
    """The names of the target's parts are there before anything is made."""
    out = vhdlift("plan", env=ENOUGH).out
    for name in (
        "lab1-rg",
        "lab1-vnet",
        "lab1-ip",
        "lab1-nsg",
        "lab1-nic",
        "lab1-os",
        "pin.lab1.example.org",
        "vhdusb/",
    ):
        assert name in out


def test_names_that_only_a_run_knows_are_cut_there(spec: Spec) -> None:
    """A name that is made of the run's id is shown as far as it is the same for every run."""
    one, other = dict(names(new_run(spec))), dict(names(new_run(spec)))
    assert one == other
    assert one["storage account of the VHD"] == "vhdusb..."
    assert one["snapshot, until the VHD is verified"] == "old-pc-..."


def test_plan_as_json(vhdlift: Command) -> None:
    """The same as one object."""
    result = json.loads(vhdlift("plan", "--json", env=ENOUGH).out)
    assert len(result["steps"]) == 24
    assert result["names"]["virtual machine"] == "lab1"


def test_script_prints_powershell_without_secrets(vhdlift: Command) -> None:
    """The script is complete but for its secrets, which are replaced."""
    hook = "https://hooks.example.org/a/b?code=HOOKSECRET"
    told = vhdlift("script", env={**ENOUGH, "VHDLIFT_WEBHOOK_URL": hook})
    assert (told.code, told.err) == (0, "")
    assert "HOOKSECRET" not in told.out
    for line in (
        "$SNAPSHOT_URL = '***'",
        "$WEBHOOK_URL = '***'",
        "$VM_NAME = 'lab1'",
        "$ARTEFACT_NAME = 'old-pc.vhd'",
    ):
        assert line in told.out.splitlines()


@pytest.mark.parametrize("as_json", [True, False])
def test_script_needs_no_setting(vhdlift: Command, as_json: bool) -> None:
    """Whoever only wants to read the program sets nothing."""
    told = vhdlift("script", *(["--json"] if as_json else []))
    assert told.code == 0
    text = json.loads(told.out)["script"] if as_json else told.out
    assert "#requires -Version 5.1" in text
