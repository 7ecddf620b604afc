"""A local Azure in which a run would succeed, to be put into states in which it would not."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from tests.localcloud import LocalCloud, serving
from vhdlift.azure.findings import Finding
from vhdlift.azure.preflight import Report, complete_spec
from vhdlift.cli.machinery import look_everywhere
from vhdlift.model import Run
from vhdlift.settings import Settings, load_settings

NETWORK, DNS, COMPUTE, GROUPS = "2024-05-01", "2018-05-01", "2024-11-01", "2021-04-01"
ZONE = "resourceGroups/dns/providers/Microsoft.Network/dnsZones/rehearsal.example"
SOURCE = "resourceGroups/lab/providers/Microsoft.Compute/virtualMachines/lab-source"


@dataclass
class Lab:
    """The stand-in, and the settings of a run that would start in it."""

    cloud: LocalCloud
    given: dict[str, Any] = field(default_factory=dict)
    env: dict[str, str] = field(default_factory=dict)

    @property
    def subscription(self) -> str:
        """The subscription as a scope."""
        return f"/subscriptions/{self.cloud.env['AZURE_SUBSCRIPTION_ID']}"

    def settings(self) -> Settings:
        return load_settings(self.given, env={**self.cloud.env, "VHDLIFT_TARGET_SIZE_GIB": "", **self.env})

    def look(self, run: Run | None = None) -> Report:
        """Everything that `check` looks at."""
        settings = self.settings()

        async def both() -> Report:
            spec = await complete_spec(settings)
            return await look_everywhere(settings, spec, run)

        return asyncio.run(both())

    def only(self) -> Finding:
        """The one thing that is found."""
        found = self.look().findings
        assert len(found) == 1, found
        return found[0]

    def group(self, name: str = "lab1-rg") -> str:
        """Make a resource group; its path below the subscription."""
        self.cloud.put(f"resourceGroups/{name}", GROUPS, {"location": "uksouth"})
        return f"resourceGroups/{name}"


def owner_without(*actions: str) -> list[dict[str, Any]]:
    """A role that may do everything but this."""
    return [{"actions": ["*"], "notActions": list(actions)}]


@pytest.fixture(scope="session")
def looked_at(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LocalCloud]:
    with serving(tmp_path_factory.mktemp("armlocal"), "--port", "0", "--time-scale", "0.001") as cloud:
        yield cloud


@pytest.fixture
def lab(looked_at: LocalCloud) -> Lab:
    """Clean: a source VM that can be exported, and a delegated zone."""
    looked_at.reset()
    lab = Lab(looked_at)
    lab.group("dns")
    looked_at.put(ZONE, DNS, {"location": "global"})
    return lab


__all__ = ["Lab", "Path", "lab", "looked_at", "owner_without"]
