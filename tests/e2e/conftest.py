"""The whole stack, once for all end-to-end tests."""

from collections.abc import AsyncIterator, Iterator

import pytest

from signalbox_client import AsyncSignalbox
from support.servers.stack import RunningStack, running_stack


@pytest.fixture(scope="session")
def stack(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningStack]:
    with running_stack(tmp_path_factory.mktemp("stack")) as started:
        yield started


@pytest.fixture
async def client(stack: RunningStack) -> AsyncIterator[AsyncSignalbox]:
    async with stack.client() as opened:
        yield opened
