"""The words of a run as data: what was asked for, what things are called, what happened.

Frozen dataclasses with `to_json` and `from_json`; no input or output, no SDK, never a secret.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, fields
from datetime import UTC, datetime, timedelta
from typing import Any, Literal

SCHEMA = 1
RUN_TAG = "vhdlift-run"
EXPIRES_TAG = "vhdlift-expires"
VERSION_TAG = "vhdlift-version"
SOURCE_TAG = "vhdlift-source"
POWER_TAG = "vhdlift-source-power"
NEVER = "never"
"""What the tag of the expiry says when there is none."""
GIVEN_BACK = "given back"
"""What the tag of the source VM's power state says once the VM has it again."""
SERVICES = ("pin", "drop", "web")
CONTAINER = "vhdusb"

Facts = Mapping[str, Any]
Status = Literal["provisioning", "provisioned", "completed", "failed", "cancelled"]
State = Literal["started", "progress", "done", "warning", "failed", "undone", "leftover", "skipped"]


@dataclass(frozen=True)
class Spec:
    """What the user asked for, checked and complete; sizes in GiB unless the name says otherwise.

    `image` is `publisher:offer:sku:version`. `os_disk_gb` is Azure's diskSizeGB. `target_size_gib`
    is the virtual size of the artefact, or None to keep the source's. `expires_after_days` is None for
    never. `auto_shutdown` is `HH:MM` in the time zone beside it, which Windows names, or None.
    `own_password`: the administrator's password was made for this run, so only its user knows it. `services`
    are those of `SERVICES` that the target VM serves.
    """

    subscription_id: str
    source_vm: str
    source_resource_group: str
    vm_name: str
    resource_group: str
    location: str
    vm_size: str
    image: str
    os_disk_gb: int
    admin_username: str
    domain: str
    subdomain: str
    dns_resource_group: str | None
    target_size_gib: int | None
    ports: tuple[int, ...]
    allow_from: tuple[str, ...]
    email: tuple[str, ...]
    tags: Mapping[str, str]
    source_stop: Literal["deallocate", "poweroff", "none"] = "deallocate"
    on_failure: Literal["cleanup", "keep"] = "cleanup"
    license_type: str | None = None
    verify: Literal["full", "structure"] = "full"
    link_days: int = 14
    expires_after_days: int | None = 30
    auto_shutdown: str | None = None
    auto_shutdown_timezone: str = "UTC"
    own_password: bool = False
    services: tuple[str, ...] = ()
    hyper_v: Literal["auto", "on", "off"] = "auto"
    blob_type: Literal["page", "block"] = "page"

    def to_json(self) -> dict[str, Any]:
        """Plain data with a schema number."""
        return {"schema": SCHEMA, **asdict(self)}

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> Spec:
        """The spec that `to_json` wrote; lists become tuples again, unknown keys are dropped."""
        known = {f.name for f in fields(cls)}
        values: dict[str, Any] = {
            k: tuple(v) if isinstance(v, list) else v for k, v in data.items() if k in known
        }
        return cls(**values)


@dataclass(frozen=True)
class Run:
    """One execution: an id that sorts by time, what was asked for, and the tags of all it makes."""

    id: str
    spec: Spec
    created_at: str
    version: str

    @property
    def names(self) -> Names:
        """What this run calls the things it makes."""
        return Names(self)

    @property
    def expires(self) -> str:
        """When `vhdlift gc` may remove what the run made: ISO 8601 in UTC, or `never`."""
        days = self.spec.expires_after_days
        if days is None:
            return NEVER
        end = datetime.fromisoformat(self.created_at) + timedelta(days=days)
        return end.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")

    @property
    def tags(self) -> dict[str, str]:
        """The user's tags and ours; on every resource from its first second.

        A tag's value has at most 256 characters and an ARM id may have more, so the source VM is told as
        `GROUP/NAME` (155 at most; neither part can hold a slash), in the subscription of what is tagged.
        """
        return {
            **self.spec.tags,
            RUN_TAG: self.id,
            EXPIRES_TAG: self.expires,
            VERSION_TAG: self.version,
            SOURCE_TAG: f"{self.spec.source_resource_group}/{self.spec.source_vm}",
        }

    def to_json(self) -> dict[str, Any]:
        """Plain data with a schema number."""
        return {
            "schema": SCHEMA,
            "id": self.id,
            "spec": self.spec.to_json(),
            "created_at": self.created_at,
            "version": self.version,
        }

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> Run:
        """The run that `to_json` wrote."""
        return cls(data["id"], Spec.from_json(data["spec"]), data["created_at"], data["version"])


