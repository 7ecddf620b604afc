"""The clients: which cloud, which credential, what they call themselves."""

from __future__ import annotations

from typing import Any

import pytest

from tests.azure.conftest import SCALE, Answer, Arm, settings_of, vm_path
from vhdlift.azure.clients import CLOUDS, Azure, open_clients
from vhdlift.azure.waiting import asked
from vhdlift.errors import AzureRefused, UsageError
from vhdlift.settings import Settings


async def test_calls_carry_token_and_name(arm: Arm, azure: Azure) -> None:
    """Every request carries the bearer token, and says which program and version sends it."""
    arm.on(f"GET {vm_path()}", Answer(body={"name": "vm1", "location": "x"}))
    await asked(azure.compute.virtual_machines.get, "rg", "vm1", what="reading vm1", scale=SCALE)
    headers = arm.seen[0].headers
    assert headers["Authorization"] == "Bearer t"
    assert headers["User-Agent"].startswith("vhdlift/")


async def test_untrusted_certificate_is_refused(arm: Arm) -> None:
    """Without the CA bundle a certificate of one's own is not accepted."""
    async with open_clients(settings_of(arm, ca_bundle=None)) as azure:
        with pytest.raises(AzureRefused, match=r"(?i)certificate"):
            await asked(azure.compute.virtual_machines.get, "rg", "vm1", what="reading vm1", scale=SCALE)


async def test_a_managed_identity_is_the_one_of_the_settings(
    arm: Arm, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Wherever it was named: the identity library itself knows the environment only."""
    monkeypatch.setenv("IDENTITY_ENDPOINT", f"{arm.url}/msi/token")
    monkeypatch.setenv("IDENTITY_HEADER", "x")
    token = {"access_token": "t", "expires_on": "4102444800", "resource": "r", "token_type": "Bearer"}
    arm.on("GET /msi/token", Answer(body=token))
    arm.on(f"GET {vm_path()}", Answer(body={"name": "vm1", "location": "x"}))
    settings = settings_of(arm, client_secret=None, tenant_id=None)
    async with open_clients(settings) as azure:
        await asked(azure.compute.virtual_machines.get, "rg", "vm1", what="reading vm1", scale=SCALE)
    assert f"client_id={settings.client_id}" in arm.of("GET", "/msi/token")[0].path


@pytest.mark.parametrize("cloud", CLOUDS)
async def test_each_cloud_has_its_own_endpoint(cloud: Any) -> None:
    """The cloud of the settings decides where the clients speak to."""
    settings = Settings(cloud=cloud, subscription_id="00000000-0000-0000-0000-0000000000aa")
    async with open_clients(settings) as azure:
        assert azure.resources._config.base_url == CLOUDS[cloud].arm
        assert azure.resources._config.credential_scopes == [CLOUDS[cloud].scope]


async def test_subscription_is_needed() -> None:
    """Without a subscription nothing is opened."""
    with pytest.raises(UsageError, match="AZURE_SUBSCRIPTION_ID"):
        async with open_clients(Settings()):
            pass
