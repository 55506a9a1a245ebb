"""`signalbox-admin backup` and `restore`: what they copy and read, and when they refuse."""

from pathlib import Path

import msgspec
import pytest

from signalbox_admin.backup_folder import BackupFolder, check_backup, make_backup, restore_objects
from signalbox_admin.cli import main
from signalbox_core.errors import Conflict, InvalidInput, NotFound, Unavailable
from signalbox_core.testing.objects import FakeObjectStore

CHECKPOINT, VALUE = "ledger/acme/checkpoint", "ledger/acme/values/ab/abc"
CONTENTS = {
    "artifacts/acme/run-1/ad.png": b"picture",
    "uploads/acme/sha": b"upload",
    "ledger/acme/tile/entries/000": b"entries",
    VALUE: b"a person's name",
    CHECKPOINT: b"size 1",
}


class RecordedStore(FakeObjectStore):
    """Records which objects are read."""

    def __init__(self, contents: dict[str, bytes]) -> None:
        super().__init__()
        self.bodies = dict(contents)
        self.reads: list[str] = []
        self.unreadable = ""

    async def get(self, key: str) -> bytes:
        self.reads.append(key)
        if key == self.unreadable:
            raise Unavailable("the store is unavailable")
        return await super().get(key)


@pytest.fixture
def store() -> RecordedStore:
    return RecordedStore(CONTENTS)


@pytest.fixture
def folder(tmp_path: Path) -> BackupFolder:
    return BackupFolder(tmp_path / "backup")


async def test_what_is_backed_up_is_restored_into_an_empty_store(
    store: RecordedStore, folder: BackupFolder
) -> None:
    made = await make_backup(store, folder, ["k1"])
    empty = FakeObjectStore()

    assert await restore_objects(folder, await check_backup(folder), empty, overwrite=False) == len(CONTENTS)
    assert empty.bodies == CONTENTS
    assert empty.writes[-1] == CHECKPOINT, "an interrupted restore has no checkpoint without its entries"
    assert (made.payload_keys, made.size_bytes) == (("k1",), sum(map(len, CONTENTS.values())))
    assert store.reads[0] == CHECKPOINT, "what is appended meanwhile is not in the backup, or it is whole"


async def test_a_repeated_backup_reads_what_is_new_or_can_change(
    store: RecordedStore, folder: BackupFolder
) -> None:
    await make_backup(store, folder, [])
    store.bodies |= {"uploads/acme/new": b"new", CHECKPOINT: b"size 2", VALUE: b"erased"}
    del store.bodies["artifacts/acme/run-1/ad.png"]
    store.reads.clear()

    await make_backup(store, folder, [])

    assert sorted(store.reads) == [CHECKPOINT, VALUE, "uploads/acme/new"]
    restored = FakeObjectStore()
    await restore_objects(folder, await check_backup(folder), restored, overwrite=False)
    assert restored.bodies == store.bodies
    kept = [await folder.objects.get(key) for key in await folder.objects.list_keys("")]
    assert b"a person's name" not in kept, "what was erased is erased from the backup too"


async def test_a_ledger_that_grows_meanwhile_is_copied_without_a_gap(folder: BackupFolder) -> None:
    class Growing(RecordedStore):
        """Completes a tile, and removes the partial one, after the store was listed."""

        async def get(self, key: str) -> bytes:
            if key.endswith(".p/3") and key in self.bodies:
                del self.bodies[key]
                self.bodies["ledger/acme/tile/entries/001"] = b"full"
            return await super().get(key)

    store = Growing({**CONTENTS, "ledger/acme/tile/entries/001.p/3": b"partial"})
    manifest = await make_backup(store, folder, [])

    keys = {each.key for each in manifest.objects}
    assert "ledger/acme/tile/entries/001" in keys
    assert "ledger/acme/tile/entries/001.p/3" not in keys


async def test_objects_that_are_deleted_again_and_again_end_the_backup(folder: BackupFolder) -> None:
    class Vanishing(FakeObjectStore):
        async def get(self, key: str) -> bytes:
            raise NotFound(key, field="key")

    store = Vanishing()
    store.bodies = {"uploads/a": b"a"}
    with pytest.raises(Unavailable, match="repeat the backup later"):
        await make_backup(store, folder, [])
    with pytest.raises(NotFound, match="no finished backup"):
        folder.read_manifest()


