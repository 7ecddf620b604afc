"""Which addresses a request to the outside may go to, and which belong to the machine's surroundings alone.

Sources: the IANA registries of special addresses (as Python's `ipaddress` has them), RFC 6052 (NAT64),
RFC 3056 (6to4), and the documents of the clouds about their metadata services.
"""

from __future__ import annotations

import ipaddress
import socket

Ip = ipaddress.IPv4Address | ipaddress.IPv6Address

# What a cloud answers its own machines at, secrets of theirs included; the rest of it is link-local.
_OF_THE_CLOUD = frozenset(
    ipaddress.ip_address(address)
    for address in ("168.63.129.16", "100.100.100.200", "192.0.0.192", "fd00:ec2::254", "fd20:ce::254")
)
_NAT64 = ipaddress.IPv6Network("64:ff9b::/96")
_COMPATIBLE = ipaddress.IPv6Network("::/96")
_LOW_32_BITS = 0xFFFFFFFF


def address_of(host: str) -> Ip | None:
    """The IP address that a URL's host stands for, in any of the spellings that resolvers take."""
    try:
        return ipaddress.IPv4Address(socket.inet_aton(host))
    except (OSError, ValueError):
        pass
    try:
        return ipaddress.IPv6Address(host)
    except ValueError:
        return None


def is_this_machine(address: Ip) -> bool:
    """Whether it is a loopback address, as which an IPv6 spelling of 127.0.0.1 counts too."""
    return _inner(address).is_loopback


def is_forbidden(address: Ip) -> bool:
    """Whether nothing but the cloud's own services, or nobody at all, can be there."""
    found = _inner(address)
    return found in _OF_THE_CLOUD or found.is_link_local or found.is_unspecified or found.is_multicast


def is_private(address: Ip) -> bool:
    """Whether it is one of a network that the internet does not reach; loopback is not among them."""
    found = _inner(address)
    return not found.is_global and not found.is_loopback


def _inner(address: Ip) -> Ip:
    """The IPv4 address that is reached by an IPv6 address, where that is what it is for."""
    if isinstance(address, ipaddress.IPv4Address):
        return address
    tunnelled = address.ipv4_mapped or address.sixtofour or (address.teredo or (None, None))[1]
    if tunnelled is None and address in _NAT64:
        tunnelled = ipaddress.IPv4Address(int(address) & _LOW_32_BITS)
    # Below 65536 it is `::`, `::1` and their neighbours, which hold no IPv4 address.
    if tunnelled is None and address in _COMPATIBLE and int(address) >= 1 << 16:
        tunnelled = ipaddress.IPv4Address(int(address) & _LOW_32_BITS)
    return tunnelled or address