def short_of(run_id: str) -> str:
    """Eight lower-case characters that belong to the run of this id alone."""
    return hashlib.sha256(run_id.encode()).hexdigest()[:8]


@dataclass(frozen=True)
class Names:
    """Names derived from the run's id and inputs, never from the clock or chance."""

    run: Run

    @property
    def short(self) -> str:
        """Eight lower-case characters that belong to this run alone."""
        return short_of(self.run.id)

    @property
    def vm(self) -> str:
        """The target VM."""
        return self.run.spec.vm_name

    @property
    def group(self) -> str:
        """The resource group of the target."""
        return self.run.spec.resource_group

    @property
    def os_disk(self) -> str:
        """The OS disk of the target VM."""
        return f"{self.vm}-os"

    @property
    def vnet(self) -> str:
        """The virtual network; its one subnet is called `default`."""
        return f"{self.vm}-vnet"

    @property
    def public_ip(self) -> str:
        """The public IP address."""
        return f"{self.vm}-ip"

    @property
    def nsg(self) -> str:
        """The network security group."""
        return f"{self.vm}-nsg"

    @property
    def nic(self) -> str:
        """The network interface."""
        return f"{self.vm}-nic"

    @property
    def schedule(self) -> str:
        """The schedule that shuts the target VM down; Azure takes no other name for it."""
        return f"shutdown-computevm-{self.vm}"

    @property
    def snapshot(self) -> str:
        """The snapshot of the source VM's OS disk; it lies in the resource group of the target."""
        return f"{self.run.spec.source_vm}-{self.short}"[:80]

    @property
    def export_account(self) -> str:
        """The storage account that keeps the artefact."""
        return f"vhdusb{self._digest('export')}"

    @property
    def script_account(self) -> str:
        """The temporary storage account for the setup script."""
        return f"vhdtmp{self._digest('script')}"

    @property
    def script_blob(self) -> str:
        """The setup script in its account."""
        return f"{self.vm}-setup.ps1"

    @property
    def artefact(self) -> str:
        """The artefact's blob in the container `vhdusb`."""
        return f"{self.run.spec.source_vm}.vhd"

    @property
    def manifest(self) -> str:
        """The artefact's manifest, uploaded last: its presence means done."""
        return f"{self.artefact}.json"

    @property
    def zone(self) -> str:
        """The DNS zone."""
        return self.run.spec.domain

    def record(self, service: str) -> str:
        """The relative name of a service's A record, such as `pin.lab1`."""
        return f"{service}.{self.run.spec.subdomain}"

    def host(self, service: str) -> str:
        """The full name of a service, such as `pin.lab1.example.org`."""
        return f"{self.record(service)}.{self.zone}"

    def _digest(self, purpose: str) -> str:
        return hashlib.sha256(f"{self.run.id}/{purpose}".encode()).hexdigest()[:16]


@dataclass(frozen=True)
class Event:
    """One change of state of one step, numbered 1, 2, 3... within the run."""

    run_id: str
    sequence: int
    status: Status
    step: str
    state: State
    message: str
    timestamp: str
    details: Mapping[str, Any] = field(default_factory=dict)

    def to_json(self) -> dict[str, Any]:
        """Plain data."""
        return asdict(self)

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> Event:
        """The event that `to_json` wrote."""
        return cls(**data)

    def webhook_body(self, run: Run) -> dict[str, Any]:
        """The one body shape of all webhook posts; receivers of the older system parse it too."""
        return {
            "vm_name": run.spec.vm_name,
            "status": self.status,
            "resource_group": run.spec.resource_group,
            "location": run.spec.location,
            "run_id": run.id,
            "sequence": self.sequence,
            "details": {
                "step": self.step,
                "state": self.state,
                "message": self.message,
                "timestamp": self.timestamp,
                **self.details,
            },
        }
