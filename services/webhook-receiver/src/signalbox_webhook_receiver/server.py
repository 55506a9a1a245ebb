"""The receiver's HTTP server: the shared one, with the signature profile's limits and a drain notice."""

import asyncio

from starlette.types import ASGIApp

from signalbox_core.http.connection import ConnectionLimits
from signalbox_core.http.server import HttpServer, create_server
from signalbox_core.signatures.profile import MAX_HEADER_BYTES
from signalbox_webhook_receiver.deliveries import Draining
from signalbox_webhook_receiver.settings import Settings


def create_receiver_server(app: ASGIApp, settings: Settings, draining: Draining) -> HttpServer:
    """Create the app's server; it is not started."""

    async def drain() -> None:
        # Senders and load balancers get 503 for a moment before the port closes, and move to another replica.
        draining.has_started = True
        await asyncio.sleep(settings.drain_notice_s)

    return create_server(
        app,
        limits=ConnectionLimits(
            max_header_bytes=MAX_HEADER_BYTES, header_timeout_s=settings.header_timeout_s
        ),
        drain=drain,
        graceful_timeout_s=int(settings.drain_timeout_s),
    )
