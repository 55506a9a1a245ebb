"""An OTLP/HTTP collector on loopback, which decodes the Protobuf that it receives."""

import threading
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Protocol, TypeVar

from msgspec import Struct
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.proto.trace.v1.trace_pb2 import Span


class CollectedSpan(Struct, frozen=True, kw_only=True):
    """`links` has trace ids."""

    service: str
    name: str
    trace_id: str
    span_id: str
    parent_id: str
    links: Sequence[str]
    attributes: dict[str, str]
    is_error: bool


class OtlpCollector:
    """The spans that were received; the requests are answered in threads."""

    def __init__(self) -> None:
        self._spans: list[CollectedSpan] = []
        self._lock = threading.Lock()
        self.url = ""

    @property
    def spans(self) -> list[CollectedSpan]:
        with self._lock:
            return list(self._spans)

    def of_trace(self, trace_id: str) -> list[CollectedSpan]:
        return [span for span in self.spans if span.trace_id == trace_id]

    def take(self, body: bytes, _headers: Mapping[str, str]) -> int:
        request = ExportTraceServiceRequest.FromString(body)
        found = [
            _collected(service, span)
            for resource in request.resource_spans
            for service in [_text_of(resource.resource.attributes)["service.name"]]
            for scope in resource.scope_spans
            for span in scope.spans
        ]
        with self._lock:
            self._spans += found
        return 200


class TraceReceiver(Protocol):
    """Receives the exports; it is called from several threads."""

    url: str

    def take(self, body: bytes, headers: Mapping[str, str]) -> int:
        """Receive an export, whose headers have lower case names; returns the status to reply."""
        ...


R = TypeVar("R", bound=TraceReceiver)


@contextmanager
def collecting(receiver: R) -> Iterator[R]:
    """Serve OTLP/HTTP for a receiver, whose `url` is set."""

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_POST(self) -> None:
            assert (self.path, self.headers["content-type"]) == ("/v1/traces", "application/x-protobuf")
            headers = {name.lower(): value for name, value in self.headers.items()}
            self.send_response(receiver.take(self.rfile.read(int(headers["content-length"])), headers))
            self.send_header("retry-after", "0")
            self.send_header("content-length", "0")
            self.end_headers()

        def log_message(self, *_: object) -> None:
            """Nothing is written to standard error."""

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        receiver.url = f"http://127.0.0.1:{server.server_port}"
        thread = threading.Thread(target=server.serve_forever, daemon=True)
        thread.start()
        try:
            yield receiver
        finally:
            server.shutdown()
            thread.join()


@contextmanager
def otlp_collector() -> Iterator[OtlpCollector]:
    with collecting(OtlpCollector()) as collector:
        yield collector


def _collected(service: str, span: Span) -> CollectedSpan:
    return CollectedSpan(
        service=service,
        name=span.name,
        trace_id=span.trace_id.hex(),
        span_id=span.span_id.hex(),
        parent_id=span.parent_span_id.hex(),
        links=[link.trace_id.hex() for link in span.links],
        attributes=_text_of(span.attributes),
        is_error=span.status.code == span.status.STATUS_CODE_ERROR,
    )


def _text_of(attributes: object) -> dict[str, str]:
    return {
        item.key: str(getattr(item.value, item.value.WhichOneof("value")))
        for item in attributes  # type: ignore[attr-defined]
    }
