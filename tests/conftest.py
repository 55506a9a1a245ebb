"""Markers follow from the folder; real servers are session fixtures."""

import os
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

TESTS = Path(__file__).parent
sys.path.insert(0, str(TESTS))
# Read when gRPC is first imported. Its fork handlers can kill a child started during a call.
os.environ.setdefault("GRPC_ENABLE_FORK_SUPPORT", "0")

from support.servers.stack import running_stack  # noqa: E402  - the path to it is added above

KINDS = ("unit", "integration", "e2e", "browser", "chaos", "bench")
# Of a test with real servers that states no other. Its fixtures count too, which may start the whole stack.
SERVERS_TIMEOUT_S = 300


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    servers_timeout_s = max(SERVERS_TIMEOUT_S, float(config.getini("timeout")))
    for item in items:
        kind = Path(item.path).relative_to(TESTS).parts[0]
        if kind in KINDS:
            item.add_marker(getattr(pytest.mark, kind))
        if kind not in ("unit", "bench") and item.get_closest_marker("timeout") is None:
            item.add_marker(pytest.mark.timeout(servers_timeout_s))


@pytest.fixture(scope="session")
def redis_url(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """A real Redis, empty at the start of the session."""
    with running_stack(tmp_path_factory.mktemp("redis"), "--only", "redis") as stack:
        yield str(stack.endpoints.redis)


@pytest.fixture(scope="session")
def temporal_address(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """A real Temporal server (`host:port`, namespace `default`) with our search attributes."""
    with running_stack(tmp_path_factory.mktemp("temporal"), "--only", "temporal") as stack:
        yield str(stack.endpoints.temporal)


@pytest.fixture(scope="session")
def pubsub_host(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """Our local Pub/Sub server (`host:port`) with our topics and subscriptions in the project `signalbox`."""
    with running_stack(tmp_path_factory.mktemp("pubsub"), "--only", "pubsub") as stack:
        yield str(stack.endpoints.pubsub)
