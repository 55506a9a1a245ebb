"""Which IP addresses a stranger's URL may lead to: public ones only. Pure; knows no DNS and no socket."""

from ipaddress import IPv4Address, IPv6Address, IPv6Network, ip_address
from typing import Final

Address = IPv4Address | IPv6Address

# `is_global` calls these public although the packet ends at the IPv4 address inside (RFC 6052, RFC 8215, RFC 3056, RFC 4380).
_NAT64: Final = IPv6Network("64:ff9b::/96")
_LOCAL_NAT64: Final = IPv6Network("64:ff9b:1::/48")
_IPV4_COMPATIBLE: Final = IPv6Network("::/96")


def parse_address(text: str) -> Address:
    """The address without its zone (`fe80::1%eth0`)."""
    return ip_address(text.split("%", 1)[0])


def embedded(address: Address) -> tuple[Address, ...]:
    """The address and every IPv4 address it carries: mapped, compatible, 6to4, Teredo (server and client), NAT64."""
    if isinstance(address, IPv4Address):
        return (address,)
    if address.ipv4_mapped:
        return (address.ipv4_mapped,)
    if address in _NAT64:
        return (_last_32_bits(address),)
    inside: list[Address] = [address]
    if address.sixtofour:
        inside.append(address.sixtofour)
    if address.teredo:
        inside.extend(address.teredo)
    if address in _LOCAL_NAT64 or address in _IPV4_COMPATIBLE:
        inside.append(_last_32_bits(address))
    return tuple(inside)


def is_public(address: Address) -> bool:
    """Whether packets to it leave for the public internet, through every layer of embedding."""
    return all(_is_public(part) for part in embedded(address))


def _last_32_bits(address: IPv6Address) -> IPv4Address:
    return IPv4Address(int(address) & 0xFFFF_FFFF)


def _is_public(address: Address) -> bool:
    return address.is_global and not (address.is_multicast or address.is_reserved or address.is_unspecified)


def endpoint(address: Address, port: int) -> str:
    """`127.0.0.1:8080` or `[::1]:8080`: the form of the allow list."""
    return f"[{address}]:{port}" if isinstance(address, IPv6Address) else f"{address}:{port}"
