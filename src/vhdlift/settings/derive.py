"""What one setting says about another: defaults that follow from others, and values that do not agree."""

from __future__ import annotations

import re
from contextlib import suppress
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from fixedvhd import stick_gib
from vhdlift.model import NEVER
from vhdlift.options import BY_NAME
from vhdlift.settings import addresses, guest_rules, net_rules, rules, values
from vhdlift.tools import OPTIONAL, TOOLS

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping
    from collections.abc import Set as AbstractSet

    from vhdlift.settings.model import Settings

NEEDED = (
    "source_vm",
    "source_resource_group",
    "subscription_id",
    "vm_name",
    "domain",
)
_LONGEST_NAME = 253
_USUAL_EXPIRY = 30
# Windows looks for the name in the password only if it has three characters or more.
_CHECKED_NAME = 3

_VM_ID = re.compile(
    r"/subscriptions/([^/]+)/resourceGroups/([^/]+)/providers/Microsoft\.Compute/virtualMachines/([^/]+)",
    re.IGNORECASE,
)


def missing(name: str) -> str:
    """The message about a setting that a run needs and nobody gave."""
    info = BY_NAME[name]
    return f"{info.title} is missing: {info.help[0].lower()}{info.help[1:]}"


def fill(given: Mapping[str, Any]) -> dict[str, Any]:
    """The given values with those added that follow from them; a given value always wins."""
    found = {**_from_resource_id(given), **given}
    if match := _VM_ID.fullmatch(str(given.get("source_vm", ""))):
        found["source_vm"] = match[3]
    return {**_from_vm_name(found), **_from_choices(found), **found}


def _from_resource_id(given: Mapping[str, Any]) -> dict[str, Any]:
    match = _VM_ID.fullmatch(str(given.get("source_vm", "")))
    return {"subscription_id": match[1], "source_resource_group": match[2]} if match else {}


def _from_vm_name(given: Mapping[str, Any]) -> dict[str, Any]:
    try:
        name = rules.computer_name(str(given.get("vm_name", "")))
    except ValueError:
        return {}
    found = {"resource_group": f"{name}-rg"}
    with suppress(ValueError):  # such as a name with two hyphens where punycode has them
        found["subdomain"] = net_rules.subdomain(name.lower())
    return found


def _from_choices(given: Mapping[str, Any]) -> dict[str, Any]:
    desktop = str(given.get("image", "")).startswith("MicrosoftWindowsDesktop:")
    return {
        **({"license_type": "Windows_Client"} if desktop else {}),
        **({"cloud": "custom"} if given.get("arm_endpoint") else {}),
        **({"smtp_port": 465} if given.get("smtp_tls") == "tls" else {}),
        **_expiry(given),
        **_stick(given),
        **_ports(given),
    }


def _ports(given: Mapping[str, Any]) -> dict[str, Any]:
    """What the services listen on, where they or the size of the VM are said."""
    if "service" not in given and "vm_size" not in given:
        return {}
    asked = values.split(given.get("service", BY_NAME["service"].default))
    size = given.get("vm_size", BY_NAME["vm_size"].default)
    return {"port": guest_rules.ports(asked, str(size))} if isinstance(asked, list | tuple) else {}


def _stick(given: Mapping[str, Any]) -> dict[str, Any]:
    """What fits on the stick, without its reserve."""
    stick = str(given.get("usb_gb", ""))
    return {"target_size_gib": stick_gib(int(stick))} if re.fullmatch(r"[0-9]{1,4}", stick) else {}


def _expiry(given: Mapping[str, Any]) -> dict[str, Any]:
    """What a link leads to must not be removed before the link ends."""
    days = str(given.get("link_days", ""))
    return {"expires_after_days": days} if days.isdecimal() and int(days) > _USUAL_EXPIRY else {}


def disagreements(given: Mapping[str, Any]) -> Iterator[str]:
    """What one setting says otherwise than another one that is given beside it."""
    of_stick, size = _stick(given).get("target_size_gib"), given.get("target_size_gib")
    if None not in (of_stick, size) and str(of_stick) != str(size):
        yield f"{_title('usb_gb')} and {_title('target_size_gib')} must not both be given: one size is enough"
    for name, said in _from_resource_id(given).items():
        own = given.get(name)
        if own is not None and str(own).lower() != said.lower():
            yield f"{_title(name)} must be {said!r}, as the resource id in {_title('source_vm')} says"


