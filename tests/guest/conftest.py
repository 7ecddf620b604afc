from __future__ import annotations

import pytest

from tests.guest.mono import Harness, build
from vhdlift.guest.values import GuestValues

# Never in a masked script: each secret holds this word.
MARKER = "s3cr3tW0rd"


@pytest.fixture
def values() -> GuestValues:
    return GuestValues(
        snapshot_url=f"https://md-abc.z1.blob.storage.azure.net/xyz/abcd?sv=2018-03-28&sr=b&sig={MARKER}%3D",
        azure_sas_token=f"sv=2024-11-04&sr=c&sp=rcw&sig={MARKER}%2B",
        webhook_url=f"https://hooks.example.org/run?code={MARKER}",
        webhook_secret=f"whsec_{MARKER}",
        run_id="01JXYZ",
        vm_name="lab1",
        resource_group="rg-lab",
        location="uksouth",
        container_url="https://account.blob.core.windows.net/vhdusb",
        artefact_name="old1.vhd",
        source_vm="old1",
        target_size_bytes="0",
        sas_expires="2026-01-01T00:00:00Z",
        services=("web", "drop", "pin"),
        hosts={name: f"{name}.lab1.example.org" for name in ("web", "drop", "pin")},
        ports=(80, 443),
        drop_password=f"{MARKER}-drop",
        pin_password=f"{MARKER}-pin",
    )


@pytest.fixture(scope="session")
def guest(tmp_path_factory: pytest.TempPathFactory) -> Harness:
    return build(tmp_path_factory.mktemp("mono"))
