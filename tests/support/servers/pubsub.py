"""Clients of the local Pub/Sub server for tests, and the server as a process that can be killed."""

import asyncio
import os
import signal
import sys
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any, Self

import pytest
from google.pubsub_v1 import types

from signalbox_core.pubsub.connections import disconnect, publisher_client, subscriber_client

PROJECT = "projects/test"


class Local:
    """Google's two low-level asynchronous clients for one server, with shortcuts for common calls."""

    def __init__(self, host: str) -> None:
        self.host = host
        self.publisher = publisher_client(host)
        self.subscriber = subscriber_client(host)

    async def close(self) -> None:
        await disconnect(self.publisher)
        await disconnect(self.subscriber)

    async def topic(self, name: str = "topic", **settings: object) -> str:
        created = await self.publisher.create_topic(
            {"name": f"{PROJECT}/topics/{name}", **settings}, retry=None
        )
        return str(created.name)

    async def subscription(self, topic: str, name: str = "sub", **settings: object) -> str:
        request = {"name": f"{PROJECT}/subscriptions/{name}", "topic": topic, **settings}
        created = await self.subscriber.create_subscription(request, retry=None)
        return str(created.name)

    async def publish(self, topic: str, *bodies: bytes, key: str = "", **attributes: str) -> list[str]:
        messages = [
            types.PubsubMessage(data=body, ordering_key=key, attributes=attributes) for body in bodies
        ]
        response = await self.publisher.publish(topic=topic, messages=messages, retry=None)
        return list(response.message_ids)

    async def pull(
        self, subscription: str, *, most: int = 100, timeout_s: float = 30.0
    ) -> list[types.ReceivedMessage]:
        """Pull what is available now or within `timeout_s`."""
        response = await self.subscriber.pull(
            subscription=subscription, max_messages=most, retry=None, timeout=timeout_s
        )
        return list(response.received_messages)

    async def pull_now(self, subscription: str) -> list[types.ReceivedMessage]:
        """Pull what is available now, without waiting."""
        request = types.PullRequest(subscription=subscription, max_messages=100, return_immediately=True)
        # Deprecated for production, but the right option to look at the current state.
        with pytest.warns(DeprecationWarning, match="return_immediately"):
            response = await self.subscriber.pull(request, retry=None)
        return list(response.received_messages)

    async def ack(self, subscription: str, received: Sequence[types.ReceivedMessage]) -> None:
        await self.subscriber.acknowledge(
            subscription=subscription, ack_ids=[each.ack_id for each in received], retry=None
        )

    async def nack(self, subscription: str, received: Sequence[types.ReceivedMessage]) -> None:
        ids = [each.ack_id for each in received]
        await self.subscriber.modify_ack_deadline(
            subscription=subscription, ack_ids=ids, ack_deadline_seconds=0, retry=None
        )

    @asynccontextmanager
    async def stream(self, subscription: str, **first: object) -> AsyncIterator["Stream"]:
        opening = {"subscription": subscription, "stream_ack_deadline_seconds": 10, **first}
        stream = Stream(types.StreamingPullRequest(opening))
        stream.call = await self.subscriber.streaming_pull(requests=stream.requests(), retry=None)
        try:
            yield stream
        finally:
            stream.call.cancel()


class Stream:
    """One StreamingPull call: requests put into `outgoing` are sent, responses are read one by one."""

    def __init__(self, first: types.StreamingPullRequest) -> None:
        self.outgoing: asyncio.Queue[types.StreamingPullRequest] = asyncio.Queue()
        self.outgoing.put_nowait(first)
        self.call: Any = None

    async def requests(self) -> AsyncIterator[types.StreamingPullRequest]:
        while True:
            yield await self.outgoing.get()

    def send(self, **fields: object) -> None:
        self.outgoing.put_nowait(types.StreamingPullRequest(fields))

    def ack(self, *received: types.ReceivedMessage) -> None:
        self.send(ack_ids=[each.ack_id for each in received])

    def nack(self, *received: types.ReceivedMessage) -> None:
        ids = [each.ack_id for each in received]
        self.send(modify_deadline_ack_ids=ids, modify_deadline_seconds=[0] * len(ids))

    async def response(self, within_s: float = 10.0) -> types.StreamingPullResponse:
        async with asyncio.timeout(within_s):
            return await anext(aiter(self.call))

    async def messages(self, count: int) -> list[types.ReceivedMessage]:
        """Receive the next `count` messages."""
        found: list[types.ReceivedMessage] = []
        while len(found) < count:
            found += (await self.response()).received_messages
        assert len(found) == count, bodies(found)
        return found


def bodies(received: Sequence[types.ReceivedMessage]) -> list[bytes]:
    return [each.message.data for each in received]


class Program:
    """`signalbox-pubsub` as a process that keeps its data file and port across restarts."""

    def __init__(self, data: Path, *options: str, port: int = 0) -> None:
        self.data = data
        self.port = port
        self._options = options
        self._process: asyncio.subprocess.Process | None = None

    @property
    def host(self) -> str:
        return f"127.0.0.1:{self.port}"

    @property
    def process(self) -> asyncio.subprocess.Process:
        assert self._process is not None, "not started"
        return self._process

    async def start(self) -> Self:
        """Start the server and wait until it listens; later starts reuse the port."""
        command = (
            sys.executable,
            "-m",
            "signalbox_devstack.emulators.pubsub",
            "--port",
            str(self.port),
            "--data",
            str(self.data),
        )
        self._process = await asyncio.create_subprocess_exec(
            *command, *self._options, stdout=asyncio.subprocess.PIPE
        )
        async with asyncio.timeout(30):
            line = await _output_of(self.process).readline()
        assert line.startswith(b"listening "), line
        self.port = int(line.decode().rsplit(":", 1)[1])
        return self

    async def kill(self) -> None:
        """Send SIGKILL."""
        self.process.send_signal(signal.SIGKILL)
        await self.process.wait()

    def freeze(self) -> None:
        self.process.send_signal(signal.SIGSTOP)

    def thaw(self) -> None:
        self.process.send_signal(signal.SIGCONT)

    async def stop(self) -> int:
        if self.process.returncode is None:
            self.process.terminate()
        async with asyncio.timeout(60):
            return await self.process.wait()


async def run_program(*arguments: str) -> tuple[int, str]:
    """Run `signalbox-pubsub` until it exits; return its exit code and standard error."""
    command = (sys.executable, "-m", "signalbox_devstack.emulators.pubsub", *arguments)
    process = await asyncio.create_subprocess_exec(
        *command, stderr=asyncio.subprocess.PIPE, env={**os.environ}
    )
    _, errors = await asyncio.wait_for(process.communicate(), 30)
    assert process.returncode is not None
    return process.returncode, errors.decode()


def _output_of(process: asyncio.subprocess.Process) -> asyncio.StreamReader:
    assert process.stdout is not None
    return process.stdout
