"""`vhdlift script`: what will run on the target VM, for whoever wants to read it first."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from vhdlift.cli import output
from vhdlift.cli.taking import AsJson, takes_settings
from vhdlift.errors import ExitCode
from vhdlift.guest.render import GuestValues, render_masked
from vhdlift.model import CONTAINER
from vhdlift.settings import load_settings
from vhdlift.tools import TOOLS, Tool

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
    webhook, secret = settings.webhook_url, settings.webhook_secret
    source_vm = settings.source_vm or NOT_YET
    return GuestValues(
        snapshot_url=NOT_YET,
        azure_sas_token=NOT_YET,
        webhook_url=webhook.get_secret_value() if webhook else "",
        webhook_secret=secret.get_secret_value() if secret else "",
        run_id=NOT_YET,
        vm_name=settings.vm_name or NOT_YET,
        resource_group=settings.resource_group or NOT_YET,
        location=settings.location or NOT_YET,
        container_url=f"https://{NOT_YET}/{CONTAINER}",
        artefact_name=f"{source_vm}.vhd",
        source_vm=source_vm,
        target_size_bytes=str((settings.target_size_gib or 0) * GIB),
        tools={**TOOLS, "azcopy": Tool(settings.azcopy_url, settings.azcopy_sha256)},
        sas_expires=NOT_YET,
        time_scale=f"{settings.time_scale:g}",
    )
