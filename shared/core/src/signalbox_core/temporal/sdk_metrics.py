"""The metrics of Temporal's SDK, which a service serves together with its own.

The SDK exports them only on a port of its own. That port is on loopback and any free one, so it needs no
setting and is not published.
"""

import asyncio
import http.client
import logging
import socket
from collections.abc import Callable
from dataclasses import dataclass
from datetime import timedelta
from typing import Final

from temporalio.runtime import PrometheusConfig, Runtime, TelemetryConfig

from signalbox_core.errors import Unavailable

log = logging.getLogger(__name__)
_HOST: Final = "127.0.0.1"
_ATTEMPTS: Final = 5
_TIMEOUT_S: Final = 1.0


@dataclass(frozen=True, kw_only=True)
class SdkMetrics:
    """A runtime of the SDK, to be passed to `connect`, and the loopback port of its metrics."""

    runtime: Runtime
    port: int

    async def read(self) -> bytes:
        """The metrics in Prometheus' text format; empty while they cannot be read."""
        return await asyncio.to_thread(self._read)

    def _read(self) -> bytes:
        connection = http.client.HTTPConnection(_HOST, self.port, timeout=_TIMEOUT_S)
        try:
            connection.request("GET", "/metrics", headers={"connection": "close"})
            response = connection.getresponse()
            return response.read() if response.status == http.client.OK else b""
        except (OSError, http.client.HTTPException) as error:
            log.warning("metrics of the Temporal SDK not read", extra={"error": str(error)[:200]})
            return b""
        finally:
            connection.close()


def open_sdk_metrics(
    heartbeat_interval: timedelta | None = None, *, choose_port: Callable[[], int] | None = None
) -> SdkMetrics:
    """Create a runtime whose metrics are on.

    Args:
        heartbeat_interval: of its workers; None: they send no heartbeats.

    Raises:
        Unavailable: five free ports in a row were taken by other processes before the SDK could listen.
    """
    for _ in range(_ATTEMPTS):
        port = (choose_port or _free_port)()
        metrics = PrometheusConfig(
            bind_address=f"{_HOST}:{port}",
            counters_total_suffix=True,
            unit_suffix=True,
            durations_as_seconds=True,
        )
        try:
            runtime = Runtime(
                telemetry=TelemetryConfig(metrics=metrics), worker_heartbeat_interval=heartbeat_interval
            )
        except ValueError as error:
            if "Address already in use" not in str(error):
                raise
            continue
        return SdkMetrics(runtime=runtime, port=port)
    raise Unavailable("no free port on 127.0.0.1 for the metrics of Temporal's SDK; start the service again")


def _free_port() -> int:
    with socket.create_server((_HOST, 0)) as listener:
        return int(listener.getsockname()[1])
