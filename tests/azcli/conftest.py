"""A local Azure that `az` is signed in to; without `ARMLOCAL_AZ`, the path of an `az`, all is skipped."""

from __future__ import annotations

import json
import os
import subprocess
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from tests.localcloud import serving

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.localcloud import LocalCloud

AZ = os.environ.get("ARMLOCAL_AZ", "")
SECONDS = 300.0


@dataclass(frozen=True)
class Az:
    """The program, its environment, and the stand-in it speaks to."""

    program: str
    env: dict[str, str]
    cloud: LocalCloud

    def __call__(self, *arguments: str) -> Any:
        """Runs a command that has to succeed; what it tells, from JSON."""
        done = self.run(*arguments)
        assert done.returncode == 0, f"az {' '.join(arguments)}\n{done.stderr}"
        return json.loads(done.stdout) if done.stdout.strip() else None

    def run(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        """Runs a command, whatever becomes of it."""
        command = [self.program, *arguments, "--output", "json", "--only-show-errors"]
        return subprocess.run(
            command, env=self.env, capture_output=True, text=True, timeout=SECONDS, check=False
        )


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Skips what is below this folder when there is no `az`."""
    if AZ:
        return
    for item in items:
        if Path(__file__).parent in item.path.parents:
            item.add_marker(pytest.mark.skip(reason="needs an Azure CLI: make test-azcli"))


@pytest.fixture(scope="session")
def az(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Az]:
    """Registered as Microsoft describes it for a cloud of one's own, and signed in."""
    with serving(tmp_path_factory.mktemp("azcli")) as cloud:
        env = {
            "PATH": os.environ["PATH"],
            "AZURE_CONFIG_DIR": str(tmp_path_factory.mktemp("config")),
            "AZURE_CORE_COLLECT_TELEMETRY": "false",
            "AZURE_CORE_INSTANCE_DISCOVERY": "false",
            "REQUESTS_CA_BUNDLE": cloud.env["REQUESTS_CA_BUNDLE"],
        }
        program = Az(AZ, env, cloud)
        program("cloud", "register", "--name", "armlocal", "--endpoint-resource-manager", cloud.url)
        program("cloud", "set", "--name", "armlocal")
        user, secret = cloud.env["AZURE_CLIENT_ID"], cloud.env["AZURE_CLIENT_SECRET"]
        who = ("--username", user, "--password", secret, "--tenant", cloud.env["AZURE_TENANT_ID"])
        program("login", "--service-principal", *who)
        yield program


@pytest.fixture
def group(az: Az, request: pytest.FixtureRequest) -> str:
    """A resource group of the test's own."""
    name = str(request.node.name).removeprefix("test_")
    az("group", "create", "--name", name, "--location", "uksouth", "--tags", "made=by-az")
    return name
