"""Which IP addresses an untrusted URL may lead to: public ones only. Pure; no DNS, no sockets."""

from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address
from typing import Final

Address = IPv4Address | IPv6Address

# `is_global` takes these for public, although packets reach the embedded IPv4 address
# (RFC 6052, 8215, 3056, 4380).
_NAT64: Final = IPv6Network("64:ff9b::/96")
_LOCAL_NAT64: Final = IPv6Network("64:ff9b:1::/48")
_IPV4_COMPATIBLE: Final = IPv6Network("::/96")
_PROVIDER_INTERNAL: Final = (
    IPv4Network("168.63.129.16/32"),  # Azure: wire server, DNS, health probes
    IPv4Network("169.254.0.0/16"),  # metadata of AWS, Google Cloud, Azure and others; ECS task credentials
    IPv4Network("192.0.0.0/24"),  # metadata of Oracle Cloud (192.0.0.192) and IETF protocol assignments
    IPv4Network("100.64.0.0/10"),  # metadata of Alibaba Cloud (100.100.100.200), Tencent and Tailscale
    IPv4Network("161.26.0.0/16"),  # IBM Cloud: its services on the private network
    IPv4Network("166.8.0.0/14"),  # IBM Cloud: endpoints on the private network
    IPv6Network("fd00::/8"),  # AWS metadata (fd00:ec2::254), Google Cloud metadata (fd20:ce::254)
)
"""Addresses that are reachable only inside a provider's network. Some are in public ranges, where `is_global`
is true; the others are listed because the tables behind `is_global` differ between versions of Python."""


def parse_address(text: str) -> Address:
    """Parse an address; a zone (`fe80::1%eth0`) is dropped."""
    return ip_address(text.split("%", 1)[0])


def embedded(address: Address) -> tuple[Address, ...]:
    """The address and every IPv4 address embedded in it: mapped, compatible, 6to4, Teredo, NAT64."""
    if isinstance(address, IPv4Address):
        return (address,)
    if address.ipv4_mapped:
        return (address.ipv4_mapped,)
    if address in _NAT64:
        return (_last_32_bits(address),)
    found: list[Address] = [address]
    if address.sixtofour:
        found.append(address.sixtofour)
    if address.teredo:
        found.extend(address.teredo)
    if address in _LOCAL_NAT64 or address in _IPV4_COMPATIBLE:
        found.append(_last_32_bits(address))
    return tuple(found)


def is_public(address: Address) -> bool:
    """Whether the address, and every address embedded in it, is on the public internet."""
    return all(_is_public(part) for part in embedded(address))


def _last_32_bits(address: IPv6Address) -> IPv4Address:
    return IPv4Address(int(address) & 0xFFFF_FFFF)


def _is_public(address: Address) -> bool:
    if any(address in network for network in _PROVIDER_INTERNAL):
        return False
    return address.is_global and not (address.is_multicast or address.is_reserved or address.is_unspecified)


def endpoint(address: Address, port: int) -> str:
    """Format an endpoint as the allow list has it: `127.0.0.1:8080` or `[::1]:8080`."""
    return f"[{address}]:{port}" if isinstance(address, IPv6Address) else f"{address}:{port}"
