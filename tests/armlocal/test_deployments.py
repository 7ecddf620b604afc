"""Deployments of templates: everything in the right order, in the time it takes, or the reason why not."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
import pytest_asyncio

from tests.armlocal.armworld import LOCATION, Arm, running_arm
from tests.armlocal.replay.player import HeldClock

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path

    from tests.armlocal.conftest import Certificates

Json = dict[str, Any]
SECRET = "Correct-Horse-7"
VNET: Json = {
    "type": "Microsoft.Network/virtualNetworks",
    "apiVersion": "2024-07-01",
    "name": "[concat(parameters('prefix'), '-vnet')]",
    "location": "[resourceGroup().location]",
    "properties": {"addressSpace": {"addressPrefixes": ["10.0.0.0/16"]}},
}
SUBNET: Json = {
    "type": "Microsoft.Network/virtualNetworks/subnets",
    "apiVersion": "2024-07-01",
    "name": "a-vnet/s",
    "dependsOn": ["[resourceId('Microsoft.Network/virtualNetworks', 'a-vnet')]"],
    "properties": {"addressPrefix": "10.0.0.0/24"},
}
NIC: Json = {
    "type": "Microsoft.Network/networkInterfaces",
    "apiVersion": "2024-07-01",
    "name": "nic",
    "location": "[variables('place')]",
    "dependsOn": ["Microsoft.Network/virtualNetworks/a-vnet/subnets/s"],
    "properties": {
        "ipConfigurations": [
            {
                "name": "i",
                "properties": {
                    "subnet": {
                        "id": "[resourceId('Microsoft.Network/virtualNetworks/subnets', 'a-vnet', 's')]"
                    }
                },
            }
        ]
    },
}


def deployment(*resources: Json, **template: Any) -> Json:
    """A body: the resources in one template, with two parameters and a variable."""
    whole = {
        "parameters": {"prefix": {"type": "string", "defaultValue": "a"}, "secret": {"type": "securestring"}},
        "variables": {"place": LOCATION},
        "resources": list(resources),
        **template,
    }
    given = {"secret": {"value": SECRET}}
    return {"properties": {"mode": "incremental", "template": whole, "parameters": given}}


@pytest_asyncio.fixture
async def arm(certificates: Certificates, tmp_path: Path) -> AsyncIterator[Arm]:
    async with running_arm(certificates, tmp_path) as started:
        await started.make_group()
        yield started


def place(arm: Arm, name: str = "d") -> str:
    return arm.id("lab", f"Microsoft.Resources/deployments/{name}")


async def finished(arm: Arm, body: Json) -> Json:
    """Puts the deployment, and polls it until it is over: the last status body."""
    answer = await arm.http.put(place(arm), json=body)
    assert answer.status_code == 201, answer.text
    while True:
        told: Json = (await arm.http.get(answer.headers["azure-asyncoperation"])).json()
        if told["status"] != "Running":
            return told


async def test_everything_is_made_in_the_order_of_its_dependencies(arm: Arm) -> None:
    """Whatever the order in the template; each finds what it needs ready."""
    outputs = {
        "nic": {"type": "string", "value": "[resourceId('Microsoft.Network/networkInterfaces', 'nic')]"}
    }
    told = await finished(arm, deployment(NIC, SUBNET, VNET, outputs=outputs))
    assert told == {"status": "Succeeded"}
    properties = (await arm.http.get(place(arm))).json()["properties"]
    assert properties["provisioningState"] == "Succeeded"
    nic = arm.id("lab", "Microsoft.Network/networkInterfaces/nic")
    assert properties["outputs"]["nic"]["value"] == nic
    assert nic in [row["id"] for row in properties["outputResources"]]
    assert (await arm.http.get(nic)).json()["location"] == LOCATION


async def test_a_secret_parameter_is_nowhere_to_be_read(arm: Arm) -> None:
    """Neither in the first answer nor in what is kept; other parameters are shown."""
    first = await arm.http.put(place(arm), json=deployment(VNET))
    later = await arm.http.get(place(arm))
    for answer in (first, later):
        assert SECRET not in answer.text
        assert answer.json()["properties"]["parameters"] == {
            "prefix": {"type": "String", "value": "a"},
            "secret": {"type": "SecureString"},
        }


async def test_what_a_provider_refuses_fails_the_deployment_and_what_needs_it_is_not_made(arm: Arm) -> None:
    """With the provider's own code and text inside."""
    bad = {**SUBNET, "properties": {"addressPrefix": "192.168.0.0/24"}}
    told = await finished(arm, deployment(VNET, bad, NIC))
    assert (told["status"], told["error"]["code"]) == ("Failed", "DeploymentFailed")
    assert [row["code"] for row in told["error"]["details"]] == ["NetcfgSubnetRangeOutsideVnet"]
    kept = (await arm.http.get(place(arm))).json()["properties"]
    assert (kept["provisioningState"], kept["error"]) == ("Failed", told["error"])
    assert arm.world.find(arm.id("lab", "Microsoft.Network/virtualNetworks/a-vnet")) is not None
    assert arm.world.find(arm.id("lab", "Microsoft.Network/networkInterfaces/nic")) is None


