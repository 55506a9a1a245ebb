"""The demo shop, running."""

from collections.abc import Iterator

import pytest

from signalbox_core.pipeline.deps import ActivityDeps
from signalbox_core.testing.objects import FakeObjectStore
from signalbox_pipelines.ad_creative.activities import AdActivities
from support.servers.shop import Shop, running_shop


@pytest.fixture(scope="session")
def shop() -> Iterator[Shop]:
    with running_shop() as shop:
        yield shop


@pytest.fixture
def objects() -> FakeObjectStore:
    return FakeObjectStore()


@pytest.fixture
def work(shop: Shop, objects: FakeObjectStore) -> AdActivities:
    """The real activities over the real shop; objects in memory."""
    return AdActivities(ActivityDeps(objects=objects, fetcher=shop.fetcher(), environ={}))
