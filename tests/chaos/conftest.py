"""A stack of its own for the tests that kill its parts."""

from collections.abc import AsyncIterator, Iterator

import pytest

from signalbox_client import AsyncSignalbox
from support.servers.stack import RunningStack, running_stack


@pytest.fixture(scope="module")
def stack(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningStack]:
    with running_stack(tmp_path_factory.mktemp("chaos")) as started:
        yield started


@pytest.fixture
async def client(stack: RunningStack) -> AsyncIterator[AsyncSignalbox]:
    async with stack.client() as opened:
        yield opened