async def test_a_deployment_runs_until_what_it_makes_is_there_and_is_not_replaced_meanwhile(arm: Arm) -> None:
    """As long as the operations of its resources."""
    arm.world.clock = clock = HeldClock()
    answer = await arm.http.put(place(arm), json=deployment(VNET))
    assert (await arm.http.get(answer.headers["azure-asyncoperation"])).json() == {"status": "Running"}
    assert (await arm.http.get(place(arm))).json()["properties"]["provisioningState"] == "Running"
    again = await arm.http.put(place(arm), json=deployment(VNET))
    assert (again.status_code, again.json()["error"]["code"]) == (409, "DeploymentActive")
    await clock.end_all(arm.world.tasks)
    assert (await arm.http.get(answer.headers["azure-asyncoperation"])).json() == {"status": "Succeeded"}


async def test_a_validated_template_makes_nothing(arm: Arm) -> None:
    """It says what would be made."""
    answer = await arm.http.post(f"{place(arm)}/validate", json=deployment(VNET, SUBNET))
    properties = answer.json()["properties"]
    assert (answer.status_code, properties["provisioningState"]) == (200, "Succeeded")
    vnet = arm.id("lab", "Microsoft.Network/virtualNetworks/a-vnet")
    assert [row["id"] for row in properties["validatedResources"]] == [vnet, f"{vnet}/subnets/s"]
    assert arm.world.find(vnet) is None
    assert arm.world.find(place(arm)) is None


@pytest.mark.parametrize(
    ("change", "text"),
    [
        ({"name": "[concat('a']"}, "is not valid"),
        ({"name": "[nothing('a')]"}, "function 'nothing'"),
        ({"name": "[toLower('a', 'b')]"}, "wrong arguments"),
        ({"name": "[parameters('other')]"}, "parameter 'other'"),
        ({"name": "[variables('other')]"}, "variable 'other'"),
        ({"location": "[resourceGroup().nowhere]"}, "'nowhere'"),
        ({"name": "a/b"}, "numbers of segments"),
        ({"dependsOn": ["nothing"]}, "not defined in the template"),
        ({"dependsOn": ["a-vnet"]}, "Circular"),
        ({"copy": {"name": "c", "count": 2}}, "'copy'"),
    ],
)
async def test_a_template_that_cannot_be_read_is_refused_and_the_place_named(
    arm: Arm, change: Json, text: str
) -> None:
    """By the PUT and by the validation alike; nothing is kept of it."""
    body = deployment({**VNET, **change})
    for answer in (
        await arm.http.put(place(arm), json=body),
        await arm.http.post(f"{place(arm)}/validate", json=body),
    ):
        assert (answer.status_code, answer.json()["error"]["code"]) == (400, "InvalidTemplate")
        assert text in answer.json()["error"]["message"]
    assert arm.world.find(place(arm)) is None


async def test_a_missing_and_an_unknown_parameter_are_refused(arm: Arm) -> None:
    """Each by its name."""
    missing = deployment(VNET)
    missing["properties"]["parameters"] = {}
    unknown = deployment(VNET)
    unknown["properties"]["parameters"]["more"] = {"value": 1}
    for body, name in ((missing, "'secret'"), (unknown, "'more'")):
        answer = await arm.http.put(place(arm), json=body)
        assert (answer.status_code, name in answer.json()["error"]["message"]) == (400, True)


async def test_a_condition_and_an_escaped_bracket_are_understood(arm: Arm) -> None:
    """What is not to be made is left out; two brackets are one, as text."""
    left_out = {**VNET, "name": "never", "condition": False}
    tagged = {**VNET, "tags": {"a": "[[text]"}}
    assert await finished(arm, deployment(left_out, tagged)) == {"status": "Succeeded"}
    vnet = (await arm.http.get(arm.id("lab", "Microsoft.Network/virtualNetworks/a-vnet"))).json()
    assert vnet["tags"] == {"a": "[text]"}
    assert arm.world.find(arm.id("lab", "Microsoft.Network/virtualNetworks/never")) is None


async def test_deployments_are_listed_and_forgotten(arm: Arm) -> None:
    """What was deployed stays."""
    await finished(arm, deployment(VNET))
    listed = (await arm.http.get(place(arm).rsplit("/", 1)[0])).json()["value"]
    assert [row["name"] for row in listed] == ["d"]
    assert (await arm.http.delete(place(arm))).status_code == 204
    assert (await arm.http.get(place(arm))).status_code == 404
    assert arm.world.find(arm.id("lab", "Microsoft.Network/virtualNetworks/a-vnet")) is not None


async def test_a_group_goes_with_its_deployments(arm: Arm) -> None:
    """And with all that they made."""
    await finished(arm, deployment(VNET))
    await (await arm.resources.resource_groups.begin_delete("lab")).result()
    assert arm.world.resources == {}
