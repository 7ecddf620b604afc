"""What a domain, an address, a port, a URL may be.

As in `rules`: the canonical value is returned, or a `ValueError` says what it must be. Sources: RFC 1035 and
IDNA 2008 (names), RFC 5321 (mail addresses), "Standard Webhooks" (secrets).
"""

# ruff: noqa: PLR2004 # each limit stands beside the sentence that names it
from __future__ import annotations

import base64
import binascii
import ipaddress
import re
from email.headerregistry import Address
from email.utils import parseaddr
from typing import TypeVar
from urllib.parse import SplitResult, urlsplit

import idna

from vhdlift.settings import addresses

_Value = TypeVar("_Value", str, int)


def _punycode(value: str, rule: str) -> str:
    try:
        return idna.encode(value.rstrip("."), uts46=True, std3_rules=True).decode()
    except (idna.IDNAError, UnicodeError):
        raise ValueError(rule) from None


def domain(value: str) -> str:
    """A DNS name of at least two labels, in punycode."""
    rule = "must be a DNS name such as example.org: labels of 1 to 63 letters, digits, hyphens; 253 in all"
    name = _punycode(value, rule)
    if "." not in name or name.rpartition(".")[2].isdecimal():
        raise ValueError(rule)
    return name


def subdomain(value: str) -> str:
    """One or more DNS labels, in punycode."""
    return _punycode(
        value, "must be a name below the domain, such as lab1: labels of 1 to 63 letters, digits, hyphens"
    )


def network(value: str) -> str:
    """`*`, or an IPv4 network without host bits; a single address becomes a /32."""
    if value == "*":
        return value
    try:
        return str(ipaddress.IPv4Network(value))
    except ValueError:
        pass
    try:
        wider = ipaddress.IPv4Network(value, strict=False)
    except ValueError:
        raise ValueError("must be '*', or an IPv4 network such as 203.0.113.0/24") from None
    raise ValueError(f"must be a network without host bits: {wider}")


def networks(values: tuple[str, ...]) -> tuple[str, ...]:
    """Networks of which none holds another: Azure refuses a rule with prefixes that overlap."""
    if "*" in values and len(values) > 1:
        raise ValueError("must be '*' alone, which stands for everyone, or networks")
    nets = [ipaddress.IPv4Network(v) for v in values if v != "*"]
    for i, one in enumerate(nets):
        for other in nets[i + 1 :]:
            if one.overlaps(other):
                raise ValueError(f"must not overlap: {one} and {other}")
    return values


def no_repeats(values: tuple[_Value, ...]) -> tuple[_Value, ...]:
    """The same values, each given once."""
    if len({str(v).lower() for v in values}) < len(values):
        raise ValueError("must not be given twice with the same value")
    return values


def email(value: str) -> str:
    """One mail address; its domain in punycode, its local part in ASCII."""
    rule = "must be a mail address such as ann@example.org"
    local, at, host = value.rpartition("@")
    atom = r"[A-Za-z0-9!#$%&'*+/=?^_`{|}~-]+"
    if not at or len(value) > 254 or len(local) > 64 or not re.fullmatch(rf"{atom}(?:\.{atom})*", local):
        raise ValueError(rule)
    try:
        return f"{local}@{domain(host)}"
    except ValueError:
        raise ValueError(rule) from None


def sender(value: str) -> str:
    """A mail address, alone or as `Name <address>`."""
    if not value.isprintable():
        raise ValueError("must have no control characters")
    name, address = parseaddr(value)
    return str(Address(name, addr_spec=email(address))) if name else email(address or value)


def _split(value: str) -> SplitResult:
    if not value.isascii() or not value.isprintable() or " " in value:
        raise ValueError("must be a URL in ASCII without spaces")
    try:
        parts = urlsplit(value)
        parts.port  # noqa: B018 # its getter is what refuses a bad port
    except ValueError:
        raise ValueError("must be a URL such as https://example.org/path") from None
    if not parts.hostname:
        raise ValueError("must be a URL such as https://example.org/path")
    if parts.username is not None or parts.password is not None:
        raise ValueError("must have no name or password in it")
    if parts.fragment:
        raise ValueError("must have no '#' part")
    return parts


def url(value: str) -> str:
    """An https URL without credentials; http only to this machine; no address of the cloud's own plumbing."""
    parts = _split(value)
    host = parts.hostname or ""
    address = addresses.address_of(host)
    loopback = host == "localhost" or (address is not None and addresses.is_this_machine(address))
    if parts.scheme != "https" and not (parts.scheme == "http" and loopback):
        raise ValueError("must begin with https:// (http:// only to this machine)")
    if address is not None and addresses.is_forbidden(address):
        raise ValueError("must not lead to an address of the cloud's own services")
    return value


def endpoint(value: str) -> str:
    """The URL of a service, with nothing behind the host and its port."""
    parts = urlsplit(url(value))
    if parts.path not in ("", "/") or parts.query:
        raise ValueError("must be a URL without a path")
    return value.rstrip("/")


def authority(value: str) -> str:
    """Where to sign in: a host, or its https URL; the URL is returned."""
    return endpoint(value if "://" in value else f"https://{value}")


def resolver(value: str) -> str:
    """A DNS server as an IP address, with or without a port: `1.1.1.1`, `127.0.0.1:5353`, `[::1]:53`."""
    rule = "must be an IP address, or address:port ([address]:port for IPv6)"
    try:
        return str(ipaddress.ip_address(value))
    except ValueError:
        host, colon, port = value.rpartition(":")
    try:
        address = ipaddress.ip_address(host.removeprefix("[").removesuffix("]"))
    except ValueError:
        raise ValueError(rule) from None
    bracketed = host.startswith("[") and host.endswith("]")
    if (
        not colon
        or not port.isdecimal()
        or not 1 <= int(port) <= 65535
        or bracketed != (address.version == 6)
    ):
        raise ValueError(rule)
    return f"[{address}]:{int(port)}" if bracketed else f"{address}:{int(port)}"


def host(value: str) -> str:
    """A mail server: a DNS name or an IP address."""
    try:
        return str(ipaddress.ip_address(value))
    except ValueError:
        return _punycode(value, "must be a DNS name or an IP address")


def webhook_secret(value: str) -> str:
    """A key of Standard Webhooks: base64 of 24 to 64 bytes, with or without `whsec_`."""
    rule = "must be base64 of 24 to 64 bytes, with or without 'whsec_' before it"
    text = value.removeprefix("whsec_")
    try:
        key = base64.b64decode(text + "=" * (-len(text) % 4), validate=True)
    except (binascii.Error, ValueError):
        raise ValueError(rule) from None
    if not 24 <= len(key) <= 64:
        raise ValueError(rule)
    return value


def database_url(value: str) -> str:
    """A Postgres URL, or a SQLite file."""
    if not re.match(r"(?:postgresql(?:\+psycopg)?://[^/]|postgres://[^/]|sqlite:///)", value):
        raise ValueError("must begin with postgresql:// or sqlite:///")
    return value
