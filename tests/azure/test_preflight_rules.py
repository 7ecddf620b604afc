"""Preflight of what others have laid down: management locks and policies."""

from __future__ import annotations

from typing import Any

import pytest

from tests.azure.looking import SOURCE, ZONE, Lab, lab, looked_at

__all__ = ["lab", "looked_at"]

LOCKS, POLICIES = "2016-09-01", "2022-06-01"
TAG, TAG_ON_GROUP = "871b6d14-10aa-478d-b590-94f262ecfa99", "96670d01-0a4d-4649-9c89-2d3abc0a5025"
NOT_ALLOWED, NO_PUBLIC_IP = "6c112d4e-5bc7-47ae-a041-ea2d9dccd749", "83a86a26-fd1f-447c-b59d-e51f44264114"
NO_SHARED_KEY, LOCATIONS = "8c6a50c6-9ffd-4ae7-986f-5fa6111f9a54", "e56962a6-4747-49cd-b67b-bf8b01975c4c"
SIZES = "cccc23c7-8427-4f53-ad12-b6a63eb452b3"


def lock(lab: Lab, scope: str, level: str) -> None:
    path = "/".join(part for part in (scope, "providers/Microsoft.Authorization/locks/keep") if part)
    lab.cloud.arm("PUT", path, LOCKS, {"properties": {"level": level}}).raise_for_status()


def assign(lab: Lab, definition: str, scope: str = "", **parameters: Any) -> str:
    path = "/".join(
        part for part in (scope, "providers/Microsoft.Authorization/policyAssignments/house") if part
    )
    properties = {
        "policyDefinitionId": f"/providers/Microsoft.Authorization/policyDefinitions/{definition}",
        "parameters": {name: {"value": value} for name, value in parameters.items()},
    }
    lab.cloud.arm("PUT", path, POLICIES, {"properties": properties}).raise_for_status()
    return f"{lab.subscription}/{path}"


@pytest.mark.parametrize(
    ("scope", "level", "severity", "said"),
    [
        ("", "ReadOnly", "error", "nothing can be made in lab1-rg"),
        ("resourceGroups/lab1-rg", "ReadOnly", "error", "nothing can be made in lab1-rg"),
        ("resourceGroups/lab1-rg", "CanNotDelete", "warning", "temporary storage"),
        ("resourceGroups/lab", "ReadOnly", "error", "lab-source cannot be stopped and started"),
        (SOURCE, "ReadOnly", "error", "lab-source cannot be stopped and started"),
        (ZONE, "ReadOnly", "error", "no records can be written"),
        ("resourceGroups/dns", "CanNotDelete", "warning", "could not be removed again"),
    ],
)
def test_lock_that_is_in_the_way(lab: Lab, scope: str, level: str, severity: str, said: str) -> None:
    """What it would keep from being done, and the command that takes it away."""
    lab.group()
    lock(lab, scope, level)
    finding = lab.only()
    assert (finding.code, finding.severity) == ("locked", severity)
    assert said in finding.message
    assert finding.command.startswith("az lock delete --ids /subscriptions/")


@pytest.mark.parametrize(
    ("scope", "level"), [("resourceGroups/lab", "CanNotDelete"), ("resourceGroups/other", "ReadOnly")]
)
def test_lock_that_is_not_in_the_way(lab: Lab, scope: str, level: str) -> None:
    """The source is not deleted, and other groups are not touched."""
    lab.group("other")
    lock(lab, scope, level)
    assert lab.look().findings == []


def test_source_that_is_not_stopped_may_be_read_only(lab: Lab) -> None:
    """A snapshot of the running disk changes nothing at the source."""
    lock(lab, "resourceGroups/lab", "ReadOnly")
    lab.given["source_stop"] = "none"
    assert lab.look().findings == []


@pytest.mark.parametrize(
    ("definition", "parameters", "said", "mends"),
    [
        (TAG, {"tagName": "team"}, "virtualMachines because of tags[team]", "--tag team=VALUE"),
        (TAG_ON_GROUP, {"tagName": "team"}, "refuse resourceGroups", "--tag team=VALUE"),
        (NO_PUBLIC_IP, {}, "refuse networkInterfaces", "az policy exemption create"),
        (
            NOT_ALLOWED,
            {"listOfResourceTypesNotAllowed": ["Microsoft.Network/publicIPAddresses"]},
            "refuse publicIPAddresses",
            "az policy exemption create",
        ),
        (NO_SHARED_KEY, {"effect": "Deny"}, "allowSharedKeyAccess", "az policy exemption create"),
        (LOCATIONS, {"listOfAllowedLocations": ["westeurope"]}, "because of location", "az policy exemption"),
        (
            SIZES,
            {"listOfAllowedSKUs": ["Standard_D2s_v5"]},
            "virtualMachines/sku.name",
            "az policy exemption",
        ),
    ],
)
def test_policy_that_would_refuse(
    lab: Lab, definition: str, parameters: dict[str, Any], said: str, mends: str
) -> None:
    """Which assignment, what it would refuse, and why; the stand-in does refuse it."""
    assignment = assign(lab, definition, **parameters)
    finding = lab.only()
    assert (finding.code, finding.severity) == ("policy", "error")
    assert "policy assignment house" in finding.message
    assert said in finding.message
    assert mends in finding.command
    assert mends.startswith("--tag") or assignment in finding.command


def test_policy_of_the_target_group_is_judged_there(lab: Lab) -> None:
    """An assignment to another group says nothing."""
    lab.group("other")
    assign(lab, TAG, "resourceGroups/other", tagName="team")
    assert lab.look().findings == []
    assign(lab, TAG, lab.group(), tagName="team")
    assert lab.only().code == "policy"


def test_tag_that_is_given_pleases_the_policy(lab: Lab) -> None:
    """What the finding advises is enough."""
    assign(lab, TAG, tagName="team")
    lab.given["tag"] = ["team=a"]
    assert lab.look().findings == []


def test_policy_that_only_audits_says_nothing(lab: Lab) -> None:
    """It refuses nothing."""
    assign(lab, NO_SHARED_KEY, effect="Audit")
    assert lab.look().findings == []


def test_stand_in_refuses_what_it_foretold(lab: Lab) -> None:
    """The question and the refusal are of one mind."""
    assign(lab, TAG_ON_GROUP, tagName="team")
    path, version, body = "resourceGroups/new", "2021-04-01", {"location": "uksouth"}
    refused = lab.cloud.arm("PUT", path, version, body)
    assert (refused.status_code, refused.json()["error"]["code"]) == (403, "RequestDisallowedByPolicy")
    lab.cloud.arm("PUT", path, version, {**body, "tags": {"team": "a"}}).raise_for_status()


def test_policies_cannot_be_asked_without_their_provider(lab: Lab) -> None:
    """It is said, and the provider is not registered by the way."""
    lab.cloud.arm("POST", "providers/Microsoft.PolicyInsights/unregister", "2021-04-01").raise_for_status()
    finding = lab.only()
    assert (finding.code, finding.severity) == ("policies-unknown", "notice")
    state = lab.cloud.arm("GET", "providers/Microsoft.PolicyInsights", "2021-04-01").json()
    assert state["registrationState"] == "Unregistered"
