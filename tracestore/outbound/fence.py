"""The rule for outbound requests: which URLs may be asked, and which addresses may stand behind their names."""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Collection, Iterable
from dataclasses import dataclass
from typing import Final
from urllib.parse import urlsplit

from tracestore.errors import OutboundRefusedError
from tracestore.outbound.addresses import Address, is_public, plain

PORTS: Final = {"http": 80, "https": 443}

MAX_URL_CHARACTERS: Final = 4096
"""Characters of a URL; what servers take."""

_NAME: Final = re.compile(r"(?!-)[a-z0-9_-]{1,63}(?<!-)(\.(?!-)[a-z0-9_-]{1,63}(?<!-))*")
_NUMBER: Final = re.compile(r"[0-9]+|0x[0-9a-f]*")

Network = ipaddress.IPv4Network | ipaddress.IPv6Network


@dataclass(frozen=True, slots=True)
class Target:
    """Where a URL leads.

    Attributes:
        host: in small letters, without brackets or a last dot.
        address: where the host is an address.
    """

    scheme: str
    host: str
    port: int
    address: Address | None


class Fence:
    """The rule for the requests of one purpose.

    Args:
        hosts: names that may be asked, `*.example.com` for those below one, or `name:port`; None for all.
        private: names, addresses and networks that may be asked though their addresses are not anybody's.
        setting: names the setting that has the hosts, for who is refused.
    """

    def __init__(
        self,
        hosts: Collection[str] | None = None,
        private: Collection[str] = (),
        setting: str = "outbound_private_hosts",
    ) -> None:
        self._hosts = None if hosts is None else frozenset(map(str.lower, hosts))
        self._networks, names = _parted(private)
        self._private = frozenset(names)
        self._setting = setting

    def target(self, url: str) -> Target:
        """Returns where a URL leads; raises OutboundRefusedError where requests do not go there."""
        target = _parsed(url)
        if self._hosts is not None and not _named(target, self._hosts):
            raise OutboundRefusedError(
                f"cannot ask {target.host}: it is not on the list of hosts; name it in {self._setting}"
            )
        if target.address is not None:
            self.judge(target.host, target.port, [target.address])
        return target

    def judge(self, host: str, port: int, addresses: Iterable[Address]) -> list[Address]:
        """Returns the addresses of a host that may be connected to.

        One that may not has the host refused as a whole: a name with addresses of both kinds is made to mislead.
        """
        judged = list(map(plain, addresses))
        target = Target("", host.lower().rstrip("."), port, None)
        if not judged:
            raise OutboundRefusedError(f"cannot ask {host}: it has no address")
        for address in judged:
            if is_public(address) or any(address in network for network in self._networks):
                continue
            # A cloud's own answers with keys of the machine to who asks; only its address in full opens it.
            if address.is_link_local or not _named(target, self._private):
                raise OutboundRefusedError(
                    f"cannot ask {host}: its address is not a public one; name it in outbound_private_hosts"
                )
        return judged


def _parted(private: Collection[str]) -> tuple[list[Network], list[str]]:
    """Returns the networks and the names of a list."""
    networks: list[Network] = []
    names: list[str] = []
    for each in private:
        try:
            networks.append(ipaddress.ip_network(each.strip("[]"), strict=False))
        except ValueError:
            names.append(each.lower())
    return networks, names


def _named(target: Target, names: Collection[str]) -> bool:
    host = target.host
    parents = [f"*.{host.split('.', count)[count]}" for count in range(1, host.count(".") + 1)]
    return any(name in names or f"{name}:{target.port}" in names for name in (host, *parents))


def _parsed(url: str) -> Target:
    if len(url) > MAX_URL_CHARACTERS or not url.isascii() or re.search(r"[\x00-\x20\x7f\\]", url):
        raise OutboundRefusedError(
            "cannot ask a URL with spaces, backslashes or other characters than ASCII, or a longer one than "
            f"{MAX_URL_CHARACTERS} characters"
        )
    try:
        parts = urlsplit(url)
        port = parts.port
        host = (parts.hostname or "").removesuffix(".")
    except ValueError:
        raise OutboundRefusedError("cannot ask a URL whose host or port is none") from None
    if parts.scheme not in PORTS:
        raise OutboundRefusedError(f"cannot ask by {parts.scheme!r}; want http or https")
    if "@" in parts.netloc:
        raise OutboundRefusedError("cannot ask a URL with a user's name; send it as a header")
    if port == 0:
        raise OutboundRefusedError("cannot ask port 0")
    return Target(parts.scheme, host, port or PORTS[parts.scheme], _address(host, parts.netloc))


def _address(host: str, netloc: str) -> Address | None:
    """Returns the address that a host is, None for a name; refuses what different readers read differently."""
    if "[" in netloc:
        try:
            return ipaddress.IPv6Address(host if "%" not in host else "")
        except ValueError:
            raise OutboundRefusedError(f"cannot ask [{host}]: it is no address of IPv6") from None
    if _NUMBER.fullmatch(host.rpartition(".")[2]):
        try:
            return ipaddress.IPv4Address(host)
        except ValueError:
            # 127.1, 0x7f000001, 2130706433, 0177.0.0.1: forms that some resolvers take.
            raise OutboundRefusedError(
                f"cannot ask {host}: write an address as four numbers from 0 to 255"
            ) from None
    if len(host) > 253 or not _NAME.fullmatch(host):
        raise OutboundRefusedError(f"cannot ask {host[:100]!r}: it is no name of a host")
    return None
