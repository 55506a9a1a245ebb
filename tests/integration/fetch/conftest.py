"""The demo shop, running."""

from collections.abc import Iterator

import pytest

from support.servers.shop import Shop, running_shop


@pytest.fixture(scope="session")
def shop() -> Iterator[Shop]:
    with running_shop() as shop:
        yield shop
