"""Start and end of a service process: settings, logs, listening socket, exit status."""

import asyncio
import gc
import logging
import os
import signal
import socket
import sys
from collections.abc import Callable, Coroutine, Mapping
from typing import Final, NoReturn, Protocol, TypeVar

import msgspec

from signalbox_core.errors import InvalidInput, SignalboxError, Unavailable
from signalbox_core.ids import run_id_of, tenant_of
from signalbox_core.logs import configure_logs
from signalbox_core.process.open_files import raise_open_file_limit
from signalbox_core.settings import read_settings

T = TypeVar("T", bound=msgspec.Struct)

EXIT_UNAVAILABLE: Final = 1
EXIT_REJECTED: Final = 2
BACKLOG: Final = 2_048
COLLECTOR_THRESHOLDS: Final = (10_000, 10, 3)
"""Python's default (700, 10, 10) costs a run of ten steps 2 to 4 percent of its CPU.

Cycles are still found before they amount to much: with 300,000 new objects at the latest.
"""


class ServiceSettings(Protocol):
    """The fields that the Settings of every service have."""

    @property
    def host(self) -> str: ...
    @property
    def port(self) -> int: ...
    @property
    def log_level(self) -> str: ...


def run_service(
    name: str,
    settings_type: type[T],
    serve: Callable[[T], Coroutine[None, None, None]],
    *,
    prefix: str,
    loop_factory: Callable[[], asyncio.AbstractEventLoop] | None = None,
) -> int:
    """Read the settings from the environment, serve until stopped, and return the exit status.

    Returns:
        0 after a clean stop; 2 when a setting or an input is wrong, 1 when a dependency is unavailable. In
        the last two cases one line on standard error names the cause.
    """
    try:
        settings = read_settings(settings_type, prefix=prefix, environ=os.environ)
        configure_logs(name, getattr(settings, "log_level", "INFO"), derive=run_fields)
        raise_open_file_limit()
        _tune_garbage_collector()
        with asyncio.Runner(loop_factory=loop_factory) as runner:
            runner.run(serve(settings))
    except SignalboxError as error:
        return _report(name, error)
    except BaseExceptionGroup as group:
        known, bugs = group.split(SignalboxError)
        if known is None or bugs is not None:
            raise
        return _report(name, _first(known))
    return 0


def _tune_garbage_collector() -> None:
    """Collect less often, and leave out what the imports made, which is never garbage."""
    gc.set_threshold(*COLLECTOR_THRESHOLDS)
    gc.freeze()


def run_fields(record: logging.LogRecord) -> Mapping[str, object]:
    """The run and tenant of a record that workflow or activity code wrote with Temporal's loggers."""
    info = getattr(record, "temporal_workflow", None) or getattr(record, "temporal_activity", None)
    workflow_id = info.get("workflow_id") if isinstance(info, Mapping) else None
    if not workflow_id:
        return {}
    tenant = tenant_of(workflow_id)
    return {"run_id": run_id_of(workflow_id), **({"tenant": tenant} if tenant is not None else {})}


def listen(settings: ServiceSettings, *, prefix: str) -> socket.socket:
    """Open the listening socket of a service; port 0 takes a free port.

    Raises:
        InvalidInput: the port is in use or not permitted; the message names the variables to change.
    """
    return bind(settings.host, settings.port, variables=f"{prefix}_HOST and {prefix}_PORT")


def bind(host: str, port: int, *, variables: str) -> socket.socket:
    """Open a listening socket.

    Raises:
        InvalidInput: the port is in use or not permitted; the message names the `variables` to change.
    """
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    try:
        return socket.create_server((host, port), family=family, backlog=BACKLOG)
    except OSError as error:
        raise InvalidInput(f"cannot listen on {host}:{port}: {error.strerror}; set {variables}") from None


def stop_on_signals() -> asyncio.Event:
    """Return an event that SIGTERM and SIGINT set. Must be called in the running event loop."""
    stop = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, stop.set)
    return stop


def leave(status: int) -> NoReturn:
    """End the process without finalizing the interpreter.

    Threads of Temporal's SDK can abort during finalization, which would change the exit status.
    """
    logging.shutdown()
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(status)


def _first(group: BaseExceptionGroup[SignalboxError]) -> SignalboxError:
    first = group.exceptions[0]
    return _first(first) if isinstance(first, BaseExceptionGroup) else first


def _report(name: str, error: SignalboxError) -> int:
    sys.stderr.write(f"signalbox-{name}: {error.detail}\n")
    return EXIT_UNAVAILABLE if isinstance(error, Unavailable) else EXIT_REJECTED
