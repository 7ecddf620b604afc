"""The commands that ask nobody: plan and script."""

from __future__ import annotations

import json
import re
from pathlib import Path

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


def seconds(clock: str) -> int:
    """`h:mm:ss` or `m:ss` as a number."""
    total = 0
    for part in clock.split(":"):
        total = 60 * total + int(part)
    return total


def test_plan_shows_every_step_with_its_needs(vhdlift: Command) -> None:
    """`plan` needs no sign-in: it lists the steps in order, and what each waits for."""
    told = vhdlift("plan", env=ENOUGH)
    assert (told.code, told.err) == (0, "")
    rows = [line.split() for line in told.out.splitlines() if re.match(r"\d", line)]
    assert (rows[0][:2], rows[-1][1], len(rows)) == (["1", "source_inspected"], "completed", 24)
    assert ["3", "source_stopped", "0:01", "0:24", "source_inspected"] in rows
    starts = [row[2] for row in rows]
    assert starts == sorted(starts, key=seconds)
    assert re.search(r"(\d+) are under way at the same time", told.out)


def test_plan_marks_the_critical_path(vhdlift: Command) -> None:
    """A larger disk makes the export longer, which the whole run waits for."""
    small, large = (
        json.loads(vhdlift("plan", "--json", "--used-gib", gib, "--disk-gib", "256", env=ENOUGH).out)
        for gib in ("10", "200")
    )
    steps = small["estimate"]["steps"]
    assert steps["vm_created"]["critical"]
    assert steps["vhd_exported"]["critical"]
    assert not steps["source_stopped"]["critical"]
    assert large["estimate"]["seconds"] > small["estimate"]["seconds"] + 3600


def test_plan_says_what_it_costs_and_where_the_prices_are_from(vhdlift: Command) -> None:
    """The table has a date, and the VM is by far the most of what a month costs."""
    told = json.loads(vhdlift("plan", "--json", env=ENOUGH).out)["estimate"]
    text = " ".join(vhdlift("plan", env=ENOUGH).out.split())
    assert told["prices"]["as_of"] in text
    assert told["prices"]["source"] in text
    assert "source_stopped" in told["steps"]["network_created"]["beside"]
    assert max(told["costs"], key=lambda row: row["month"] or 0)["what"] == "the VM (Standard_D4s_v5) running"


def test_a_size_without_a_price_is_said(vhdlift: Command) -> None:
    """What the table does not know is not counted as nothing."""
    assert "not in the table" in vhdlift("plan", "--vm-size", "Standard_M416s_v2", env=ENOUGH).out


def test_a_price_table_that_is_wrong_is_refused(vhdlift: Command, tmp_path: Path) -> None:
    """Each key that is missing or of another kind is named; nothing else happens."""
    own = tmp_path / "prices.json"
    own.write_text('{"currency": 7}')
    told = vhdlift("plan", "--prices", str(own), env=ENOUGH)
    assert told.code == 2
    assert "currency" in told.err
    assert "vm_per_core_hour" in told.err


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
