"""The job as its description lists it: the official SDKs, one step after the other, their default polling.

What a careful script without vhdlift does, up to the end of the extension. The SDKs poll every 30 seconds
where the service says nothing; here that interval is multiplied by the time scale, as all other times are.
"""

from __future__ import annotations

import time
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

from azure.identity import ClientSecretCredential
from azure.mgmt.compute import ComputeManagementClient
from azure.mgmt.dns import DnsManagementClient
from azure.mgmt.network import NetworkManagementClient
from azure.mgmt.resource.resources import ResourceManagementClient
from azure.mgmt.storage import StorageManagementClient
from azure.storage.blob import BlobServiceClient, generate_blob_sas, generate_container_sas

from vhdlift.guest.render import GuestValues, render

if TYPE_CHECKING:
    from collections.abc import Mapping

    from vhdlift.model import Run

SDK_POLLING_SECONDS = 30.0


class Sequential:
    """The whole job, one call at a time; each method is a section of the job's description."""

    def __init__(self, env: Mapping[str, str], run: Run) -> None:
        self._env = env
        self._run = run
        credential = ClientSecretCredential(
            env["AZURE_TENANT_ID"],
            env["AZURE_CLIENT_ID"],
            env["AZURE_CLIENT_SECRET"],
            authority=env["AZURE_AUTHORITY_HOST"],
            disable_instance_discovery=True,
            connection_verify=env["VHDLIFT_CA_BUNDLE"],
        )
        options: dict[str, Any] = {
            "credential": credential,
            "subscription_id": env["AZURE_SUBSCRIPTION_ID"],
            "base_url": env["VHDLIFT_ARM_ENDPOINT"],
            "credential_scopes": [env["VHDLIFT_ARM_ENDPOINT"] + "/.default"],
            "connection_verify": env["VHDLIFT_CA_BUNDLE"],
            "polling_interval": SDK_POLLING_SECONDS * float(env["VHDLIFT_TIME_SCALE"]),
        }
        self._compute = ComputeManagementClient(**options)
        self._network = NetworkManagementClient(**options)
        self._storage = StorageManagementClient(**options)
        self._dns = DnsManagementClient(**options)
        self._groups = ResourceManagementClient(**options).resource_groups
        self._where: Any = {"location": run.spec.location}

    def seconds(self) -> float:
        """Do all of it; seconds until the extension is done."""
        began = time.monotonic()
        self._groups.create_or_update(self._run.names.group, self._where)
        snapshot_url = self._snapshot()
        upload_url = self._export_storage()
        script_url = self._script(snapshot_url, upload_url)
        nic_id, address = self._interface()
        self._vm(nic_id)
        self._records(address)
        self._extension(script_url)
        return time.monotonic() - began

    def _snapshot(self) -> str:
        """Stop, snapshot, export address, start again; the address."""
        spec, vms = self._run.spec, self._compute.virtual_machines
        source = spec.source_resource_group, spec.source_vm
        disk: Any = vms.get(*source).storage_profile.os_disk
        vms.begin_deallocate(*source).result()
        where = self._run.names.group, self._run.names.snapshot
        copy = {"createOption": "Copy", "sourceResourceId": disk.managed_disk.id}
        body: Any = {**self._where, "properties": {"creationData": copy}}
        self._compute.snapshots.begin_create_or_update(*where, body).result()
        access: Any = {"access": "Read", "durationInSeconds": 86400}
        url: Any = self._compute.snapshots.begin_grant_access(*where, access).result().access_sas
        vms.begin_start(*source).result()
        return str(url)

    def _account(self, name: str) -> tuple[BlobServiceClient, str]:
        """A storage account, and its key."""
        group = self._run.names.group
        body: Any = {**self._where, "kind": "StorageV2", "sku": {"name": "Standard_LRS"}}
        account: Any = self._storage.storage_accounts.begin_create(group, name, body).result()
        keys: Any = self._storage.storage_accounts.list_keys(group, name)
        options: dict[str, Any] = {"connection_verify": self._env["VHDLIFT_CA_BUNDLE"]}
        key = str(keys["keys"][0]["value"])
        credential = {"account_name": name, "account_key": key}
        endpoint = str(account.properties.primary_endpoints.blob).rstrip("/")
        return BlobServiceClient(endpoint, credential, **options), key

    def _export_storage(self) -> tuple[str, str]:
        """The container for the VHD: its address and its SAS."""
        name = self._run.names.export_account
        service, key = self._account(name)
        container = service.create_container("vhdusb")
        until = datetime.now(UTC) + timedelta(days=1)
        sas = generate_container_sas(name, "vhdusb", account_key=key, permission="racwl", expiry=until)
        return container.url, sas

    def _script(self, snapshot_url: str, upload: tuple[str, str]) -> str:
        """The setup script, uploaded; its address with a SAS."""
        names, spec = self._run.names, self._run.spec
        service, key = self._account(names.script_account)
        until = datetime.now(UTC) + timedelta(days=1)
        values = GuestValues(
            snapshot_url=snapshot_url,
            azure_sas_token=upload[1],
            webhook_url="",
            webhook_secret="",
            run_id=self._run.id,
            vm_name=names.vm,
            resource_group=names.group,
            location=spec.location,
            container_url=upload[0],
            artefact_name=names.artefact,
            source_vm=spec.source_vm,
            target_size_bytes="0",
            sas_expires=until.strftime("%Y-%m-%dT%H:%M:%SZ"),
            time_scale=self._env["VHDLIFT_TIME_SCALE"],
        )
        container = service.create_container("scripts")
        blob = container.upload_blob(names.script_blob, render(values))
        sas = generate_blob_sas(
            names.script_account, "scripts", names.script_blob, account_key=key, permission="r", expiry=until
        )
        return f"{blob.url}?{sas}"

    def _interface(self) -> tuple[str, str]:
        """Network, address, firewall, interface; the interface's id and the address."""
        names, group = self._run.names, self._run.names.group
        space = {"addressSpace": {"addressPrefixes": ["10.10.0.0/16"]}}
        subnets = [{"name": "default", "properties": {"addressPrefix": "10.10.0.0/24"}}]
        body: Any = {**self._where, "properties": {**space, "subnets": subnets}}
        vnet: Any = self._network.virtual_networks.begin_create_or_update(group, names.vnet, body).result()
        body = {
            **self._where,
            "sku": {"name": "Standard"},
            "properties": {"publicIPAllocationMethod": "Static"},
        }
        ip: Any = self._network.public_ip_addresses.begin_create_or_update(
            group, names.public_ip, body
        ).result()
        nsgs = self._network.network_security_groups
        body = dict(self._where)
        nsg: Any = nsgs.begin_create_or_update(group, names.nsg, body).result()
        config = {"subnet": {"id": vnet.subnets[0].id}, "publicIPAddress": {"id": ip.id}}
        configs = [{"name": "main", "properties": config}]
        body = {
            **self._where,
            "properties": {"ipConfigurations": configs, "networkSecurityGroup": {"id": nsg.id}},
        }
        nic: Any = self._network.network_interfaces.begin_create_or_update(group, names.nic, body).result()
        return nic.id, ip.ip_address

    def _vm(self, nic_id: str) -> None:
        names, spec = self._run.names, self._run.spec
        publisher, offer, sku, version = spec.image.split(":")
        image = {"publisher": publisher, "offer": offer, "sku": sku, "version": version}
        properties = {
            "hardwareProfile": {"vmSize": spec.vm_size},
            "storageProfile": {"imageReference": image, "osDisk": {"createOption": "FromImage"}},
            "osProfile": {
                "computerName": names.vm,
                "adminUsername": spec.admin_username,
                "adminPassword": "Bench-" + self._run.id,
                "windowsConfiguration": {"enableAutomaticUpdates": True},
            },
            "securityProfile": {
                "securityType": "TrustedLaunch",
                "uefiSettings": {"secureBootEnabled": True, "vTpmEnabled": True},
            },
            "networkProfile": {"networkInterfaces": [{"id": nic_id}]},
        }
        body: Any = {**self._where, "properties": properties}
        self._compute.virtual_machines.begin_create_or_update(names.group, names.vm, body).result()

    def _records(self, address: str) -> None:
        names = self._run.names
        zone: Any = {"location": "global"}
        self._dns.zones.create_or_update(names.group, names.zone, zone)
        for service in ("pin", "drop", "web"):
            body: Any = {"properties": {"TTL": 300, "ARecords": [{"ipv4Address": address}]}}
            self._dns.record_sets.create_or_update(names.group, names.zone, names.record(service), "A", body)

    def _extension(self, script_url: str) -> None:
        names = self._run.names
        command = f"powershell.exe -ExecutionPolicy Bypass -File {names.script_blob}"
        properties = {
            "publisher": "Microsoft.Compute",
            "type": "CustomScriptExtension",
            "typeHandlerVersion": "1.10",
            "protectedSettings": {"fileUris": [script_url], "commandToExecute": command},
        }
        body: Any = {**self._where, "properties": properties}
        extensions = self._compute.virtual_machine_extensions
        extensions.begin_create_or_update(names.group, names.vm, "CustomScriptExtension", body).result()
