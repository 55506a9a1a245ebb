"""The gRPC server and the tasks around it: push delivery and retention."""

import asyncio
import logging
import sqlite3
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Final

import grpc

from signalbox_devstack.emulators.pubsub.broker import Broker
from signalbox_devstack.emulators.pubsub.grpc_services.handlers import handlers
from signalbox_devstack.emulators.pubsub.journal import SqliteJournal
from signalbox_devstack.emulators.pubsub.push import Pushers
from signalbox_devstack.emulators.pubsub.recovery import restore_broker
from signalbox_devstack.emulators.pubsub.retention import sweep_forever

log = logging.getLogger(__name__)

STREAM_S: Final = 1_800.0
_STOP_GRACE_S: Final = 0.5
_OPTIONS: Final = (
    ("grpc.max_receive_message_length", 12 << 20),
    ("grpc.max_send_message_length", 12 << 20),
    ("grpc.so_reuseport", 0),
    ("grpc.keepalive_permit_without_calls", 1),
    ("grpc.http2.min_ping_interval_without_data_ms", 5_000),
    ("grpc.http2.max_ping_strikes", 0),
)


@asynccontextmanager
async def run_server(
    *, host: str, port: int, data: Path, stream_s: float = STREAM_S
) -> AsyncIterator["RunningServer"]:
    """Serve for the duration of the block.

    Raises:
        UnusableData: the data file is in use or has another format.
        RuntimeError: the port is in use.
    """
    broken = asyncio.Event()

    def on_failure(error: sqlite3.Error) -> None:
        log.error("the journal failed; stopping the server", extra={"data": str(data), "error": str(error)})
        broken.set()

    journal = SqliteJournal(data, on_failure)
    try:
        broker = restore_broker(journal)
        server = grpc.aio.server(options=_OPTIONS)
        async with Pushers() as pushers:
            server.add_generic_rpc_handlers(handlers(broker, pushers, stream_s))
            bound = server.add_insecure_port(f"{host}:{port}")
            for subscription in broker.subscriptions.values():
                pushers.sync(subscription)
            sweeper = asyncio.create_task(sweep_forever(broker))
            await server.start()
            try:
                yield RunningServer(port=bound, broken=broken)
            finally:
                sweeper.cancel()
                await _stop(server, broker)
    finally:
        journal.close()


class RunningServer:
    """A running server: its port, and an event that is set when its journal cannot be written."""

    def __init__(self, port: int, broken: asyncio.Event) -> None:
        self.port = port
        self.broken = broken


async def _stop(server: grpc.aio.Server, broker: Broker) -> None:
    """Close the streams with UNAVAILABLE first: clients reconnect on that status, not on OK or CANCELLED."""
    broker.is_closing = True
    for subscription in broker.subscriptions.values():
        for consumer in subscription.backlog.consumers:
            consumer.wake()
    await server.stop(_STOP_GRACE_S)
