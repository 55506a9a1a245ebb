"""The live side of a stream: one connection per process subscribes to the channels of the watched runs."""

import asyncio
import logging
import math
import random
from collections import deque
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Final, Protocol

from redis.asyncio import Redis
from redis.asyncio.connection import AbstractConnection
from redis.exceptions import RedisError

from signalbox_core.process.tasks import raising_dropped_cancel
from signalbox_core.streams.keys import RunKeys
from signalbox_core.streams.record import unpack_message
from signalbox_core.streams.run_stream import Frame

log = logging.getLogger(__name__)
Receive = Callable[[str, Frame], None]
Opened = Callable[[str], None]
_PING_INTERVAL_S: Final = 5.0
_SILENCE_TIMEOUT_S: Final = 15.0
_MAX_BACKOFF_S: Final = 2.0
_MAX_CHANNELS_PER_COMMAND: Final = 500


class Channels(Protocol):
    """Live frames of the opened runs.

    Delivery is at most once: frames sent while the connection is down are lost. From a call of `opened` on,
    none is lost until the connection breaks.
    """

    async def run(self, receive: Receive, opened: Opened) -> None:
        """Receive frames until cancelled.

        Args:
            opened: called with the stream's key after every (re)subscription; read the log after it to
                close the gap.
        """
        ...

    def open(self, key: str) -> None:
        """Subscribe to the frames of a stream; `opened` follows."""
        ...

    def close(self, key: str) -> None:
        """Unsubscribe from the frames of a stream."""
        ...

    def is_open(self, key: str) -> bool:
        """Return whether the subscription to the stream is established."""
        ...


class RedisChannels:
    """Channels over one Redis connection, which reconnects and detects half-open connections with a ping."""

    def __init__(self, client: Redis) -> None:
        self._pool = client.connection_pool
        self._runs: dict[str, str] = {}
        self._open: set[str] = set()
        self._commands: deque[tuple[str, str]] = deque()
        self._wake = asyncio.Event()
        self._received_at = 0.0

    def open(self, key: str) -> None:
        channel = RunKeys(key).channel
        self._runs[channel] = key
        self._send("SUBSCRIBE", channel)

    def close(self, key: str) -> None:
        channel = RunKeys(key).channel
        self._runs.pop(channel, None)
        self._open.discard(key)
        self._send("UNSUBSCRIBE", channel)

    def is_open(self, key: str) -> bool:
        return key in self._open

    async def run(self, receive: Receive, opened: Opened) -> None:
        failures = 0
        while True:
            try:
                async with self._connection() as connection:
                    failures = 0
                    await self._serve(connection, receive, opened)
            except* (RedisError, OSError) as group:
                log.warning("live connection to Redis lost", extra={"error": repr(group.exceptions[0])})
            failures += 1
            await asyncio.sleep(min(_MAX_BACKOFF_S, 0.05 * 2**failures) * random.uniform(0.5, 1.0))

    def _send(self, verb: str, channel: str) -> None:
        self._commands.append((verb, channel))
        self._wake.set()

    @asynccontextmanager
    async def _connection(self) -> AsyncIterator[AbstractConnection]:
        connection: AbstractConnection = await self._pool.get_connection()  # type: ignore[no-untyped-call]
        try:
            yield connection
        finally:
            self._open.clear()
            await connection.disconnect(nowait=True)
            await self._pool.release(connection)

    async def _serve(self, connection: AbstractConnection, receive: Receive, opened: Opened) -> None:
        # Commands queued for an earlier connection are void; subscribe to every watched run again.
        self._commands = deque(("SUBSCRIBE", channel) for channel in self._runs)
        self._wake.set()
        self._received_at = asyncio.get_running_loop().time()
        async with asyncio.TaskGroup() as group:
            group.create_task(self._read(connection, receive, opened))
            group.create_task(self._write(connection))
            group.create_task(self._check(connection))

    async def _read(self, connection: AbstractConnection, receive: Receive, opened: Opened) -> None:
        loop = asyncio.get_running_loop()
        while True:
            answer = await connection.read_response(
                timeout=math.inf, disconnect_on_error=False, push_request=True
            )
            self._received_at = loop.time()
            if not isinstance(answer, list) or len(answer) != 3:
                continue
            kind, channel, value = answer
            key = self._runs.get(channel.decode())
            if key is None:
                continue
            if kind == b"message":
                receive(key, unpack_message(value))
            elif kind == b"subscribe":
                self._open.add(key)
                opened(key)

    async def _write(self, connection: AbstractConnection) -> None:
        while True:
            await self._wake.wait()
            self._wake.clear()
            while self._commands:
                verb, channels = self._next_command()
                await _command(connection, verb, *channels)

    def _next_command(self) -> tuple[str, list[str]]:
        """Merge the first command with the following ones of the same verb; order between verbs matters."""
        verb, channel = self._commands.popleft()
        channels = [channel]
        while self._commands and self._commands[0][0] == verb and len(channels) < _MAX_CHANNELS_PER_COMMAND:
            channels.append(self._commands.popleft()[1])
        return verb, channels

    async def _check(self, connection: AbstractConnection) -> None:
        loop = asyncio.get_running_loop()
        while True:
            await asyncio.sleep(_PING_INTERVAL_S)
            if loop.time() - self._received_at > _SILENCE_TIMEOUT_S:
                raise ConnectionError(f"no reply for {_SILENCE_TIMEOUT_S:.0f} s")
            await _command(connection, "PING")


async def _command(connection: AbstractConnection, *arguments: str) -> None:
    with raising_dropped_cancel():
        await connection.send_command(*arguments, check_health=False)
