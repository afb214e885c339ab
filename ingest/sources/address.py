"""Which network addresses may be connected to."""

from __future__ import annotations

import socket
from collections.abc import Callable, Sequence
from ipaddress import IPv4Address, IPv6Address, IPv6Network, ip_address, ip_network

from rag.errors import DocumentError

Resolve = Callable[[str, int], Sequence[str]]

# Where clouds tell machines their keys, outside of the ranges that ipaddress knows as special: Azure, Oracle, AWS.
METADATA = tuple(ip_network(name) for name in ("168.63.129.16/32", "192.0.0.0/24", "fd00:ec2::/32"))
# RFC 6052: an IPv4 address in the last 32 bits of an IPv6 one.
NAT64 = IPv6Network("64:ff9b::/96")


def resolve(host: str, port: int) -> Sequence[str]:
    """The addresses of a host; raises OSError and UnicodeError."""
    found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    return list(dict.fromkeys(str(place[0]) for *_, place in found))


def refuse_unless_allowed(host: str, addresses: Sequence[str], *, allow_private: bool) -> None:
    """Raise DocumentError when one of a host's addresses may not be connected to.

    Link-local, multicast and cloud-metadata addresses are never allowed: no document lies there.
    """
    for text in addresses:
        address = _embedded(ip_address(text))
        if _is_never_allowed(address):
            raise _no_public_one(host, text, remedy="check the address; no setting allows this one")
        if not (allow_private or _is_public(address)):
            remedy = "check the address; for pages of your own network set ingest.web.allow_private = true"
            raise _no_public_one(host, text, remedy=remedy)


def _no_public_one(host: str, text: str, *, remedy: str) -> DocumentError:
    seen = f"{host} has the address {text}, which is no public one"
    return DocumentError(seen, expected="a page on the internet", remedy=remedy)


def _embedded(address: IPv4Address | IPv6Address) -> IPv4Address | IPv6Address:
    """The IPv4 address that an IPv6 one stands for, else itself."""
    if isinstance(address, IPv4Address):
        return address
    if address in NAT64:
        return IPv4Address(int(address) & 0xFFFFFFFF)
    teredo = address.teredo
    return address.ipv4_mapped or address.sixtofour or (teredo[1] if teredo else address)


def _is_never_allowed(address: IPv4Address | IPv6Address) -> bool:
    is_metadata = any(address.version == network.version and address in network for network in METADATA)
    return is_metadata or address.is_link_local or address.is_multicast or address.is_unspecified


def _is_public(address: IPv4Address | IPv6Address) -> bool:
    if isinstance(address, IPv6Address) and address.is_site_local:
        return False
    return address.is_global and not (address.is_private or address.is_reserved or address.is_loopback)
