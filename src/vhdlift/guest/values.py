"""The values at the head of the guest script, and the one place that quotes them."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from urllib.parse import urlsplit

from vhdlift.errors import UsageError
from vhdlift.tools import TOOLS, Tool

SECRETS = frozenset(
    {"snapshot_url", "azure_sas_token", "webhook_url", "webhook_secret", "drop_password", "pin_password"}
)
MASK = "***"
SERVICES = ("web", "drop", "pin")
DROP_USER, PIN_USER = "drop", "pin"
"""Who signs in at `drop.`, and at `pin.` and `web.`, with the password of the same name."""
_FIRST, _LAST = " ", "~"  # the printable part of ASCII
_HOST = re.compile(r"[a-z0-9-]{1,63}(\.[a-z0-9-]{1,63})+")
_PASSWORD = re.compile(r"[A-Za-z0-9._~-]{12,72}")  # bcrypt takes no more than 72
_RULE = "12 to 72 letters, digits, dots, hyphens, underscores or tildes"


@dataclass(frozen=True)
class GuestValues:
    """What one run tells its guest; a field's name in capitals is the variable's name in the script.

    Tuples stand there with commas between, mappings as JSON.

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
        sas_expires: when the first of the two SAS ends, ISO 8601 in UTC.
        time_scale: by which the guest multiplies its waits; 1 on a real machine.
        hyper_v: `auto`, `on` or `off`. The work never needs Hyper-V.
        blob_type: `page` or `block`, the artefact's.
        tools: the programs to download, by name; only what the chosen services need is fetched.
        services: which of `web`, `drop` and `pin` to serve; none leaves Windows closed.
        hosts: the full DNS name of each service, chosen or not.
        ports: what the network lets in; Windows' firewall opens those of them that a service listens on.
        drop_password: of the user `drop` at `drop.`. Secret. Nothing where nobody would learn it: then the
            service is not set up, as with the next one.
        pin_password: of the user `pin` at `pin.` and `web.`. Secret.
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
    sas_expires: str
    time_scale: str = "1"
    hyper_v: str = "auto"
    blob_type: str = "page"
    tools: Mapping[str, Tool] = field(default_factory=lambda: TOOLS, repr=False)
    services: tuple[str, ...] = ()
    hosts: Mapping[str, str] = field(default_factory=dict)
    ports: tuple[int, ...] = ()
    drop_password: str = field(default="", repr=False)
    pin_password: str = field(default="", repr=False)

    def texts(self) -> dict[str, str]:
        """Field name to text, in the order of the script's head."""
        return {f.name: _text(getattr(self, f.name)) for f in fields(self)}

    def masked(self) -> dict[str, str]:
        """The same with `***` for every secret that is set, and for the query of a tool's address."""
        texts = self.texts()
        for name in SECRETS:
            texts[name] = MASK if texts[name] else ""
        shown = {n: Tool(_without_query(t.url), t.sha256, t.version) for n, t in self.tools.items()}
        texts["tools"] = _text(shown)
        return texts

    def problems(self) -> list[str]:
        """Everything that would make the guest fail later; never a secret's value."""
        found = [p for name, text in self.texts().items() if (p := _unquotable(text, name))]
        found += _tool_problems(self.tools)
        found += self._service_problems()
        if self.hyper_v not in {"auto", "on", "off"}:
            found.append("hyper_v: auto, on or off")
        if self.blob_type not in {"page", "block"}:
            found.append("blob_type: page or block")
        if self.azure_sas_token.startswith("?"):
            found.append("azure_sas_token: no question mark at its start")
        if "?" in self.container_url or self.container_url.endswith("/"):
            found.append("container_url: no query and no slash at its end")
        if not re.fullmatch(r"\d{1,15}", self.target_size_bytes, re.ASCII):
            found.append("target_size_bytes: a whole number of bytes, 0 for no limit")
        if not re.fullmatch(r"\d{1,6}(\.\d{1,9})?(e-\d{1,2})?", self.time_scale, re.ASCII):
            found.append("time_scale: a decimal number")
        return found

    def _service_problems(self) -> list[str]:
        found = [
            f"services: {n} is none of {', '.join(SERVICES)}" for n in self.services if n not in SERVICES
        ]
        nameless = [n for n in self.services if not _HOST.fullmatch(self.hosts.get(n, ""))]
        found += [f"hosts: the DNS name of {n} is needed, in lower case" for n in nameless]
        for name in ("drop_password", "pin_password"):
            password = getattr(self, name)
            if password and not _PASSWORD.fullmatch(password):
                found.append(f"{name}: {_RULE}")
        found += [f"ports: {port} is no port" for port in self.ports if not 0 < port < 1 << 16]
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


def _text(value: object) -> str:
    """A field as it stands in the head."""
    if isinstance(value, Mapping):
        plain = {k: vars(v) if isinstance(v, Tool) else v for k, v in value.items()}
        return json.dumps(plain, separators=(",", ":"))
    return ",".join(map(str, value)) if isinstance(value, tuple) else str(value)


def _without_query(url: str) -> str:
    address, mark, _ = url.partition("?")
    return f"{address}?{MASK}" if mark else address


def _tool_problems(tools: Mapping[str, Tool]) -> list[str]:
    found = [f"tools.{name}: is needed" for name in TOOLS if name not in tools]
    for name, tool in tools.items():
        if not re.fullmatch(r"[a-z]{1,20}", name):
            found.append("tools: a name is lower-case letters")
        if urlsplit(tool.url).scheme not in {"https", "http"}:
            found.append(f"tools.{name}.url: an address that starts with https is needed")
        if not re.fullmatch(r"[0-9a-fA-F]{64}", tool.sha256):
            found.append(f"tools.{name}.sha256: 64 hexadecimal digits are needed")
    return found


def _unquotable(value: str, name: str) -> str | None:
    for place, character in enumerate(value, start=1):
        if not _FIRST <= character <= _LAST:
            return f"{name}: character {place} is U+{ord(character):04X}; only printable ASCII is allowed"
    return None
