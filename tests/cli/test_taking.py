"""Options come from the one table of settings."""

from __future__ import annotations

import inspect
import time
from dataclasses import fields
from typing import Any

import pytest

from tests.cli.conftest import Command
from vhdlift.cli.cancel import cancel
from vhdlift.cli.cleanup import cleanup
from vhdlift.cli.provision import provision
from vhdlift.cli.resume import resume
from vhdlift.cli.taking import OPTIONS, help_of, takes_settings
from vhdlift.cli.worker import worker
from vhdlift.model import Spec
from vhdlift.options import BY_NAME, SETTINGS, SettingInfo
from vhdlift.settings import Settings

DOCUMENTED = [
    *("--source-vm", "--source-resource-group", "--vm-name", "--resource-group", "--location", "--vm-size"),
    *("--image", "--os-disk-gb", "--admin-username", "--domain", "--subdomain", "--dns-resource-group"),
    *("--target-size-gib", "--port", "--allow-from", "--email", "--webhook-url", "--tag", "--source-stop"),
    *("--on-failure", "--no-wait", "--dry-run", "--json"),
]


@pytest.mark.parametrize("option", DOCUMENTED)
def test_provision_has_its_documented_options(option: str) -> None:
    """The options that pipelines rely on are there, whatever else the table says."""
    names = {one.name for one in inspect.signature(provision).parameters.values()}
    own = {"--no-wait": "no_wait", "--dry-run": "dry_run", "--json": "as_json"}
    assert own.get(option, option.removeprefix("--").replace("-", "_")) in names


def test_every_option_is_in_the_help_with_its_sentence(vhdlift: Command) -> None:
    """`provision --help` shows each option of the table and what it is for."""
    shown = " ".join(vhdlift("provision", "--help").out.split())
    for info in OPTIONS:
        assert str(info.option) in shown
        assert " ".join(info.help.replace("`", "").split()[:4]) in shown


def test_secrets_have_no_option() -> None:
    """What is secret cannot be given where other users of the machine can read it."""
    assert [info.name for info in SETTINGS if info.secret and info.option] == []


def test_options_are_settings() -> None:
    """Each option sets a field of the settings."""
    assert {info.name for info in OPTIONS} <= set(Settings.model_fields)


def test_what_a_run_does_not_remember_can_be_given_again() -> None:
    """Each option of `provision` is kept with the run, or taken by all that may go on with it."""
    becomes = {"port": "ports", "service": "services", "tag": "tags", "usb_gb": "target_size_gib"}
    kept = {one.name for one in fields(Spec)}
    lost = {info.name for info in OPTIONS if becomes.get(info.name, info.name) not in kept}
    assert "webhook_url" in lost
    for command in (resume, cancel, cleanup, worker):
        assert lost <= set(inspect.signature(command).parameters)


def test_only_what_was_given_is_handed_on() -> None:
    """An option that was not used does not hide the environment."""

    @takes_settings("vm_name", "port")
    def command(given: dict[str, Any]) -> int:
        assert given == {"vm_name": "lab1"}
        return 0

    assert command(vm_name="lab1", port=None) == 0
    assert command(vm_name="lab1", port=[]) == 0


def test_a_repeated_option_is_a_list(vhdlift: Command) -> None:
    """--port twice means both ports; a wrong one is named with the rest of the problems."""
    told = vhdlift("plan", "--port", "443", "--port", "99999")
    assert told.code == 2
    assert "--port (VHDLIFT_PORT)" in told.err


def test_help_names_the_default_and_an_odd_variable() -> None:
    """The default stands behind the sentence; the variable only where it does not follow from the option."""
    assert help_of(BY_NAME["vm_size"]).endswith("[default: Standard_D4s_v5]")
    assert "VHDLIFT_RESOLVERS" in help_of(BY_NAME["resolvers"])
    plain = SettingInfo("x", "--x", "VHDLIFT_X", "x", None, "A thing.")
    assert help_of(plain) == "A thing."


def test_help_is_quick(vhdlift: Command) -> None:
    """A second on a quiet machine, for Azure's SDKs are not imported; three on a busy one."""
    vhdlift("--version")  # the first command of all waits for what all of them start from
    began = time.monotonic()
    vhdlift("--help")
    assert time.monotonic() - began < 3.0
