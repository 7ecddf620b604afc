"""The values at the head of the guest script, and the one place that quotes them."""

from __future__ import annotations

import re
from dataclasses import dataclass, field, fields

from vhdlift.errors import UsageError

SECRETS = frozenset({"snapshot_url", "azure_sas_token", "webhook_url", "webhook_secret"})
MASK = "***"
_FIRST, _LAST = " ", "~"  # the printable part of ASCII


@dataclass(frozen=True)
class GuestValues:
    """What one run tells its guest, as text; a field's name in capitals is the variable's name in the script.

    Attributes:
        snapshot_url: the export SAS of the snapshot. Secret, as are the next three.
        azure_sas_token: query string of a SAS for the container, without the question mark.
        webhook_url: where to post, or nothing.
        webhook_secret: key for the signatures of Standard Webhooks, or nothing.
        run_id: the run.
        vm_name: the target VM, for the webhook.
        resource_group: its group, for the webhook.
        location: its location, for the webhook.
        container_url: `https://.../vhdusb`, without a SAS.
        artefact_name: the blob to make, such as `lab1.vhd`.
        source_vm: the VM whose disk it is, for the manifest.
        target_size_bytes: upper limit of the artefact's virtual size; 0 keeps the source's.
        azcopy_url: the zip of AzCopy for Windows.
        azcopy_sha256: its SHA-256, hexadecimal.
        sas_expires: when the first of the two SAS ends, ISO 8601 in UTC.
        time_scale: by which the guest multiplies its waits; 1 on a real machine.
    """

    snapshot_url: str = field(repr=False)
    azure_sas_token: str = field(repr=False)
    webhook_url: str = field(repr=False)
    webhook_secret: str = field(repr=False)
    run_id: str
    vm_name: str
    resource_group: str
    location: str
    container_url: str
    artefact_name: str
    source_vm: str
    target_size_bytes: str
    azcopy_url: str = field(repr=False)
    azcopy_sha256: str
    sas_expires: str
    time_scale: str = "1"

    def texts(self) -> dict[str, str]:
        """Field name to text, in the order of the script's head."""
        return {f.name: getattr(self, f.name) for f in fields(self)}

    def masked(self) -> dict[str, str]:
        """The same with `***` for every secret that is set, and for the query of the address of AzCopy."""
        texts = self.texts()
        for name in SECRETS:
            texts[name] = MASK if texts[name] else ""
        address, mark, _ = texts["azcopy_url"].partition("?")
        texts["azcopy_url"] = f"{address}?{MASK}" if mark else address
        return texts

    def problems(self) -> list[str]:
        """Everything that would make the guest fail later; never a secret's value."""
        found = [p for name, text in self.texts().items() if (p := _unquotable(text, name))]
        if not re.fullmatch(r"[0-9a-fA-F]{64}", self.azcopy_sha256):
            found.append("azcopy_sha256: 64 hexadecimal digits are needed")
        if self.azure_sas_token.startswith("?"):
            found.append("azure_sas_token: no question mark at its start")
        if "?" in self.container_url or self.container_url.endswith("/"):
            found.append("container_url: no query and no slash at its end")
        if not re.fullmatch(r"\d{1,15}", self.target_size_bytes, re.ASCII):
            found.append("target_size_bytes: a whole number of bytes, 0 for no limit")
        if not re.fullmatch(r"\d{1,6}(\.\d{1,9})?(e-\d{1,2})?", self.time_scale, re.ASCII):
            found.append("time_scale: a decimal number")
        return found


def quote(value: str, name: str = "value") -> str:
    """A PowerShell literal that means exactly `value`.

    In single quotes nothing is special but the quote itself, which is doubled. PowerShell takes U+2018,
    U+2019, U+201A and U+201B for single quotes too, and Windows PowerShell reads a file without a BOM in
    the machine's code page; so nothing but printable ASCII is let through. Source: about_Quoting_Rules and
    about_Character_Encoding of Microsoft's PowerShell documentation.

    Raises:
        UsageError: a character that is not printable ASCII; names the field, not the value.
    """
    if problem := _unquotable(value, name):
        raise UsageError([problem])
    return "'" + value.replace("'", "''") + "'"


def _unquotable(value: str, name: str) -> str | None:
    for place, character in enumerate(value, start=1):
        if not _FIRST <= character <= _LAST:
            return f"{name}: character {place} is U+{ord(character):04X}; only printable ASCII is allowed"
    return None
