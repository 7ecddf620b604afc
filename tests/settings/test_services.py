"""Which ports follow from what the new VM serves."""

from __future__ import annotations

from pathlib import Path

import pytest

from vhdlift.settings import load_settings

NOWHERE = Path("/nonexistent")
GPU = "Standard_NV12ads_A10_v5"
PLAIN = (80, 443)
BROWSER = tuple(range(40000, 40011))
SUNSHINE = (47984, 47989, 48010, 47998, 47999, 48000)


@pytest.mark.parametrize(
    ("services", "size", "ports"),
    [
        (None, None, PLAIN),
        (None, "Standard_D4s_v5", PLAIN),
        (["none"], None, ()),
        (["none"], GPU, ()),
        (["drop"], GPU, PLAIN),
        (["pin"], GPU, PLAIN + SUNSHINE),
        ("web", GPU, PLAIN + BROWSER),
        (None, GPU, PLAIN + SUNSHINE + BROWSER),
        (None, "Standard_NP10s", PLAIN),
    ],
)
def test_exactly_what_the_services_need_is_opened(
    services: object, size: str | None, ports: tuple[int, ...]
) -> None:
    """A graphics card decides on streaming; without a service nothing is open."""
    settings = load_settings({"service": services, "vm_size": size}, {}, NOWHERE)
    assert settings.port == ports


def test_ports_that_are_given_are_the_ports() -> None:
    """Whatever is served: the firewall of Windows opens those of them that something listens on."""
    assert load_settings({"port": ["8443"], "vm_size": GPU}, {}, NOWHERE).port == (8443,)


def test_none_means_no_service() -> None:
    """The word is for the settings; a run has an empty list."""
    given = {"source_vm": "a", "source_resource_group": "b", "vm_name": "lab1", "domain": "example.org"}
    given |= {"subscription_id": "00000000-0000-0000-0000-000000000001", "location": "uksouth"}
    spec = load_settings({**given, "service": ["none"]}, {}, NOWHERE).spec()
    assert (spec.services, spec.ports) == ((), ())
    assert load_settings(given, {}, NOWHERE).spec().services == ("web", "drop", "pin")
