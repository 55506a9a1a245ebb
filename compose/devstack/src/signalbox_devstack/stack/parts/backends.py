"""The backends: the real Temporal and Redis servers, and the local Pub/Sub server."""

from typing import Final

from signalbox_devstack.stack.config import HOST, NAMESPACE, PROJECT, StackConfig
from signalbox_devstack.stack.parts.part import GrpcAnswers, Part, RedisPong, python_module

_TEMPORAL_DYNAMIC_CONFIG: Final = (
    'history.timerProcessorMaxTimeShift="10ms"',  # otherwise every timer is rounded up by a second or more
    "frontend.WorkflowTimeSkippingEnabled=true",
    "matching.enableFairness=true",
    "matching.numTaskqueueReadPartitions=1",
    "matching.numTaskqueueWritePartitions=1",
    "frontend.enableCancelWorkerPollsOnShutdown=true",
)


def temporal(config: StackConfig) -> Part:
    """The Temporal development server on a SQLite file."""
    port = config.ports["temporal"]
    ui = (
        ("--ui-ip", HOST, "--ui-port", str(config.ports["temporal_ui"]))
        if config.has_temporal_ui
        else ("--headless",)
    )
    return Part(
        name="temporal",
        argv=(
            config.programs.temporal,
            *("server", "start-dev", "--ip", HOST, "--port", str(port), *ui, "--log-level", "warn"),
            # Without WAL a commit is 2.4 to 5 times slower; with WAL, `normal` still survives kill -9.
            *("--db-filename", str(config.folder.root / "temporal.sqlite")),
            *("--sqlite-pragma", "journal_mode=wal", "--sqlite-pragma", "synchronous=normal"),
            *(word for value in _TEMPORAL_DYNAMIC_CONFIG for word in ("--dynamic-config-value", value)),
        ),
        probe=GrpcAnswers(
            port, "/temporal.api.workflowservice.v1.WorkflowService/DescribeNamespace", NAMESPACE
        ),
        address=f"{HOST}:{port}",
    )


def redis(config: StackConfig) -> Part:
    """A Redis server that loses no acknowledged write to kill -9.

    `appendfsync no` still writes to the file before it replies. `everysec` is weaker: while its fsync
    runs, it replies before the write for up to two seconds. Only a crash of the whole machine can lose
    the last seconds; `always` would prevent that at the price of one fsync per command.
    """
    port = config.ports["redis"]
    return Part(
        name="redis",
        argv=(
            config.programs.redis,
            *("--port", str(port), "--bind", HOST, "--dir", str(config.folder.redis), "--save", ""),
            *("--appendonly", "yes", "--appendfsync", "no", "--maxmemory-policy", "noeviction"),
        ),
        probe=RedisPong(port),
        address=f"redis://{HOST}:{port}/0",
    )


def pubsub(config: StackConfig) -> Part:
    """The local Pub/Sub server on a SQLite file."""
    port = config.ports["pubsub"]
    return Part(
        name="pubsub",
        argv=(
            *python_module("signalbox_devstack.emulators.pubsub"),
            *("--port", str(port), "--data", str(config.folder.root / "pubsub.sqlite")),
        ),
        probe=GrpcAnswers(port, "/google.pubsub.v1.Publisher/ListTopics", f"projects/{PROJECT}"),
        address=f"{HOST}:{port}",
    )
