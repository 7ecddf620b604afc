"""The programs that the target VM downloads: where from, and the SHA-256 that the download must have.

Sums are those of the winget and Scoop manifests of these versions, read in November 2026; a setting replaces
each of them. Source: github.com/microsoft/winget-pkgs, github.com/ScoopInstaller.
"""

from __future__ import annotations

from dataclasses import dataclass, field

_GITHUB = "https://github.com"


@dataclass(frozen=True)
class Tool:
    """One download: `sha256` are 64 hexadecimal digits, `version` is for people."""

    url: str = field(repr=False)
    sha256: str
    version: str = ""


TOOLS: dict[str, Tool] = {
    "azcopy": Tool(
        f"{_GITHUB}/Azure/azure-storage-azcopy/releases/download/v10.32.8/azcopy_windows_amd64_10.32.8.zip",
        "99fa0387e91250b0aa4f3e6186e3ea07ec21b62e95e42a58da10144ad5bbf38d",
        "10.32.8",
    ),
    "caddy": Tool(
        f"{_GITHUB}/caddyserver/caddy/releases/download/v2.11.4/caddy_2.11.4_windows_amd64.zip",
        "1708333f79e274c7697285afe6d592ab39314e0b131e9ec6bea08ad27df62ebf",
        "2.11.4",
    ),
    "dufs": Tool(
        f"{_GITHUB}/sigoden/dufs/releases/download/v0.46.0/dufs-v0.46.0-x86_64-pc-windows-msvc.zip",
        "21d829653ac1f178b124ed384e2a57df19b99ae404935cba9a1a5719c199b0bf",
        "0.46.0",
    ),
    "sunshine": Tool(
        f"{_GITHUB}/LizardByte/Sunshine/releases/download/v2026.914.233613/"
        "Sunshine-Windows-AMD64-installer.msi",
        "1d7fed8beecd5889dc7ff14cf9f42d6d38f37c3066c13c6c2a5f4e91847e0ccf",
        "2026.914.233613",
    ),
}
"""By name. A program for the browser is not among them, because no sum of one was published where we read:
the setting may add `moonlight`, and without it `web.` answers with a page that says so."""

OPTIONAL = ("moonlight",)
"""Names that a setting may add to those of `TOOLS`."""
