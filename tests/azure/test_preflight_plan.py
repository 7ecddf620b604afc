"""Preflight of the plan itself: source and target VM, names, and those who will be told."""

from __future__ import annotations

import socketserver
import threading
from collections.abc import Callable
from typing import Any

import pytest

from tests.azure.looking import (
    COMPUTE,
    DNS,
    GROUPS,
    NETWORK,
    SOURCE,
    ZONE,
    Lab,
    lab,
    looked_at,
    owner_without,
)
from tests.azure.test_preflight_rules import TAG, assign, lock
from vhdlift.engine.api import new_run

__all__ = ["lab", "looked_at"]

DISK = "resourceGroups/lab/providers/Microsoft.Compute/disks/lab-source_OsDisk"
TARGET = "resourceGroups/lab1-rg/providers"
LOCATION = {"location": "uksouth"}


def gone(lab: Lab) -> None:
    lab.given["source_vm"] = "nobody"


def refused(lab: Lab) -> None:
    lab.given["location"] = "uksouth"
    said: dict[str, Any] = {"status": 400, "code": "TestFault", "message": "The test said no.", "nth": 0}
    lab.cloud.fault("GET Microsoft.Compute/virtualMachines", resource="lab-source", **said)


def encrypted(lab: Lab) -> None:
    extension = {
        "publisher": "Microsoft.Azure.Security",
        "type": "AzureDiskEncryption",
        "typeHandlerVersion": "2.2",
    }
    lab.cloud.put(f"{SOURCE}/extensions/ade", COMPUTE, {**LOCATION, "properties": extension})


def closed(lab: Lab) -> None:
    change = {"properties": {"networkAccessPolicy": "DenyAll", "publicNetworkAccess": "Disabled"}}
    lab.cloud.arm("PATCH", DISK, COMPUTE, change).raise_for_status()


def elsewhere(lab: Lab) -> None:
    lab.given["location"] = "westeurope"


def smaller(lab: Lab) -> None:
    lab.given["target_size_gib"] = "1"


def small_os_disk(lab: Lab) -> None:
    lab.given["os_disk_gb"] = "40"


def of_size(name: str) -> Callable[[Lab], None]:
    return lambda lab: lab.given.update(vm_size=name)


def of_image(sku: str) -> Callable[[Lab], None]:
    return lambda lab: lab.given.update(image=f"MicrosoftWindowsServer:WindowsServer:{sku}:latest")


def made(path: str, version: str = NETWORK, **body: Any) -> Callable[[Lab], None]:
    def make(lab: Lab) -> None:
        lab.group()
        lab.cloud.put(f"{TARGET}/{path}", version, {**LOCATION, **body})

    return make


def record(kind: str, **properties: Any) -> Callable[[Lab], None]:
    name = "pin.lab1"
    return lambda lab: lab.cloud.put(f"{ZONE}/{kind}/{name}", DNS, {"properties": {"TTL": 60, **properties}})


def two_zones(lab: Lab) -> None:
    lab.group("dns2")
    lab.cloud.put(ZONE.replace("/dns/", "/dns2/"), DNS, {"location": "global"})


def no_dns_group(lab: Lab) -> None:
    lab.given["dns_resource_group"] = "nowhere"


def group_going(lab: Lab) -> None:
    path = lab.group()
    lab.cloud.fault("DELETE Microsoft.Resources/resourceGroups", kind="never_ends")
    lab.cloud.arm("DELETE", path, GROUPS).raise_for_status()


def no_mail_server(lab: Lab) -> None:
    lab.env["SMTP_PORT"] = "1"


def wrong_mail_password(lab: Lab) -> None:
    lab.env["SMTP_PASSWORD"] = "wrong-mail-password"


def mail_server_without_tls(lab: Lab) -> None:
    lab.env["SMTP_TLS"] = "tls"


def no_receiver(lab: Lab) -> None:
    lab.cloud.control("webhook", {"status": 503})


