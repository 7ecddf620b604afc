"""Every setting once: its names, its default and one sentence of help.

The command line builds its options from this list, the settings model takes its defaults from it, and the
README's table is made of it. Nothing but the standard library is behind it, so that `--help` stays quick.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from vhdlift.tools import OPTIONAL, TOOLS

AZCOPY_RELEASES = "https://github.com/Azure/azure-storage-azcopy/releases"
AZCOPY_URL, AZCOPY_SHA256 = TOOLS["azcopy"].url, TOOLS["azcopy"].sha256


@dataclass(frozen=True)
class SettingInfo:
    """One setting.

    Attributes:
        name: the field of `Settings`.
        option: its spelling on the command line, or None where there is none (secrets, mostly).
        env: the environment variable, in the process and in `.env`.
        toml: the key in `vhdlift.toml`.
        default: the value when nothing is given.
        help: one sentence for people.
        secret: never shown, never on the command line.
        repeatable: may be given several times; in a variable the values are separated by commas.
        derived: how the default comes about where it is not a constant.
        choices: the only values there are, where there are few.
        flag: given without a value on the command line; elsewhere its value is yes or no.
    """

    name: str
    option: str | None
    env: str
    toml: str
    default: Any
    help: str
    secret: bool = False
    repeatable: bool = False
    derived: str = ""
    choices: tuple[str, ...] = ()
    flag: bool = False

    @property
    def title(self) -> str:
        """How a message names the setting: the option and the environment variable."""
        return f"{self.option} ({self.env})" if self.option else self.env


def _option(name: str, text: str, default: Any = None, *, option: str = "", **more: Any) -> SettingInfo:
    """A setting with an option and a variable of ours, both named after the field."""
    spelling = option or f"--{name.replace('_', '-')}"
    return SettingInfo(name, spelling, f"VHDLIFT_{name.upper()}", name, default, text, **more)


def _variable(name: str, text: str, default: Any = None, *, env: str = "", **more: Any) -> SettingInfo:
    """A setting without an option."""
    return SettingInfo(name, None, env or f"VHDLIFT_{name.upper()}", name, default, text, **more)


def _tool(name: str) -> tuple[SettingInfo, SettingInfo]:
    """Where a program of the new VM comes from, and what it must be."""
    tool = TOOLS.get(name)
    shown = f"{name} {tool.version}" if tool else "none"
    return (
        _variable(f"{name}_url", f"Where the new VM gets {name} from.", tool and tool.url, derived=shown),
        _variable(f"{name}_sha256", f"The SHA-256 of {name}'s download.", tool and tool.sha256),
    )


SETTINGS: list[SettingInfo] = [
    _option("source_vm", "The VM whose OS disk is exported: its name, or its full resource id."),
    _option(
        "source_resource_group", "The resource group of the source VM.", derived="read from the resource id"
    ),
    _option("vm_name", "The new Windows VM: 1 to 15 letters, digits and hyphens, not digits alone."),
    _option(
        "resource_group",
        "The resource group of the new VM; created if it does not exist.",
        derived="`<vm-name>-rg`",
    ),
    _option("location", "The Azure location of the new VM, such as `uksouth`.", derived="the source VM's"),
    _option("vm_size", "The size of the new VM.", "Standard_D4s_v5"),
    _option(
        "image",
        "The image of the new VM as publisher:offer:sku:version.",
        "MicrosoftWindowsServer:WindowsServer:2025-datacenter-g2:latest",
    ),
    # Windows, its page file and updates take about 40 GB and the disk of an Azure VM is 127 GiB by default.
    # Both fit into 256, and Azure bills a standard disk of 178 as one of 256.
    _option(
        "os_disk_gb",
        "The new VM's OS disk, 30 to 4095; must hold Windows (40) and the source's whole disk.",
        256,
    ),
    _option("admin_username", "The administrator of the new VM.", "vhdlift"),
    _variable(
        "admin_password",
        "The administrator's password, 12 to 123 characters.",
        secret=True,
        derived="made, and shown once",
    ),
    _option("domain", "The DNS zone in which the names `pin.`, `drop.` and `web.` are made."),
    _option("subdomain", "The name below the domain that the three names stand under.", derived="the VM's"),
    _option(
        "dns_resource_group",
        "The resource group of the DNS zone.",
        derived="found in the subscription",
    ),
    _option(
        "target_size_gib",
        "The most GiB that the finished VHD may have, 1 to 2040.",
        derived="what `--usb-gb` leaves, else the source disk's",
    ),
    _option(
        "usb_gb",
        "The USB stick that the finished VHD must fit on, in the decimal gigabytes it is sold by: 4 to 4000.",
    ),
    _option(
        "port",
        "A port to open on the new VM: UDP for 40000 to 40010 and 47998 to 48000, TCP for all others.",
        (80, 443),
        derived="what the services need: `80, 443`, and on sizes with a graphics card what streaming needs",
        repeatable=True,
    ),
    _option(
        "service",
        "What the new VM serves, `web`, `drop` or `pin`, or `none`; their passwords come in the mail only.",
        ("web", "drop", "pin"),
        repeatable=True,
    ),
    _option(
        "hyper_v",
        "Hyper-V on the new VM: `auto` where its size allows machines inside; the export never needs it.",
        "auto",
        choices=("auto", "on", "off"),
    ),
    _option(
        "blob_type",
        "The kind of the VHD's blob: `page` leaves holes out, `block` is quicker and billed whole.",
        "page",
        choices=("page", "block"),
    ),
    _option(
        "allow_from",
        "An IPv4 network (CIDR) that may reach the open ports, or `*` for everyone.",
        ("*",),
        repeatable=True,
    ),
    _option("email", "An address that gets the completion mail.", (), repeatable=True),
    _option("webhook_url", "Where every change of state is posted: https, or http on this machine."),
    _variable(
        "webhook_secret",
        "The key that signs webhook posts: base64 of 24 to 64 bytes, with or without `whsec_`.",
        secret=True,
    ),
    _option(
        "webhook_allow_private",
        "Lets the webhook be at a private address, such as 10.0.0.5; never at the cloud's own services.",
        derived="no",
        flag=True,
    ),
    _option("tag", "A tag, `name=value`, for everything that is made.", {}, repeatable=True),
    _option(
        "source_stop",
        "What is done to the source VM before its snapshot; `none` takes it while the VM runs.",
        "deallocate",
        choices=("deallocate", "poweroff", "none"),
    ),
    _option(
        "on_failure",
        "What happens when a step fails: remove everything, or keep it to look at.",
        "cleanup",
        choices=("cleanup", "keep"),
    ),
    _option(
        "license_type",
        "Windows licence you bring: `Windows_Client`, `Windows_Server` or `None`.",
        derived="`Windows_Client` for images of MicrosoftWindowsDesktop",
        choices=("Windows_Client", "Windows_Server", "None"),
    ),
    _option(
        "verify",
        "How the finished VHD is checked: read back as a whole, or its structure only.",
        "full",
        choices=("full", "structure"),
    ),
    _option(
        "silence_minutes",
        "Minutes without a word from the new VM, 1 to 1440, that end the run; after a third of them it is "
        "looked at, and a warning told.",
        15,
    ),
    _option("link_days", "How many days the download link in the mail works, 1 to 60.", 14),
    _option(
        "expires_after_days",
        "When `vhdlift gc` may remove all that a run made, its VHD included: days, 1 to 3650, or `never`.",
        derived="`30`, or as long as the link works",
    ),
    _option("auto_shutdown", "A time of day, `HH:MM`, at which Azure shuts the new VM down, every day."),
    _option(
        "auto_shutdown_timezone",
        "The time zone of that time, as Windows calls it: `W. Europe Standard Time`.",
        "UTC",
    ),
    _option(
        "cloud",
        "The Azure cloud.",
        derived="`custom` with an ARM endpoint, else `public`",
        choices=("public", "usgovernment", "china", "custom"),
    ),
    _option("arm_endpoint", "The URL of Azure Resource Manager in a custom cloud."),
    _option("ca_bundle", "A PEM file of the certificates to trust in place of the system's."),
    _option(
        "resolvers",
        "A DNS server, `address` or `address:port`, that is asked about the delegation.",
        ("8.8.8.8", "8.8.4.4"),
        option="--resolver",
        repeatable=True,
    ),
    _option("state_dir", "Where runs are remembered.", derived="the user's state directory"),
    _variable("database_url", "A Postgres database to remember runs in, in place of a file.", secret=True),
    _variable("time_scale", "Multiplies every wait and deadline; above 0, at most 100.", 1.0),
    *(setting for name in (*TOOLS, *OPTIONAL) for setting in _tool(name)),
    _variable("tenant_id", "The tenant to sign in to.", env="AZURE_TENANT_ID"),
    _variable("client_id", "The application or managed identity to sign in as.", env="AZURE_CLIENT_ID"),
    _variable("client_secret", "The application's secret.", env="AZURE_CLIENT_SECRET", secret=True),
    _variable(
        "subscription_id",
        "The subscription of both VMs.",
        env="AZURE_SUBSCRIPTION_ID",
        derived="read from the resource id of the source VM",
    ),
    _variable(
        "authority_host",
        "Where to sign in, in a custom cloud.",
        env="AZURE_AUTHORITY_HOST",
        derived="the cloud's",
    ),
    _variable("smtp_host", "The mail server; needed when there is an e-mail address.", env="SMTP_HOST"),
    _variable("smtp_port", "Its port.", env="SMTP_PORT", derived="465 with `SMTP_TLS=tls`, else 587"),
    _variable("smtp_username", "The name to sign in with at the mail server.", env="SMTP_USERNAME"),
    _variable("smtp_password", "The password of that name.", env="SMTP_PASSWORD", secret=True),
    _variable("smtp_from", "The sender's address, or `Name <address>`.", env="SMTP_FROM"),
    _variable(
        "smtp_tls",
        "`starttls`, `tls` or `none`; `auto` is STARTTLS, which only a server on this machine may lack.",
        "auto",
        env="SMTP_TLS",
        choices=("auto", "starttls", "tls", "none"),
    ),
]

BY_NAME: dict[str, SettingInfo] = {info.name: info for info in SETTINGS}