def across(s: Settings, bad: AbstractSet[str], *, for_run: bool) -> Iterator[str]:
    """What is wrong with settings that are right one by one.

    Args:
        s: the settings, without those that are wrong by themselves.
        bad: the names of the latter: nothing is said about them again.
        for_run: whether everything that a run needs must be there.
    """
    for names, check in _CHECKS.items():
        if not bad & set(names.split()):
            yield from check(s)
    needed = (*NEEDED, *(("smtp_host", "smtp_from") if s.email else ())) if for_run else ()
    yield from (missing(name) for name in needed if name not in bad and getattr(s, name) is None)


def _title(name: str) -> str:
    return BY_NAME[name].title


def _two_machines(s: Settings) -> Iterator[str]:
    ours = (s.vm_name or "").lower(), (s.resource_group or "").lower()
    if s.vm_name and ours == ((s.source_vm or "").lower(), (s.source_resource_group or "").lower()):
        yield f"{_title('vm_name')} must not be the source VM itself: the new VM is made beside it"


def _no_subdomain(s: Settings) -> Iterator[str]:
    if s.vm_name and s.subdomain is None:
        yield f"{_title('subdomain')} must be given: {s.vm_name} cannot be a name below the domain"


def _user_is_machine(s: Settings) -> Iterator[str]:
    if s.admin_username.lower() == (s.vm_name or "").lower():
        yield f"{_title('admin_username')} must not be the name of the VM: Windows refuses such an account"


def _password_with_user(s: Settings) -> Iterator[str]:
    password = s.admin_password.get_secret_value().lower() if s.admin_password else ""
    if len(s.admin_username) >= _CHECKED_NAME and s.admin_username.lower() in password:
        yield f"{_title('admin_password')} must not have the administrator's name in it"


def _long_names(s: Settings) -> Iterator[str]:
    if s.domain and s.subdomain and len(f"drop.{s.subdomain}.{s.domain}") > _LONGEST_NAME:
        yield (
            f"{_title('subdomain')} is too long: with 'drop.' before and the domain behind it, a name must "
            f"have at most {_LONGEST_NAME} characters"
        )


def _expired_link(s: Settings) -> Iterator[str]:
    if s.expires_after_days != NEVER and int(s.expires_after_days) < s.link_days:
        yield f"{_title('expires_after_days')} must not be less than {_title('link_days')}: {s.link_days}"


def _custom_cloud(s: Settings) -> Iterator[str]:
    if s.cloud == "custom" and not s.arm_endpoint:
        yield f"{_title('arm_endpoint')} is missing: a custom cloud needs the URL of its Resource Manager"
    if s.cloud != "custom" and s.arm_endpoint:
        yield f"{_title('arm_endpoint')} must not be given with the cloud {s.cloud!r}, which has its own"


def _tools(s: Settings) -> Iterator[str]:
    for tool in (*TOOLS, *OPTIONAL):
        pair = (f"{tool}_url", f"{tool}_sha256")
        if len(s.model_fields_set.intersection(pair)) == 1:
            yield f"{_title(pair[0])} and {_title(pair[1])} must be given together"


def _smtp_login(s: Settings) -> Iterator[str]:
    if bool(s.smtp_username) != bool(s.smtp_password):
        yield f"{_title('smtp_username')} and {_title('smtp_password')} must be given together"


def _client_secret(s: Settings) -> Iterator[str]:
    if s.client_secret and not (s.tenant_id and s.client_id):
        yield f"{_title('client_secret')} must be given with {_title('tenant_id')} and {_title('client_id')}"


def _webhook_place(s: Settings) -> Iterator[str]:
    host = urlsplit(s.webhook_url.get_secret_value()).hostname if s.webhook_url else None
    address = addresses.address_of(host) if host else None
    if address is not None and addresses.is_private(address) and not s.webhook_allow_private:
        yield (
            f"{_title('webhook_url')} must not lead to a private address: "
            f"{BY_NAME['webhook_allow_private'].title} lets it"
        )


_CHECKS: Mapping[str, Callable[[Settings], Iterator[str]]] = {
    "source_vm vm_name resource_group source_resource_group": _two_machines,
    "admin_username vm_name": _user_is_machine,
    "admin_password admin_username": _password_with_user,
    "domain subdomain": _long_names,
    "vm_name subdomain": _no_subdomain,
    "expires_after_days link_days": _expired_link,
    "cloud arm_endpoint": _custom_cloud,
    " ".join(f"{tool}_url {tool}_sha256" for tool in (*TOOLS, *OPTIONAL)): _tools,
    "smtp_username smtp_password": _smtp_login,
    "client_secret tenant_id client_id": _client_secret,
    "webhook_url webhook_allow_private": _webhook_place,
}
