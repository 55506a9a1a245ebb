"""The listening socket of a part that starts on its first connection (socket activation).

The supervisor opens the socket, and the part inherits it. Connections that are made before the part accepts
them wait in the socket's backlog, so the first request is only slower.
"""

import asyncio
import socket
from typing import Final

_HOST: Final = "127.0.0.1"
_BACKLOG: Final = 128


class DemandSocket:
    """Must be used with a running loop."""

    def __init__(self, port: int) -> None:
        self._port = port
        self._socket: socket.socket | None = None

    @property
    def descriptor(self) -> int | None:
        """The file descriptor to pass on; None while the socket is closed."""
        return None if self._socket is None else self._socket.fileno()

    def open(self) -> None:
        """Listen, unless it already listens.

        Raises:
            OSError: the port is in use.
        """
        if self._socket is None:
            self._socket = socket.create_server((_HOST, self._port), backlog=_BACKLOG)
            self._socket.setblocking(False)

    def close(self) -> None:
        """Refuse connections from now on."""
        if self._socket is not None:
            self._socket.close()
            self._socket = None

    async def has_connection(self, *, within_s: float) -> bool:
        """Return whether a connection waits to be accepted, at the latest after `within_s`."""
        assert self._socket is not None
        loop, arrived = asyncio.get_running_loop(), asyncio.Event()
        loop.add_reader(self._socket, arrived.set)
        try:
            async with asyncio.timeout(within_s):
                await arrived.wait()
        except TimeoutError:
            return False
        finally:
            loop.remove_reader(self._socket)
        return True
