"""Logs as JSON lines: a constant message, with the facts in fields (`extra={...}`)."""

import json
import logging
import sys
from datetime import UTC, datetime
from typing import Final, TextIO

_STANDARD_ATTRIBUTES: Final = frozenset(vars(logging.makeLogRecord({}))) | {
    "message",
    "asctime",
    "taskName",
    "color_message",
}
_MAX_CHARS: Final = 8_000


class JsonFormatter(logging.Formatter):
    """Formats a record as a JSON object: time, level, logger, service, message and the fields of `extra`."""

    def __init__(self, service: str) -> None:
        super().__init__()
        self._service = service

    def format(self, record: logging.LogRecord) -> str:
        line: dict[str, object] = {
            "time": datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds"),
            "level": record.levelname.lower(),
            "logger": record.name,
            "service": self._service,
            "message": record.getMessage()[:_MAX_CHARS],
        }
        line.update({name: value for name, value in vars(record).items() if name not in _STANDARD_ATTRIBUTES})
        if record.exc_info:
            line["exception"] = self.formatException(record.exc_info)[:_MAX_CHARS]
        return json.dumps(line, default=str, ensure_ascii=False)


def configure_logs(service: str, level: str = "INFO", stream: TextIO | None = None) -> None:
    """Write the records of every logger to `stream` (standard error by default). Called once."""
    handler = logging.StreamHandler(stream or sys.stderr)
    handler.setFormatter(JsonFormatter(service))
    root = logging.getLogger()
    root.handlers[:] = [handler]
    root.setLevel(level)
    for verbose in ("httpx2", "httpcore2", "temporalio.worker", "sse_starlette"):
        logging.getLogger(verbose).setLevel("WARNING")
