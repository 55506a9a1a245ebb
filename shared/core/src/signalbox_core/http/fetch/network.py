"""The network backend of the fetcher: resolves a name once, checks all addresses, connects to one of them.

The check and the connection use the same result of the resolver, which prevents DNS rebinding.
"""

import asyncio
import socket
from collections.abc import Awaitable, Callable, Iterable
from typing import Final

import httpcore2
from httpcore2 import AnyIOBackend, AsyncNetworkBackend, AsyncNetworkStream

from signalbox_core.errors import Rejected, Unavailable
from signalbox_core.http.fetch.addresses import Address, endpoint, is_public, parse_address

PORTS: Final = frozenset({80, 443})
SocketOption = tuple[int, int, int] | tuple[int, int, bytes | bytearray] | tuple[int, int, None, int]


Resolve = Callable[[str, int], Awaitable[list[str]]]


async def system_resolve(host: str, port: int) -> list[str]:
    """Resolve a host with the resolver of this machine; raises what `getaddrinfo` raises."""
    found = await asyncio.get_running_loop().getaddrinfo(host, port, type=socket.SOCK_STREAM)
    return [str(entry[4][0]) for entry in found]


class CheckedNetwork(AsyncNetworkBackend):
    """Connects to public addresses on ports 80 and 443, and to the `ip:port` pairs in `allow`."""

    def __init__(self, allow: frozenset[str], *, field: str, resolve: Resolve) -> None:
        self._allow = allow
        self._field = field
        self._resolver = resolve
        self._inner = AnyIOBackend()

    async def connect_tcp(
        self,
        host: str,
        port: int,
        timeout: float | None = None,  # noqa: ASYNC109 — the library's signature
        local_address: str | None = None,
        socket_options: Iterable[SocketOption] | None = None,
    ) -> AsyncNetworkStream:
        addresses = await self._resolve(host, port)
        self._check(host, port, addresses)
        last: Exception | None = None
        for address in addresses[:4]:
            try:
                return await self._inner.connect_tcp(
                    str(address), port, timeout, local_address, socket_options
                )
            except (httpcore2.ConnectError, httpcore2.ConnectTimeout) as error:
                last = error
        raise last or httpcore2.ConnectError(f"{host} has no address")

    async def sleep(self, seconds: float) -> None:
        await asyncio.sleep(seconds)

    async def _resolve(self, host: str, port: int) -> list[Address]:
        try:
            found = await self._resolver(host, port)
        except socket.gaierror as error:
            if error.errno == socket.EAI_AGAIN:
                raise Unavailable(
                    f"the name {host} cannot be resolved right now; try again", field=self._field
                ) from error
            raise Rejected(
                f"there is no host named {host}; check the address", field=self._field, code="unknown_host"
            ) from error
        except UnicodeError as error:
            raise Rejected(
                f"{host[:80]} is not a host name; check the address", field=self._field, code="unknown_host"
            ) from error
        return list(dict.fromkeys(parse_address(text) for text in found))

    def _check(self, host: str, port: int, addresses: list[Address]) -> None:
        for address in addresses:
            if endpoint(address, port) in self._allow:
                continue
            if not is_public(address):
                named = host if host == str(address) else f"{host} ({address})"
                detail = f"{named} is not a public address; give the address of a page on the internet"
                raise Rejected(detail, field=self._field, code="blocked_address")
            if port not in PORTS:
                raise Rejected(
                    f"port {port} of {host} is not allowed; use 80 or 443",
                    field=self._field,
                    code="blocked_port",
                )
