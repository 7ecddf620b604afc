"""The setup script, with the two SAS that the guest works with, in a private blob."""

from __future__ import annotations

import hashlib
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

from fixedvhd import GIB
from vhdlift.azure.service_passwords import ServicePasswords, service_passwords
from vhdlift.azure.snapshot import close_snapshot, create_vm_snapshot_and_generate_sas
from vhdlift.azure.storage import (
    SCRIPT_CONTAINER,
    account_of,
    create_vhd_export_container_and_sas,
    delete_blob,
    read_small_blob,
    sas_life,
    upload_blob_and_generate_sas,
)
from vhdlift.errors import AzureRefused, Leftover, VhdliftError
from vhdlift.guest.render import GuestValues, render
from vhdlift.guest.wanted import from_settings
from vhdlift.model import SERVICES

if TYPE_CHECKING:
    from collections.abc import Sequence

    from vhdlift.steps.base import Context, Made


class SetupScriptUploaded:
    """Opens the snapshot, signs the upload, renders `{vm_name}-setup.ps1` and uploads it."""

    name = "setup_script_uploaded"
    title = "Render and upload the setup script"
    needs = ("snapshot_created", "export_storage_created", "script_storage_created")

    async def do(self, c: Context) -> Made:
        """Render and upload the script, and read it back as the VM will.

        Both SAS live as long as the work on a disk of this size may take. They are in the script and
        nowhere else.

        Raises:
            AzureRefused: the blob read back is not the script (code `ScriptNotReadable`).
        """
        life = sas_life(int(c.facts["source_disk_bytes"]))
        passwords = await service_passwords(c.azure, c.names.group, c.names.export_account, c.run.id)
        ends = datetime.now(UTC) + life  # both are signed later, so neither ends before it
        script = (await _script(c, life, ends, passwords)).encode("utf-8")
        url = await upload_blob_and_generate_sas(
            c.azure,
            c.names.group,
            c.names.script_account,
            endpoint=c.facts["script_endpoint"],
            container=SCRIPT_CONTAINER,
            blob=c.names.script_blob,
            data=script,
        )
        if await read_small_blob(c.azure, url, f"reading back {c.names.script_blob}") != script:
            raise AzureRefused(f"{c.names.script_blob} read back is not the script", "ScriptNotReadable")
        return {
            "script_blob": c.names.script_blob,
            "script_sha256": hashlib.sha256(script).hexdigest(),
            "sas_expires": _stamp(ends),
            "passwords_mark": passwords.mark,
        }

    async def undo(self, c: Context) -> Sequence[Leftover]:
        """Delete the script and take back the access to the snapshot."""
        names = c.names
        left = await close_snapshot(c.azure, c.run)
        try:
            await delete_blob(
                c.azure, names.group, names.script_account, c.run.id, SCRIPT_CONTAINER, names.script_blob
            )
        except VhdliftError as error:
            account = account_of(c.azure, names.group, names.script_account)
            left.append(account.leftover(f"{names.script_blob} in it could not be deleted: {error}"))
        return left


async def _script(c: Context, life: timedelta, ends: datetime, passwords: ServicePasswords) -> str:
    """The script with its values; the text is a secret.

    Without an address for the mail nobody would learn the passwords, so the VM gets none.
    """
    _, snapshot_url = await create_vm_snapshot_and_generate_sas(
        c.azure, c.run, None, ledger=c.ledger, seconds=int(life.total_seconds())
    )
    container_url, token, _ = await create_vhd_export_container_and_sas(
        c.azure,
        c.names.group,
        c.names.export_account,
        endpoint=c.facts["export_endpoint"],
        life=life,
    )
    spec = c.run.spec
    return render(
        GuestValues(
            snapshot_url=snapshot_url,
            azure_sas_token=token,
            run_id=c.run.id,
            vm_name=spec.vm_name,
            resource_group=spec.resource_group,
            location=spec.location,
            container_url=container_url,
            artefact_name=c.names.artefact,
            source_vm=spec.source_vm,
            target_size_bytes=str((spec.target_size_gib or 0) * GIB),
            sas_expires=_stamp(ends),
            hyper_v=spec.hyper_v,
            blob_type=spec.blob_type,
            services=spec.services,
            hosts={name: c.names.host(name) for name in SERVICES},
            ports=spec.ports,
            drop_password=passwords.drop if spec.email else "",
            pin_password=passwords.pin if spec.email else "",
            **from_settings(c.settings),
        )
    )


def _stamp(moment: datetime) -> str:
    return moment.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