ADDRESS = {"sku": {"name": "Standard"}, "properties": {"publicIPAllocationMethod": "Static"}}
STATES: dict[str, tuple[Callable[[Lab], object], str, str, str, str]] = {
    "no source": (gone, "source-vm-missing", "error", "no VM nobody", "az vm list"),
    "source refused": (refused, "source-vm", "error", "The test said no", "az vm show"),
    "encrypted": (encrypted, "source-vm-unfit", "error", "Azure Disk Encryption", "az vm show"),
    "closed": (closed, "source-export-closed", "warning", "networkAccessPolicy DenyAll", "az disk update"),
    "elsewhere": (elsewhere, "location-differs", "notice", "crosses regions", "--location uksouth"),
    "smaller": (smaller, "target-size", "notice", "made smaller", "--target-size-gib 2"),
    "small OS disk": (small_os_disk, "os-disk-too-small", "error", "42 GB", "--os-disk-gb 42"),
    "unknown size": (
        of_size("Standard_D4s_v9"),
        "vm-size",
        "error",
        "does not offer it",
        "--vm-size Standard_D4",
    ),
    "restricted": (
        of_size("Standard_NV36ads_A10_v5"),
        "vm-size",
        "error",
        "NotAvailableForSubscription",
        "--vm-size ",
    ),
    "generation 1": (of_size("Standard_D2_v2"), "vm-size", "error", "generation 2", "--vm-size "),
    "no Trusted Launch": (of_size("Standard_NV12s_v3"), "vm-size", "error", "Trusted Launch", "--vm-size "),
    "no nesting": (of_size("Standard_B4ms"), "vm-size-nesting", "notice", "nested", "az vm list-skus"),
    "no image": (of_image("2030-datacenter"), "image-missing", "error", "no image", "az vm image list"),
    "image of generation 1": (of_image("2022-datacenter"), "image-unfit", "error", "generation", "--image "),
    "disk": (
        made(
            "Microsoft.Compute/disks/lab1-os",
            COMPUTE,
            properties={"creationData": {"createOption": "Empty"}, "diskSizeGB": 4},
        ),
        "name-taken",
        "error",
        "lab1-os",
        "az resource show",
    ),
    "address": (
        made("Microsoft.Network/publicIPAddresses/lab1-ip", NETWORK, **ADDRESS),
        "name-taken",
        "error",
        "lab1-ip",
        "az",
    ),
    "record": (
        record("A", ARecords=[{"ipv4Address": "192.0.2.1"}]),
        "record-exists",
        "warning",
        "overwritten",
        "az",
    ),
    "CNAME": (record("CNAME", CNAMERecord={"cname": "x.example"}), "record-conflict", "error", "CNAME", "az"),
    "two zones": (two_zones, "dns-zone-not-clear", "error", "--dns-resource-group", "az network dns"),
    "no group of the zone": (
        no_dns_group,
        "dns-group-missing",
        "error",
        "no resource group",
        "az group list",
    ),
    "group going": (group_going, "group-deleting", "error", "being deleted", "az group wait"),
    "no mail server": (no_mail_server, "smtp-unreachable", "warning", "127.0.0.1:1", "check SMTP_HOST"),
    "wrong password": (wrong_mail_password, "smtp-login", "warning", "login", "SMTP_PASSWORD"),
    "no TLS": (mail_server_without_tls, "smtp-unreachable", "warning", "mail server", "check SMTP_HOST"),
    "no receiver": (no_receiver, "webhook", "warning", "answered 503", "--webhook-url"),
}


@pytest.mark.parametrize("name", STATES)
def test_state_gives_its_finding_alone(lab: Lab, name: str) -> None:
    """What it means, what was asked, what mends it; and nothing secret."""
    put, code, severity, said, mends = STATES[name]
    put(lab)
    finding = lab.only()
    assert (finding.code, finding.severity) == (code, severity)
    assert said in finding.message
    assert mends in finding.command
    assert finding.asked
    assert "wrong-mail-password" not in str(finding)


def test_alternatives_have_their_price(lab: Lab) -> None:
    """Where the price table knows the size."""
    lab.given["vm_size"] = "Standard_D4s_v9"
    assert "USD/h)" in lab.only().message


