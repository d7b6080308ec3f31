"""Which addresses are anybody's, and which are this machine's, its network's or its cloud's own."""

from __future__ import annotations

import ipaddress
from ipaddress import IPv4Address, IPv6Address
from typing import Final

Address = IPv4Address | IPv6Address

_NOT_PUBLIC: Final = tuple(
    map(
        ipaddress.ip_network,
        (
            "0.0.0.0/8",
            "10.0.0.0/8",
            "100.64.0.0/10",  # carriers, and the metadata of some clouds
            "127.0.0.0/8",
            "169.254.0.0/16",  # metadata of most clouds
            "172.16.0.0/12",
            "192.0.0.0/24",
            "192.0.2.0/24",
            "192.88.99.0/24",
            "192.168.0.0/16",
            "198.18.0.0/15",
            "198.51.100.0/24",
            "203.0.113.0/24",
            "224.0.0.0/4",
            "240.0.0.0/4",
            "168.63.129.16/32",  # a cloud's own, among public ones
            "::/128",
            "::1/128",
            "100::/64",
            "2001:db8::/32",
            "3fff::/20",
            "5f00::/16",
            "fc00::/7",
            "fe80::/10",
            "fec0::/10",
            "ff00::/8",
        ),
    )
)
"""Networks of special purpose (RFC 6890 and its registries); Python's own lists change with its versions."""

_LAST_32_BITS: Final = tuple(
    map(
        ipaddress.ip_network,
        (
            "::/96",  # once for hosts of both kinds
            "::ffff:0:0/96",  # mapped
            "::ffff:0:0:0/96",  # translated
            "64:ff9b::/96",  # translated by a network
            "64:ff9b:1::/48",
        ),
    )
)
"""Networks whose addresses end with one of the older kind."""

_SIX_TO_FOUR: Final = ipaddress.ip_network("2002::/16")
_TEREDO: Final = ipaddress.ip_network("2001::/32")
_ISATAP: Final = (0x00005EFE, 0x02005EFE)
"""The third of four groups of 32 bits, before an address of the older kind."""


def is_public(address: Address) -> bool:
    """Tells whether an address is anybody's, whatever form it is written in."""
    if any(address in network for network in _NOT_PUBLIC):
        return False
    if isinstance(address, IPv4Address):
        return True
    return all(is_public(inner) for inner in _inner(address))


def plain(address: Address) -> Address:
    """Returns the address of the older kind that a mapped one is, others as they are."""
    mapped = address.ipv4_mapped if isinstance(address, IPv6Address) else None
    return mapped or address


def _inner(address: IPv6Address) -> list[IPv4Address]:
    """Returns the addresses of the older kind that one of the newer kind leads to."""
    number = int(address)
    last = IPv4Address(number & 0xFFFFFFFF)
    if any(address in network for network in _LAST_32_BITS):
        return [last]
    if address in _SIX_TO_FOUR:
        return [IPv4Address(number >> 80 & 0xFFFFFFFF)]
    if address in _TEREDO:
        server = IPv4Address(number >> 64 & 0xFFFFFFFF)
        return [server, IPv4Address(number & 0xFFFFFFFF ^ 0xFFFFFFFF)]
    if number >> 32 & 0xFFFFFFFF in _ISATAP:
        return [last]
    return []
