"""The fake object store and every real one behave the same."""

from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

import pytest

from signalbox_core.errors import InvalidInput, NotFound
from signalbox_core.objects import MutableObjectStore, ObjectRef, open_object_store
from signalbox_core.testing.objects import FakeObjectStore

STORES: dict[str, Callable[[Path], MutableObjectStore]] = {
    "fake": lambda _folder: FakeObjectStore(),
    "memory": lambda _folder: open_object_store("memory://"),
    "file": lambda folder: open_object_store(f"file://{folder}/not/there/yet"),
}


@pytest.fixture(params=list(STORES.values()), ids=list(STORES))
def store(request: pytest.FixtureRequest, tmp_path: Path) -> MutableObjectStore:
    return request.param(tmp_path)


async def test_an_object_can_be_read_back(store: MutableObjectStore) -> None:
    ref = await store.put_new("runs/a/picture.png", b"pixels", "image/png")

    assert ref == ObjectRef(key="runs/a/picture.png", media_type="image/png", size_bytes=6)
    assert await store.get("runs/a/picture.png") == b"pixels"
    assert await store.exists("runs/a/picture.png")


async def test_a_second_put_changes_nothing(store: MutableObjectStore) -> None:
    await store.put_new("a", b"first", "text/plain")

    ref = await store.put_new("a", b"second writer", "text/plain")

    assert ref.size_bytes == len(b"first")
    assert await store.get("a") == b"first"


async def test_an_absent_object_is_not_found(store: MutableObjectStore) -> None:
    with pytest.raises(NotFound, match="'nowhere/x'"):
        await store.get("nowhere/x")
    assert not await store.exists("nowhere/x")


@pytest.mark.parametrize("key", ["", "/etc/passwd", "a/../../b", "a//b", "./a", "a/", "a\0b", "x" * 1001])
async def test_a_malformed_or_escaping_key_is_rejected(store: MutableObjectStore, key: str) -> None:
    for call in (store.put_new(key, b"", "text/plain"), store.get(key), store.exists(key)):
        with pytest.raises(InvalidInput, match="relative path"):
            await call


async def test_an_empty_object_is_an_object(store: MutableObjectStore) -> None:
    await store.put_new("empty", b"", "text/plain")

    assert await store.get("empty") == b""


async def test_objects_of_a_folder_are_listed_with_size_and_time(store: MutableObjectStore) -> None:
    await store.put_new("runs/a/one", b"12345", "text/plain")
    await store.put_new("runs/b", b"1", "text/plain")
    await store.put_new("other", b"", "text/plain")

    listed = await store.list_objects("runs")

    assert sorted((item.key, item.size_bytes) for item in listed) == [("runs/a/one", 5), ("runs/b", 1)]
    assert all(abs((datetime.now(UTC) - item.modified_at).total_seconds()) < 60 for item in listed)
    assert sorted(await store.list_keys("")) == ["other", "runs/a/one", "runs/b"]
    assert await store.list_objects("runs/a/on") == []


async def test_more_objects_than_a_page_has_are_listed(store: MutableObjectStore) -> None:
    keys = [f"many/{number:04}" for number in range(2_001)]
    for key in keys:
        await store.put_new(key, b"", "text/plain")

    assert sorted(await store.list_keys("many")) == keys


async def test_the_entry_of_one_object_is_that_of_the_listing(store: MutableObjectStore) -> None:
    await store.put_new("runs/a", b"12345", "text/plain")

    assert [await store.stat("runs/a")] == await store.list_objects("runs")
    with pytest.raises(NotFound, match="no object 'runs/b'"):
        await store.stat("runs/b")


async def test_files_are_below_the_folder_and_survive_reopening(tmp_path: Path) -> None:
    await open_object_store(f"file://{tmp_path}").put_new("a/b.txt", b"kept", "text/plain")

    assert (tmp_path / "a" / "b.txt").read_bytes() == b"kept"
    assert await open_object_store(f"file://{tmp_path}").get("a/b.txt") == b"kept"


@pytest.mark.parametrize("url", ["", "s3://bucket", "file://relative/x", "/tmp/x", "gs://"])
def test_an_unknown_address_names_the_ones_that_work(url: str) -> None:
    with pytest.raises(InvalidInput, match=r"file:///folder, gs://bucket/prefix or memory://"):
        open_object_store(url)
