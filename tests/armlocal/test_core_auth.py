"""Signing in, and what a request without a good token gets."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest_asyncio
from azure.identity.aio import ClientSecretCredential

from tests.armlocal.armworld import Arm, running_arm

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path

    import httpx

    from tests.armlocal.conftest import Certificates


@pytest_asyncio.fixture
async def arm(certificates: Certificates, tmp_path: Path) -> AsyncIterator[Arm]:
    async with running_arm(certificates, tmp_path) as started:
        yield started


async def _sign_in(arm: Arm, **changes: str) -> httpx.Response:
    form = {
        "client_id": arm.world.client_id,
        "client_secret": arm.world.client_secret,
        "grant_type": "client_credentials",
        "scope": "x",
        **changes,
    }
    tenant = form.pop("tenant", arm.world.tenant_id)
    return await arm.http.post(f"/{tenant}/oauth2/v2.0/token", data=form)


async def _ask(arm: Arm, authorization: str) -> httpx.Response:
    path = f"/subscriptions/{arm.world.subscription_id}/resourceGroups"
    return await arm.http.get(path, headers={"Authorization": authorization})


async def test_the_official_credential_signs_in(arm: Arm, certificates: Certificates) -> None:
    credential = ClientSecretCredential(
        arm.world.tenant_id,
        arm.world.client_id,
        arm.world.client_secret,
        authority=arm.world.base_url,
        disable_instance_discovery=True,
        connection_verify=str(certificates.ca),
    )
    async with credential:
        token = await credential.get_token(f"{arm.world.base_url}/.default")
    assert (await _ask(arm, f"Bearer {token.token}")).status_code == 200


async def test_a_wrong_secret_is_a_401_that_names_aadsts7000215(arm: Arm) -> None:
    answer = await _sign_in(arm, client_secret="wrong")
    assert answer.status_code == 401
    assert answer.json()["error"] == "invalid_client"
    assert answer.json()["error_codes"] == [7000215]
    assert answer.json()["error_description"].startswith("AADSTS7000215: Invalid client secret provided.")


async def test_an_unknown_application_or_tenant_is_a_400_with_its_own_number(arm: Arm) -> None:
    assert (await _sign_in(arm, client_id="nobody")).json()["error_codes"] == [700016]
    assert (await _sign_in(arm, tenant="elsewhere")).json()["error_codes"] == [90002]
    assert (await _sign_in(arm, grant_type="password")).json()["error"] == "unsupported_grant_type"


async def test_no_token_is_a_401_with_a_challenge(arm: Arm) -> None:
    answer = await _ask(arm, "")
    assert answer.status_code == 401
    assert answer.json()["error"]["code"] == "AuthenticationFailed"
    assert f'authorization_uri="{arm.world.base_url}/' in answer.headers["www-authenticate"]
    assert 'error="invalid_token"' in answer.headers["www-authenticate"]


async def test_a_token_that_was_changed_is_refused(arm: Arm) -> None:
    good = arm.http.headers["authorization"]
    answer = await _ask(arm, good[:-2] + ("A" if good[-2] != "A" else "B") + good[-1])
    assert (answer.status_code, answer.json()["error"]["code"]) == (401, "InvalidAuthenticationToken")
    assert (await _ask(arm, good.replace("Bearer", "Basic"))).status_code == 401


async def test_a_token_whose_time_is_over_is_refused_with_both_times(arm: Arm) -> None:
    arm.world.token_seconds = -1
    token = (await _sign_in(arm)).json()["access_token"]
    answer = await _ask(arm, f"Bearer {token}")
    assert (answer.status_code, answer.json()["error"]["code"]) == (401, "ExpiredAuthenticationToken")
    assert "is earlier than current UTC time" in answer.json()["error"]["message"]