class Moody(socketserver.StreamRequestHandler):
    """A mail server that greets everybody and then wants nothing of them."""

    def handle(self) -> None:
        self.wfile.write(b"220 mail.example\r\n")
        for line in self.rfile:
            greeted = line[:4].upper() == b"EHLO"
            self.wfile.write(b"250 mail.example\r\n" if greeted else b"451 4.3.0 Not today\r\n")


def test_mail_server_that_is_there_and_will_not_work(lab: Lab) -> None:
    """Its own words are told."""
    with socketserver.ThreadingTCPServer(("127.0.0.1", 0), Moody) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        port = str(server.server_address[1])
        lab.env.update(SMTP_HOST="127.0.0.1", SMTP_PORT=port, SMTP_USERNAME="", SMTP_PASSWORD="")
        finding = lab.only()
        server.shutdown()
    assert (finding.code, finding.severity) == ("smtp-refused", "warning")
    assert "Not today" in finding.message
    assert "SMTP" in finding.command


def test_port_25_is_said_to_be_blocked_by_azure(lab: Lab) -> None:
    """Nothing answers there, as from most of Azure."""
    lab.env.update(SMTP_HOST="127.0.0.9", SMTP_PORT="25")
    finding = lab.only()
    assert finding.code == "smtp-unreachable"
    assert "Azure blocks port 25" in finding.message


def test_account_name_that_is_taken(lab: Lab) -> None:
    """With a run there are its storage accounts' names, which all of Azure shares."""
    run = new_run(lab.settings().spec())
    lab.group("theirs")
    path = f"resourceGroups/theirs/providers/Microsoft.Storage/storageAccounts/{run.names.export_account}"
    lab.cloud.put(path, "2024-01-01", {**LOCATION, "kind": "StorageV2", "sku": {"name": "Standard_LRS"}})
    (finding,) = lab.look(run).findings
    assert (finding.code, finding.severity) == ("account-name-taken", "error")
    assert "already taken" in finding.message


def test_webhook_gets_a_test_that_belongs_to_no_run(lab: Lab) -> None:
    """In the shape of all posts, and marked."""
    lab.look()
    (row,) = [row["body"] for row in lab.cloud.posts()]
    assert (row["run_id"], row["sequence"]) == (None, None)
    assert row["details"]["test"] is True
    assert set(row) == {"vm_name", "status", "resource_group", "location", "run_id", "sequence", "details"}


def test_everything_at_once(lab: Lab) -> None:
    """One look names all of it, errors first."""
    lab.group()
    lab.cloud.put(f"{TARGET}/Microsoft.Network/publicIPAddresses/lab1-ip", NETWORK, {**LOCATION, **ADDRESS})
    record("A", ARecords=[{"ipv4Address": "192.0.2.1"}])(lab)
    for state in (encrypted, closed, small_os_disk, no_mail_server, no_receiver):
        state(lab)
    of_image("2022-datacenter")(lab)
    of_size("Standard_NV12s_v3")(lab)
    assign(lab, TAG, tagName="team")
    lock(lab, "resourceGroups/dns", "CanNotDelete")
    lab.cloud.arm("POST", "providers/Microsoft.Compute/unregister", GROUPS).raise_for_status()
    lab.cloud.control("delegation", {"zone": "rehearsal.example", "servers": []})
    lab.cloud.control("limits", {"cores": 1, "PublicIPAddresses": 1, "StorageAccounts": 1})
    lab.cloud.control("rights", owner_without("Microsoft.Compute/snapshots/write"))
    lab.cloud.control("knobs", {"clock_ahead": -1200})
    found = lab.look().findings
    assert {finding.code for finding in found} == {
        "clock",
        "delegation",
        "image-unfit",
        "locked",
        "name-taken",
        "os-disk-too-small",
        "policy",
        "provider",
        "quota-cores",
        "quota-public-ips",
        "quota-storage",
        "record-exists",
        "rights-missing",
        "smtp-unreachable",
        "source-export-closed",
        "source-vm-unfit",
        "vm-size",
        "webhook",
    }
    severities = [finding.severity for finding in found]
    assert severities == sorted(severities)
