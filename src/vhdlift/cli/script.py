"""`vhdlift script`: what will run on the target VM, for whoever wants to read it first."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from vhdlift.cli import output
from vhdlift.cli.taking import AsJson, takes_settings
from vhdlift.errors import ExitCode
from vhdlift.guest.render import GuestValues, render_masked
from vhdlift.guest.wanted import from_settings
from vhdlift.model import CONTAINER, SERVICES
from vhdlift.settings import load_settings
from vhdlift.settings.guest_rules import NONE

if TYPE_CHECKING:
    from vhdlift.settings import Settings

NOT_YET = "known-when-a-run-starts"
GIB = 2**30


@takes_settings()
def script(given: dict[str, Any], as_json: AsJson = False) -> int:
    """Print the PowerShell program that a run with these settings would put on the target VM.

    Secrets appear as ***. Nobody is asked, so what Azure would have to say is replaced too.
    """
    text = render_masked(values(load_settings(given)))
    if as_json:
        output.emit("result", {"script": text, "exit_code": int(ExitCode.COMPLETED)})
    else:
        output.write(text)
    return int(ExitCode.COMPLETED)


def values(settings: Settings) -> GuestValues:
    """The values at the script's head as far as the settings know them."""
    source_vm = settings.source_vm or NOT_YET
    services = () if settings.service == (NONE,) else settings.service
    return GuestValues(
        snapshot_url=NOT_YET,
        azure_sas_token=NOT_YET,
        run_id=NOT_YET,
        vm_name=settings.vm_name or NOT_YET,
        resource_group=settings.resource_group or NOT_YET,
        location=settings.location or NOT_YET,
        container_url=f"https://{NOT_YET}/{CONTAINER}",
        artefact_name=f"{source_vm}.vhd",
        source_vm=source_vm,
        target_size_bytes=str((settings.target_size_gib or 0) * GIB),
        sas_expires=NOT_YET,
        hyper_v=settings.hyper_v,
        blob_type=settings.blob_type,
        services=services,
        hosts={
            name: f"{name}.{settings.subdomain or 'host'}.{settings.domain or NOT_YET}" for name in SERVICES
        },
        ports=settings.port,
        drop_password=NOT_YET,
        pin_password=NOT_YET,
        **from_settings(settings),
    )
