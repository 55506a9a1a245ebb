"""The running demo shop, and the activities with it."""

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
def activities(shop: Shop, objects: FakeObjectStore) -> AdActivities:
    """The real activities with the demo shop and an in-memory object store."""
    return AdActivities(ActivityDeps(objects=objects, fetcher=shop.fetcher(), environ={}))
