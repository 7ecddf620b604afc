"""What people type, unchanged, against `armlocal serve`."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from tests.azcli.conftest import Az

IMAGE = "MicrosoftWindowsServer:WindowsServer:2022-datacenter-g2:latest"
SOURCE = ("--resource-group", "lab", "--name", "lab-source")
pytestmark = pytest.mark.slow


def _network(az: Az, group: str) -> None:
    """A VNet, a public IP, a security group with a rule, and a NIC of all of them."""
    here = ("--resource-group", group)
    space = ("--address-prefix", "10.0.0.0/16", "--subnet-name", "s", "--subnet-prefix", "10.0.0.0/24")
    az("network", "vnet", "create", *here, "--name", "v", *space)
    az("network", "public-ip", "create", *here, "--name", "p", "--sku", "Standard")
    az("network", "nsg", "create", *here, "--name", "n")
    rule = ("--name", "https", "--priority", "100", "--destination-port-ranges", "443")
    az("network", "nsg", "rule", "create", *here, "--nsg-name", "n", *rule)
    parts = ("--vnet-name", "v", "--subnet", "s", "--public-ip-address", "p", "--network-security-group", "n")
    az("network", "nic", "create", *here, "--name", "i", *parts)


def _power(az: Az, *machine: str) -> str:
    view = az("vm", "get-instance-view", *machine)["instanceView"]
    return str(next(s["code"] for s in view["statuses"] if s["code"].startswith("PowerState/")))


def test_the_subscription_is_there_after_signing_in(az: Az) -> None:
    """Found by `az login` itself, and all its regions and providers with it."""
    assert az("account", "show")["name"] == "Local Azure"
    assert "uksouth" in {row["name"] for row in az("account", "list-locations")}
    assert az("provider", "show", "--namespace", "Microsoft.Compute")["registrationState"] == "Registered"


def test_a_machine_is_made_of_parts_extended_and_deleted(az: Az, group: str) -> None:
    """Its whole life, Trusted Launch and all; `vm create` goes through a deployment of a template."""
    _network(az, group)
    here = ("--resource-group", group)
    kind = ("--image", IMAGE, "--size", "Standard_D2s_v5", "--security-type", "TrustedLaunch")
    login = ("--admin-username", "boss", "--admin-password", "Correct-Horse-7")
    safe = ("--enable-secure-boot", "true", "--enable-vtpm", "true", "--tags", "owner=az")
    made = az("vm", "create", *here, "--name", "vm1", "--nics", "i", *kind, *login, *safe)
    assert (made["powerState"], made["privateIpAddress"]) == ("VM running", "10.0.0.4")
    shown = az("vm", "show", *here, "--name", "vm1")
    assert shown["securityProfile"]["securityType"] == "TrustedLaunch"
    assert [row["name"] for row in az("resource", "list", "--tag", "owner=az")] == ["vm1"]
    extension = ("--vm-name", "vm1", "--name", "JsonADDomainExtension", "--publisher", "Microsoft.Compute")
    az("vm", "extension", "set", *here, *extension, "--version", "1.3", "--settings", "{}")
    assert [row["provisioningState"] for row in az("vm", "extension", "list", *here, "--vm-name", "vm1")] == [
        "Succeeded"
    ]
    az("vm", "delete", *here, "--name", "vm1", "--yes")
    assert az("vm", "list", *here) == []
    az("network", "nic", "delete", *here, "--name", "i")


def test_a_machine_is_stopped_and_started(az: Az) -> None:
    """As the instance view tells."""
    az("vm", "deallocate", *SOURCE)
    assert _power(az, *SOURCE) == "PowerState/deallocated"
    az("vm", "start", *SOURCE)
    assert _power(az, *SOURCE) == "PowerState/running"


def test_a_disk_is_copied_and_opened_for_a_while(az: Az, group: str) -> None:
    """A snapshot, its address with a signature, and no more access."""
    disk = az("vm", "show", *SOURCE)["storageProfile"]["osDisk"]["managedDisk"]["id"]
    snapshot = ("--resource-group", group, "--name", "s1")
    az("snapshot", "create", *snapshot, "--source", disk)
    opened = az("snapshot", "grant-access", *snapshot, "--duration-in-seconds", "3600")
    assert "sig=" in opened["accessSAS"]
    az("snapshot", "revoke-access", *snapshot)
    assert az("snapshot", "show", *snapshot)["diskState"] == "Unattached"


def test_a_storage_account_has_two_keys(az: Az, group: str) -> None:
    """And its name is taken from then on."""
    account = ("--resource-group", group, "--name", "armlocalaz1")
    az("storage", "account", "create", *account, "--location", "uksouth", "--sku", "Standard_LRS")
    keys = az(
        "storage", "account", "keys", "list", "--resource-group", group, "--account-name", "armlocalaz1"
    )
    assert [key["keyName"] for key in keys] == ["key1", "key2"]
    assert not az("storage", "account", "check-name", "--name", "armlocalaz1")["nameAvailable"]


def test_a_zone_serves_the_records_that_are_put_into_it(az: Az, group: str) -> None:
    """Made, listed and taken away."""
    zone = ("--resource-group", group, "--zone-name", "z.example")
    az("network", "dns", "zone", "create", "--resource-group", group, "--name", "z.example")
    az("network", "dns", "record-set", "a", "add-record", *zone, "--record-set-name", "www", "-a", "10.1.2.3")
    found = az("network", "dns", "record-set", "list", *zone)
    assert {row["name"] for row in found} == {"@", "www"}
    az("network", "dns", "zone", "delete", "--resource-group", group, "--name", "z.example", "--yes")
    assert az("network", "dns", "zone", "list", "--resource-group", group) == []


def test_sizes_and_quotas_are_told(az: Az) -> None:
    """Of one region."""
    skus = az("vm", "list-skus", "--location", "uksouth", "--size", "Standard_D2s_v5")
    assert [sku["name"] for sku in skus] == ["Standard_D2s_v5"]
    usages = {row["name"]["value"]: row["limit"] for row in az("vm", "list-usage", "--location", "uksouth")}
    assert int(usages["cores"]) == 100


def test_what_a_provider_refuses_is_told(az: Az, group: str) -> None:
    """A refusal of the provider comes through the deployment; nothing is made."""
    _network(az, group)
    kind = ("--image", IMAGE, "--size", "Standard_D2s_v5", "--nics", "i", "--os-disk-size-gb", "30")
    login = ("--admin-username", "boss", "--admin-password", "Correct-Horse-7")
    done = az.run("vm", "create", "--resource-group", group, "--name", "vm1", *kind, *login)
    assert done.returncode != 0
    assert "smaller than the size of the corresponding disk" in done.stderr
    assert az("vm", "list", "--resource-group", group) == []


def test_a_group_goes_with_all_that_is_in_it(az: Az, group: str) -> None:
    """In the background of the real service, and at its end nothing is left."""
    _network(az, group)
    az("group", "delete", "--name", group, "--yes")
    assert az("group", "exists", "--name", group) is False
    assert [row for row in az.cloud.left() if f"/{group}/" in f"{row['id']}/"] == []
