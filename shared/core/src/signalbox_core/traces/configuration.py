"""Whether spans are exported: the standard variables of OpenTelemetry, of which none is set by default."""

import asyncio
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from typing import Final

from signalbox_core.errors import InvalidInput
from signalbox_core.traces.spans import Tracing

ENDPOINTS: Final = ("OTEL_EXPORTER_OTLP_TRACES_ENDPOINT", "OTEL_EXPORTER_OTLP_ENDPOINT")
_PROTOCOLS: Final = ("OTEL_EXPORTER_OTLP_TRACES_PROTOCOL", "OTEL_EXPORTER_OTLP_PROTOCOL")
_PROTOCOL: Final = "http/protobuf"


def exports_spans(environ: Mapping[str, str]) -> bool:
    """Return whether an OTLP endpoint is configured, and tracing is not switched off by a variable.

    Raises:
        InvalidInput: a variable selects another exporter or protocol than OTLP over HTTP with Protobuf.
    """
    exporter = environ.get("OTEL_TRACES_EXPORTER", "").strip().lower() or "otlp"
    is_disabled = environ.get("OTEL_SDK_DISABLED", "").strip().lower() == "true"
    if is_disabled or exporter == "none" or not any(environ.get(name) for name in ENDPOINTS):
        return False
    if exporter != "otlp":
        raise InvalidInput(
            f"OTEL_TRACES_EXPORTER={exporter} is not supported; use otlp or none",
            field="OTEL_TRACES_EXPORTER",
        )
    protocol = next((environ[name] for name in _PROTOCOLS if environ.get(name)), _PROTOCOL)
    if protocol != _PROTOCOL:
        raise InvalidInput(
            f"the OTLP protocol {protocol} is not supported; set {_PROTOCOLS[1]} to {_PROTOCOL}",
            field=_PROTOCOLS[1],
        )
    return True


@asynccontextmanager
async def open_tracing(service: str, environ: Mapping[str, str]) -> AsyncIterator[Tracing]:
    """Tracing for one process; at the end, the last spans are sent within two seconds.

    Args:
        service: the name of the service in traces, unless OTEL_SERVICE_NAME sets another.

    Raises:
        InvalidInput: see `exports_spans`.
    """
    if not exports_spans(environ):
        yield Tracing()
        return
    # Only here: without an endpoint, starting a service does not pay for this import.
    from signalbox_core.traces.otlp import OtlpSink

    sink = OtlpSink(service)
    try:
        yield Tracing(sink)
    finally:
        await asyncio.to_thread(sink.close)
