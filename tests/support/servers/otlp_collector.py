"""An OTLP/HTTP collector on loopback, which decodes the Protobuf that it receives."""

import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

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

    def take(self, body: bytes) -> None:
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


@contextmanager
def otlp_collector() -> Iterator[OtlpCollector]:
    collector = OtlpCollector()

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            assert (self.path, self.headers["content-type"]) == ("/v1/traces", "application/x-protobuf")
            collector.take(self.rfile.read(int(self.headers["content-length"])))
            self.send_response(200)
            self.send_header("content-length", "0")
            self.end_headers()

        def log_message(self, *_: object) -> None:
            """Nothing is written to standard error."""

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        collector.url = f"http://127.0.0.1:{server.server_port}"
        thread = threading.Thread(target=server.serve_forever, daemon=True)
        thread.start()
        try:
            yield collector
        finally:
            server.shutdown()
            thread.join()


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