async def test_a_backup_is_not_replaced_by_one_of_a_store_that_was_emptied(
    store: RecordedStore, folder: BackupFolder
) -> None:
    await make_backup(store, folder, [])
    with pytest.raises(Conflict, match="choose another folder"):
        await make_backup(FakeObjectStore(), folder, [])
    assert len((await check_backup(folder)).objects) == len(CONTENTS)


@pytest.mark.parametrize("damage", ["changed", "absent"])
async def test_a_damaged_backup_is_refused_before_anything_is_written(
    store: RecordedStore, folder: BackupFolder, damage: str
) -> None:
    made = await make_backup(store, folder, [])
    (copy,) = [each.copy for each in made.objects if each.key == VALUE]
    if damage == "changed":
        await folder.objects.replace(copy, b"a person's face", "")
    else:
        await folder.objects.delete(copy)
    with pytest.raises(Conflict, match=VALUE):
        await check_backup(folder)


async def test_another_content_is_replaced_only_on_request(
    store: RecordedStore, folder: BackupFolder
) -> None:
    manifest = await make_backup(store, folder, [])
    other = FakeObjectStore()
    other.bodies = {CHECKPOINT: b"size 9", "uploads/acme/sha": b"upload", "uploads/acme/later": b"later"}

    with pytest.raises(Conflict, match=CHECKPOINT):
        await restore_objects(folder, manifest, other, overwrite=False)
    assert other.writes == []

    assert await restore_objects(folder, manifest, other, overwrite=True) == len(CONTENTS) - 1
    assert other.bodies == {**CONTENTS, "uploads/acme/later": b"later"}


def test_the_commands(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    source, backup, keys = tmp_path / "objects", str(tmp_path / "backup"), tmp_path / "payload-keys.json"
    (source / "uploads").mkdir(parents=True)
    (source / "uploads/a").write_bytes(b"a" * 2_000_000)
    monkeypatch.setenv("SIGNALBOX_GATEWAY_OBJECTS_URL", source.as_uri())
    monkeypatch.setenv("SIGNALBOX_PAYLOAD_KEYS_FILE", str(keys))
    assert main(["payload-keys", "new", "--file", str(keys)]) == 0
    (key,) = msgspec.json.decode(keys.read_bytes())["keys"]
    capsys.readouterr()

    assert main(["backup", backup]) == 0
    assert main(["restore", backup, "--check"]) == 0
    assert main(["restore", backup, "--objects", (tmp_path / "other").as_uri()]) == 0
    output = capsys.readouterr().out
    assert f"{backup} has 1 objects (2.0 MB)" in output
    assert f"these payload keys with your secrets: {key['id']}" in output
    assert "the backup is sound: 1 objects" in output
    assert "restored 1 of 1 objects" in output
    assert (tmp_path / "other/uploads/a").read_bytes() == b"a" * 2_000_000
    assert key["key"] not in Path(backup, "manifest.json").read_text()

    monkeypatch.delenv("SIGNALBOX_PAYLOAD_KEYS_FILE")
    assert main(["restore", backup]) == 2
    assert f"the payload keys {key['id']} are missing" in capsys.readouterr().err


def test_a_folder_with_other_files_is_refused(tmp_path: Path) -> None:
    (tmp_path / "mine.txt").write_text("mine")
    with pytest.raises(InvalidInput, match="neither empty nor a backup"):
        BackupFolder(tmp_path)
    with pytest.raises(InvalidInput, match="not a folder"):
        BackupFolder.existing(tmp_path / "absent")


async def test_a_repeated_backup_that_fails_leaves_the_one_before(
    store: RecordedStore, folder: BackupFolder
) -> None:
    await make_backup(store, folder, [])
    before = dict(store.bodies)
    store.bodies |= {CHECKPOINT: b"size 2", VALUE: b"erased", "uploads/acme/new": b"new"}
    store.unreadable = "uploads/acme/new"

    with pytest.raises(Unavailable):
        await make_backup(store, folder, [])

    restored = FakeObjectStore()
    await restore_objects(folder, await check_backup(folder), restored, overwrite=False)
    assert restored.bodies == before
    store.unreadable = ""
    assert len((await make_backup(store, folder, [])).objects) == len(store.bodies)
    assert len(await folder.objects.list_keys("")) == len(store.bodies)


async def test_an_interrupted_backup_is_continued(store: RecordedStore, tmp_path: Path) -> None:
    (tmp_path / "backup/objects").mkdir(parents=True)
    manifest = await make_backup(store, BackupFolder(tmp_path / "backup"), [])
    assert len(manifest.objects) == len(CONTENTS)
