"""Logs as JSON lines: a constant message, with the facts in fields (`extra={...}`).

Fields of the request or activity that a line belongs to are added to each of its lines.
"""

import json
import logging
import sys
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar
from datetime import UTC, datetime
from typing import Final, TextIO

_STANDARD_ATTRIBUTES: Final = frozenset(vars(logging.makeLogRecord({}))) | {
    "message",
    "asctime",
    "taskName",
    "color_message",
}
_MAX_CHARS: Final = 8_000
_ENCODER: Final = json.JSONEncoder(default=str, ensure_ascii=False)
"""`json.dumps` makes a new encoder for each call with such options."""
_context: Final[ContextVar[Mapping[str, object]]] = ContextVar("log_fields")
RecordFields = Callable[[logging.LogRecord], Mapping[str, object]]


@contextmanager
def log_fields(**fields: object) -> Iterator[None]:
    """Add fields to every record of the block, and of the tasks and threads that it starts."""
    token = _context.set({**_context.get({}), **fields})
    try:
        yield
    finally:
        _context.reset(token)


def add_log_fields(**fields: object) -> None:
    """Add fields to the later records of the innermost `log_fields` block."""
    _context.set({**_context.get({}), **fields})


def _no_fields(_record: logging.LogRecord) -> Mapping[str, object]:
    return {}


class JsonFormatter(logging.Formatter):
    """Formats a record as a JSON object: time, level, logger, service, message, and its fields.

    Args:
        derive: more fields of a record; those of `log_fields` and of `extra` take precedence.
    """

    def __init__(self, service: str, derive: RecordFields = _no_fields) -> None:
        super().__init__()
        self._service = service
        self._derive = derive

    def format(self, record: logging.LogRecord) -> str:
        line: dict[str, object] = {
            "time": datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds"),
            "level": record.levelname.lower(),
            "logger": record.name,
            "service": self._service,
            "message": record.getMessage()[:_MAX_CHARS],
        }
        line.update(self._derive(record))
        line.update(_context.get({}))
        line.update({name: value for name, value in vars(record).items() if name not in _STANDARD_ATTRIBUTES})
        if record.exc_info:
            line["exception"] = self.formatException(record.exc_info)[:_MAX_CHARS]
        return _ENCODER.encode(line)


def configure_logs(
    service: str,
    level: str = "INFO",
    stream: TextIO | None = None,
    *,
    derive: RecordFields = _no_fields,
) -> None:
    """Write the records of every logger to `stream` (standard error by default). Called once."""
    # No line has these facts, and finding them costs a third of a record ("Optimization" in logging's docs).
    logging._srcfile = None
    logging.logThreads = logging.logProcesses = logging.logMultiprocessing = False
    handler = logging.StreamHandler(stream or sys.stderr)
    handler.setFormatter(JsonFormatter(service, derive))
    root = logging.getLogger()
    root.handlers[:] = [handler]
    root.setLevel(level)
    for verbose in ("httpx2", "httpcore2", "temporalio.worker", "sse_starlette"):
        logging.getLogger(verbose).setLevel("WARNING")
