"""`deps.objects` of an activity: objects of another tenant and of the services do not exist."""

from collections.abc import Iterator

import pytest

from signalbox_core.errors import Forbidden, NotFound
from signalbox_core.http.fetch import Fetcher
from signalbox_core.ledger.layout import LogKeys
from signalbox_core.objects import ObjectStore
from signalbox_core.pipeline.activity.tenant import call_tenant, is_own_key
from signalbox_core.pipeline.deps import ActivityDeps
from signalbox_core.testing.objects import FakeObjectStore

FOREIGN = (
    "uploads/other/ab",
    "payloads/other/run-1/ab",
    "documents/other/raw/ab",
    "batches/other/run-1/report.json",
    "gdt/other/0100109106/list.json",
    "ai_task/other:run-1/answer.txt",
    "uploads",
)
SYSTEM = (
    f"{LogKeys('other').folder}/values/ab/ab",
    LogKeys("a/b").batch(0),
    "passkeys/a%2Fb/credentials/ab",
    "decisions/acme/1_2.ndjson.gz",
    "settings/api_key/000000000001",
)
OWN = (
    "uploads/a%2Fb/ab",
    "documents/a%2Fb/raw/ab",
    "payloads/a%2Fb/run-1/ab",
    "ai_task/a%2Fb:run-1/answer.txt",
    "sources/ab",
)


@pytest.fixture
def in_activity() -> Iterator[None]:
    token = call_tenant.set("a/b")
    yield
    call_tenant.reset(token)


@pytest.fixture
def objects() -> ObjectStore:
    store = FakeObjectStore()
    store.bodies = dict.fromkeys((*FOREIGN, *SYSTEM, *OWN), b"x")
    return ActivityDeps(objects=store, fetcher=Fetcher(), environ={}).objects


@pytest.mark.usefixtures("in_activity")
@pytest.mark.parametrize("key", [*FOREIGN, *SYSTEM])
async def test_an_object_of_another_tenant_or_of_the_services_does_not_exist(
    objects: ObjectStore, key: str
) -> None:
    assert not await objects.exists(key)
    with pytest.raises(NotFound):
        await objects.get(key)
    with pytest.raises(Forbidden, match="another tenant"):
        await objects.put_new(key, b"y", "text/plain")


@pytest.mark.usefixtures("in_activity")
@pytest.mark.parametrize("key", OWN)
async def test_own_objects_and_those_of_no_tenant_are_read(objects: ObjectStore, key: str) -> None:
    assert (await objects.exists(key), await objects.get(key)) == (True, b"x")


@pytest.mark.parametrize("key", [*FOREIGN, *SYSTEM, *OWN])
def test_outside_an_activity_there_is_no_tenant(key: str) -> None:
    assert is_own_key(key)
