"""How every service process begins and ends: settings, logs, a listening socket, one line for a user's mistake."""

import asyncio
import logging
import os
import signal
import socket
import sys
from collections.abc import Callable, Coroutine
from typing import Final, NoReturn, Protocol, TypeVar

import msgspec

from signalbox_core.errors import InvalidInput, SignalboxError, Unavailable
from signalbox_core.logs import configure_logs
from signalbox_core.settings import read_settings

T = TypeVar("T", bound=msgspec.Struct)

EXIT_UNAVAILABLE: Final = 1
EXIT_REJECTED: Final = 2
BACKLOG: Final = 2_048


class ServiceSettings(Protocol):
    """What every service's Settings have."""

    @property
    def host(self) -> str: ...
    @property
    def port(self) -> int: ...
    @property
    def log_level(self) -> str: ...


def run_service(
    name: str,
    kind: type[T],
    serve: Callable[[T], Coroutine[None, None, None]],
    *,
    prefix: str,
    loop_factory: Callable[[], asyncio.AbstractEventLoop] | None = None,
) -> int:
    """Read the settings from the environment, serve until stopped, and return the exit status.

    Returns:
        0 after a clean stop; 2 when the caller must change something, 1 when a dependency is away, each with one line that says which.
    """
    try:
        settings = read_settings(kind, prefix=prefix, environ=os.environ)
        configure_logs(name, getattr(settings, "log_level", "INFO"))
        with asyncio.Runner(loop_factory=loop_factory) as runner:
            runner.run(serve(settings))
    except SignalboxError as error:
        return _explain(name, error)
    except BaseExceptionGroup as group:
        ours, bugs = group.split(SignalboxError)
        if ours is None or bugs is not None:
            raise
        return _explain(name, _first(ours))
    return 0


def listen(settings: ServiceSettings, *, prefix: str) -> socket.socket:
    """The socket of a service; port 0 takes a free one.

    Raises:
        InvalidInput: the port is taken or not allowed; names the variables to change.
    """
    family = socket.AF_INET6 if ":" in settings.host else socket.AF_INET
    try:
        return socket.create_server((settings.host, settings.port), family=family, backlog=BACKLOG)
    except OSError as error:
        where = f"{settings.host}:{settings.port}"
        raise InvalidInput(
            f"cannot listen on {where}: {error.strerror}; set {prefix}_HOST and {prefix}_PORT"
        ) from None


def stop_on_signals() -> asyncio.Event:
    """The event that SIGTERM or SIGINT sets; called in the running loop."""
    stop = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, stop.set)
    return stop


def leave(status: int) -> NoReturn:
    """End the process here. Threads of Temporal's SDK may abort the interpreter's own end, and its exit status counts."""
    logging.shutdown()
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(status)


def _first(group: BaseExceptionGroup[SignalboxError]) -> SignalboxError:
    found = group.exceptions[0]
    return _first(found) if isinstance(found, BaseExceptionGroup) else found


def _explain(name: str, error: SignalboxError) -> int:
    sys.stderr.write(f"signalbox-{name}: {error.detail}\n")
    return EXIT_UNAVAILABLE if isinstance(error, Unavailable) else EXIT_REJECTED
