"""A clean-up in bad weather: what is forbidden is named as such, and all else is undone."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from pydantic import SecretStr

from tests.localcloud import LocalCloud
from vhdlift.engine import api
from vhdlift.engine.store import Outcome
from vhdlift.model import Event
from vhdlift.settings import Settings, load_settings, make_admin_password

LOCKED: dict[str, Any] = {"status": 409, "code": "ScopeLocked", "message": "A lock forbids the deletion."}
DENIED: dict[str, Any] = {"status": 403, "code": "AuthorizationFailed", "message": "It may not be deleted."}
REFUSED: dict[str, Any] = {"status": 400, "code": "TestFault", "message": "The test said no."}


async def kept(cloud: LocalCloud, folder: Path) -> tuple[Settings, str]:
    """A run that failed late, and whose things were kept."""
    env = {**cloud.env, "VHDLIFT_STATE_DIR": str(folder), "VHDLIFT_ON_FAILURE": "keep"}
    settings = load_settings({}, env=env, cwd=folder, for_run=True)
    settings = settings.model_copy(update={"admin_password": SecretStr(make_admin_password())})
    run = api.new_run(settings.spec())
    cloud.fault("PUT Microsoft.Compute/virtualMachines/extensions", **REFUSED)
    outcome = await api.provision(settings, run, lambda _event: None)
    assert outcome.kept
    return settings, run.id


async def test_the_clean_up_of_a_run_names_what_is_forbidden_and_undoes_the_rest(
    cloud: LocalCloud, tmp_path: Path
) -> None:
    """By `cleanup RUN`, with a token that has just expired; in the posts, and in the exit code."""
    before = {row["id"].lower() for row in cloud.left()}
    settings, run_id = await kept(cloud, tmp_path)
    cloud.fault("DELETE Microsoft.Network/publicIPAddresses", **LOCKED, nth=0)
    cloud.fault("DELETE Microsoft.Network/networkSecurityGroups", **DENIED, nth=0)
    cloud.control("expire", None)
    events: list[Event] = []
    outcome = await api.cleanup(settings, run_id, events.append)
    reasons = {row.resource_id.rsplit("/", 1)[1]: row.reason for row in outcome.leftovers}
    assert set(reasons) == {"lab1-ip", "lab1-nsg", "lab1-rg"}
    assert "ScopeLocked" in reasons["lab1-ip"]
    assert "AuthorizationFailed" in reasons["lab1-nsg"]
    assert outcome.exit_code == 3
    after = {row["id"].lower() for row in cloud.left()} - before
    # A security group keeps its rules.
    assert {one.rsplit("/", 1)[1] for one in after if "/securityrules/" not in one} == set(reasons)
    assert _left_by_the_last_post(cloud) == set(reasons)
    await _cleared(cloud, settings, run_id)
    assert {row["id"].lower() for row in cloud.left()} == before


async def _cleared(cloud: LocalCloud, settings: Settings, run_id: str) -> Outcome:
    """When nothing is forbidden any more, the same command removes what was left."""
    cloud.clear_faults()
    outcome = await api.cleanup(settings, run_id, lambda _event: None)
    assert (outcome.leftovers, outcome.exit_code) == ((), 1)
    return outcome


def _left_by_the_last_post(cloud: LocalCloud) -> set[str]:
    details = cloud.webhooks()[-1]["details"]
    assert details["final"] is True
    return {row["resource_id"].rsplit("/", 1)[1] for row in details["leftovers"]}
