"""What the settings say to the guest, whatever the run."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from vhdlift.tools import OPTIONAL, TOOLS, Tool

if TYPE_CHECKING:
    from vhdlift.settings import Settings


def from_settings(settings: Settings) -> dict[str, Any]:
    """Fields of `GuestValues`: webhook, programs to download, time scale. Secrets are among them."""
    webhook, secret = settings.webhook_url, settings.webhook_secret
    return {
        "webhook_url": webhook.get_secret_value() if webhook else "",
        "webhook_secret": secret.get_secret_value() if secret else "",
        "tools": {**TOOLS, **_chosen_tools(settings)},
        "time_scale": f"{settings.time_scale:g}",
    }


def _chosen_tools(settings: Settings) -> dict[str, Tool]:
    """The programs that the settings name in place of ours, and those that only they can name."""
    found = {}
    for name in (*TOOLS, *OPTIONAL):
        url, sha256 = getattr(settings, f"{name}_url"), getattr(settings, f"{name}_sha256")
        ours = TOOLS.get(name)
        if url and sha256 and (ours is None or (url, sha256) != (ours.url, ours.sha256)):
            found[name] = Tool(url, sha256)
    return found
