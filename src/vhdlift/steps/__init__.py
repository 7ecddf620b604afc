"""The plan: every step of a run, in the order in which it reads best.

A step starts as soon as the steps it needs are done; the order here only decides between equals, and
backwards it is the order of an undo.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from vhdlift.steps.completed import Completed
from vhdlift.steps.dns_delegation_verified import DnsDelegationVerified
from vhdlift.steps.dns_records_created import DnsRecordsCreated
from vhdlift.steps.dns_zone_ready import DnsZoneReady
from vhdlift.steps.email_sent import EmailSent
from vhdlift.steps.export_storage_created import ExportStorageCreated
from vhdlift.steps.interface_created import InterfaceCreated
from vhdlift.steps.network_created import NetworkCreated
from vhdlift.steps.public_ip_created import PublicIpCreated
from vhdlift.steps.public_ip_verified import PublicIpVerified
from vhdlift.steps.resource_group_ready import ResourceGroupReady
from vhdlift.steps.script_storage_created import ScriptStorageCreated
from vhdlift.steps.script_storage_deleted import ScriptStorageDeleted
from vhdlift.steps.security_group_created import SecurityGroupCreated
from vhdlift.steps.setup_extension_installed import SetupExtensionInstalled
from vhdlift.steps.setup_script_uploaded import SetupScriptUploaded
from vhdlift.steps.snapshot_created import SnapshotCreated
from vhdlift.steps.snapshot_released import SnapshotReleased
from vhdlift.steps.source_inspected import SourceInspected
from vhdlift.steps.source_restarted import SourceRestarted
from vhdlift.steps.source_stopped import SourceStopped
from vhdlift.steps.vhd_exported import VhdExported
from vhdlift.steps.vhd_verified import VhdVerified
from vhdlift.steps.vm_created import VmCreated

if TYPE_CHECKING:
    from vhdlift.steps.base import Step

PROVISION: tuple[Step, ...] = (
    SourceInspected(),
    ResourceGroupReady(),
    SourceStopped(),
    SnapshotCreated(),
    SourceRestarted(),
    ExportStorageCreated(),
    ScriptStorageCreated(),
    SetupScriptUploaded(),
    NetworkCreated(),
    PublicIpCreated(),
    SecurityGroupCreated(),
    InterfaceCreated(),
    DnsZoneReady(),
    DnsDelegationVerified(),
    DnsRecordsCreated(),
    VmCreated(),
    PublicIpVerified(),
    SetupExtensionInstalled(),
    ScriptStorageDeleted(),
    VhdExported(),
    VhdVerified(),
    SnapshotReleased(),
    EmailSent(),
    Completed(),
)

STEPS: dict[str, Step] = {step.name: step for step in PROVISION}


def ancestors(name: str) -> frozenset[str]:
    """The names of all steps that must be done before this one, directly or not."""
    needs = STEPS[name].needs
    return frozenset(needs).union(*(ancestors(needed) for needed in needs))
