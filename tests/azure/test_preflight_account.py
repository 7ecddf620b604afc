"""Preflight of the subscription: identity, clock, rights, providers, quotas."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.azure.looking import Lab, lab, looked_at, owner_without
from vhdlift.azure.rights import role
from vhdlift.errors import SignInNeeded

__all__ = ["lab", "looked_at"]

ROLE = Path(__file__).parents[2] / "docs/role.json"


def test_clean_state_gives_nothing_and_changes_nothing(lab: Lab) -> None:
    """No finding; the caller is named; only questions were sent."""
    before, seen = lab.cloud.left(), len(lab.cloud.requests())
    report = lab.look()
    assert report.findings == []
    assert report.identity is not None
    assert report.identity.name == lab.cloud.env["AZURE_CLIENT_ID"]
    assert lab.cloud.left() == before
    methods = {(row["method"], row["path"].partition("?")[0]) for row in lab.cloud.requests()[seen:]}
    assert {path.rpartition("/")[2] for method, path in methods if method not in {"GET", "HEAD"}} <= {
        "token",
        "checkPolicyRestrictions",
    }


def test_wrong_secret_is_told_as_such(lab: Lab) -> None:
    """Nothing else can be asked then."""
    lab.env["AZURE_CLIENT_SECRET"] = "wrong"
    with pytest.raises(SignInNeeded, match="AADSTS7000215"):
        lab.look()


@pytest.mark.parametrize(
    ("ahead", "severity", "said"),
    [(600, "warning", "behind"), (-600, "warning", "ahead of"), (-1200, "error", "not valid yet")],
)
def test_clock(lab: Lab, ahead: float, severity: str, said: str) -> None:
    """Azure's own time of day is what counts."""
    lab.cloud.control("knobs", {"clock_ahead": ahead})
    finding = lab.only()
    assert (finding.code, finding.severity) == ("clock", severity)
    assert said in finding.message


def test_the_role_of_the_readme_is_enough_to_look(lab: Lab) -> None:
    """With the custom role alone there is nothing to say, and it is what the code says that it needs."""
    told = json.loads(ROLE.read_text())
    assert told == role()
    lab.cloud.control("rights", [{"actions": told["Actions"]}])
    assert lab.look().findings == []


@pytest.mark.parametrize(
    ("action", "scope"),
    [
        ("Microsoft.Compute/virtualMachines/deallocate/action", "/resourceGroups/lab"),
        ("Microsoft.Compute/virtualMachines/write", ""),
        ("Microsoft.Network/dnsZones/A/write", "/resourceGroups/dns"),
    ],
)
def test_missing_right_is_named_with_its_scope(lab: Lab, action: str, scope: str) -> None:
    """Which right, where, and the command that gives the role to this very caller."""
    lab.cloud.control("rights", owner_without(action))
    finding = lab.only()
    assert (finding.code, finding.severity) == ("rights-missing", "error")
    assert action in finding.message
    assert finding.command.endswith(f"--scope {lab.subscription}{scope}")
    assert "--assignee 0b1ec7a5" in finding.command


def test_rights_on_the_group_are_enough(lab: Lab) -> None:
    """A target's group that exists is where the rights are needed, not the whole subscription."""
    group = lab.group()
    lab.cloud.control(
        "rights",
        [
            {"actions": ["*"], "notActions": ["Microsoft.Storage/storageAccounts/write"]},
            {"scope": f"{lab.subscription}/{group}", "actions": ["Microsoft.Storage/*"]},
        ],
    )
    assert lab.look().findings == []


@pytest.mark.parametrize(
    ("action", "asked"),
    [
        ("Microsoft.Compute/skus/read", "the VM size"),
        ("Microsoft.Authorization/permissions/read", "rights"),
        ("Microsoft.Authorization/locks/read", "management locks"),
        ("Microsoft.PolicyInsights/checkPolicyRestrictions/read", "policies"),
    ],
)
def test_look_that_is_refused_is_a_warning(lab: Lab, action: str, asked: str) -> None:
    """One look less; the others go on."""
    lab.cloud.control("rights", owner_without(action))
    finding = lab.only()
    assert (finding.code, finding.severity) == ("not-allowed", "warning")
    assert asked in finding.asked
    assert action in finding.message


def test_provider_that_is_not_registered(lab: Lab) -> None:
    """An error with its command, and a warning while it is being registered."""
    version = "2021-04-01"
    lab.cloud.arm("POST", "providers/Microsoft.Storage/unregister", version).raise_for_status()
    finding = lab.only()
    assert (finding.code, finding.severity) == ("provider", "error")
    assert finding.command == "az provider register --namespace Microsoft.Storage --wait"
    lab.cloud.control("knobs", {"scale": 10})
    lab.cloud.arm("POST", "providers/Microsoft.Storage/register", version).raise_for_status()
    lab.cloud.control("knobs", {"scale": 0.001})
    assert lab.only().severity == "warning"


@pytest.mark.parametrize(
    ("usage", "code", "said", "mends"),
    [
        ("cores", "quota-cores", "needs 4 of Total Regional vCPUs", "--resource-name cores "),
        ("standardDSv5Family", "quota-family", "needs 4 of", "--resource-name standardDSv5Family "),
        ("virtualMachines", "quota-vms", "needs 1 of Virtual Machines", "--resource-name virtualMachines "),
        ("PublicIPAddresses", "quota-public-ips", "needs 1 of Public IP", "PublicIPAddresses "),
        ("IPv4StandardSkuPublicIpAddresses", "quota-public-ips", "Standard", "value=2 "),
        ("VirtualNetworks", "quota-network", "needs 1 of Virtual Networks", "VirtualNetworks "),
        ("StorageAccounts", "quota-storage", "needs 2 of Storage Accounts", "value=2 "),
    ],
)
def test_quota(lab: Lab, usage: str, code: str, said: str, mends: str) -> None:
    """What is free is told beside what is needed, with the command that asks for more."""
    lab.cloud.control("limits", {usage: 1})
    finding = lab.only()
    assert (finding.code, finding.severity) == (code, "error")
    assert said in finding.message
    assert mends in finding.command
