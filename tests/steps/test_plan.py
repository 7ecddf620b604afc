"""The plan as a list: its names are final, and every step can begin."""

from __future__ import annotations

from pathlib import Path

import vhdlift.steps as package
from vhdlift.steps import PROVISION, STEPS, ancestors

NAMES = [
    "source_inspected",
    "resource_group_ready",
    "source_stopped",
    "snapshot_created",
    "source_restarted",
    "export_storage_created",
    "script_storage_created",
    "setup_script_uploaded",
    "network_created",
    "public_ip_created",
    "security_group_created",
    "interface_created",
    "dns_zone_ready",
    "dns_delegation_verified",
    "dns_records_created",
    "vm_created",
    "public_ip_verified",
    "setup_extension_installed",
    "script_storage_deleted",
    "vhd_exported",
    "vhd_verified",
    "snapshot_released",
    "email_sent",
    "completed",
]


def test_names_and_order_are_final() -> None:
    """Webhook receivers know the steps by these names."""
    assert [step.name for step in PROVISION] == NAMES


def test_needs_stand_before_the_step() -> None:
    """Every need is a step further up, so there is no circle, and backwards is a good order to undo."""
    for place, step in enumerate(PROVISION):
        assert set(step.needs) <= set(NAMES[:place]), step.name


def test_every_step_has_its_file() -> None:
    """A step lies in the file of its name, and a file of a step is in the plan."""
    folder = Path(str(package.__file__)).parent
    helpers = {
        "__init__",
        "base",
        "guest_log",
        "guest_report",
        "guest_silence",
        "guest_watch",
        "service_report",
    }
    assert {path.stem for path in folder.glob("*.py")} - helpers == set(NAMES)


def test_all_steps_lead_to_the_end() -> None:
    """The last step waits for all others, directly or not."""
    assert ancestors("completed") == set(STEPS) - {"completed"}


def test_source_is_back_before_anyone_waits_for_the_script() -> None:
    """Giving the source VM back needs the snapshot and nothing that comes after it."""
    assert "setup_script_uploaded" not in ancestors("source_restarted")
