"""A backup of the object store: a folder with one file for each object, and a manifest with their digests.

Services may write while it is made: an object is written before Temporal or a checkpoint refers to it, so a
backup that begins after Temporal's lacks nothing that Temporal's refers to.
"""

import asyncio
import hashlib
from collections.abc import Awaitable, Callable, Collection, Iterable, Sequence
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path
from typing import Final, Literal, TypeVar

import msgspec
from msgspec import Struct

from signalbox_core.errors import Conflict, InvalidInput, NotFound, Unavailable
from signalbox_core.ledger.layout import BINARY
from signalbox_core.objects import MutableObjectStore, open_object_store
from signalbox_core.signatures.keyfile import replace_file

T = TypeVar("T")
_MANIFEST, _OBJECTS = "manifest.json", "objects"
_CONCURRENCY: Final = 16
_MAX_PASSES: Final = 10
_NAMED: Final = 5
"""How many keys an error names."""


class BackedUpObject(Struct, frozen=True, kw_only=True):
    """An object of a backup."""

    key: str
    size_bytes: int
    sha256: str

    @property
    def copy(self) -> str:
        """The key of its copy. An object that can change has a copy for each content.

        So a backup that fails leaves the copies of the one before as they are.
        """
        return f"{self.key}.{self.sha256[:16]}" if _can_change(self.key) else self.key


class BackupManifest(Struct, frozen=True, kw_only=True):
    """What a backup holds.

    Attributes:
        payload_keys: the ids of the keys that were in use. The keys themselves are not in the backup.
    """

    format: Literal[1] = 1
    release: str
    made_at: datetime
    payload_keys: tuple[str, ...]
    objects: tuple[BackedUpObject, ...]

    @property
    def size_bytes(self) -> int:
        return sum(each.size_bytes for each in self.objects)


class BackupFolder:
    """A folder on this machine.

    Raises:
        InvalidInput: the folder cannot be written, or holds something else than a backup.
    """

    def __init__(self, path: Path) -> None:
        self._manifest = path / _MANIFEST
        try:
            path.mkdir(mode=0o700, parents=True, exist_ok=True)
        except OSError as error:
            raise InvalidInput(f"cannot create {path}: {error.strerror}", field="folder") from None
        if not self._manifest.exists() and any(each.name != _OBJECTS for each in path.iterdir()):
            raise InvalidInput(f"{path} is neither empty nor a backup; choose another folder", field="folder")
        self.objects: MutableObjectStore = open_object_store((path / _OBJECTS).resolve().as_uri())

    @classmethod
    def existing(cls, path: Path) -> "BackupFolder":
        """Open a folder that exists.

        Raises:
            InvalidInput: it does not exist, or holds something else than a backup.
        """
        if not path.is_dir():
            raise InvalidInput(f"{path} is not a folder", field="folder")
        return cls(path)

    def read_manifest(self) -> BackupManifest:
        """Read the manifest.

        Raises:
            NotFound: there is no finished backup in the folder.
            InvalidInput: the manifest cannot be decoded.
        """
        try:
            return msgspec.json.decode(self._manifest.read_bytes(), type=BackupManifest)
        except FileNotFoundError:
            raise NotFound(f"{self._manifest.parent} holds no finished backup", field="folder") from None
        except (msgspec.DecodeError, UnicodeDecodeError) as error:
            raise InvalidInput(f"{self._manifest} is not valid: {error}", field="folder") from None

    def write_manifest(self, manifest: BackupManifest) -> None:
        replace_file(self._manifest, msgspec.json.encode(manifest))


async def make_backup(
    source: MutableObjectStore, folder: BackupFolder, payload_keys: Sequence[str]
) -> BackupManifest:
    """Copy all objects into the folder. A repeated call reads only what is new or can change.

    Raises:
        Conflict: the store has lost most of what the folder holds.
        Unavailable: a store is unavailable, or objects were deleted in every pass.
    """
    try:
        earlier = {each.key: each for each in folder.read_manifest().objects}
    except NotFound:
        earlier = {}
    listed = await source.list_keys("")
    _check_loss(earlier, listed)
    copies = _ObjectCopies(source, folder.objects, earlier)
    # First, so that a checkpoint refers only to tiles that are there later too, whatever is appended.
    await copies.copy([key for key in listed if _is_checkpoint(key)])
    for number in range(_MAX_PASSES):
        listed = await source.list_keys("")
        vanished = await copies.copy([key for key in listed if not _is_checkpoint(key)])
        # The second pass finds what moved while the first one listed.
        if number and not vanished:
            break
    else:
        raise Unavailable("objects are deleted while they are copied; repeat the backup later")
    manifest = BackupManifest(
        release=version("signalbox-admin"),
        made_at=datetime.now(UTC),
        payload_keys=tuple(payload_keys),
        objects=tuple(sorted(copies.done.values(), key=lambda each: each.key)),
    )
    folder.write_manifest(manifest)
    await copies.delete_others()
    return manifest


def _check_loss(earlier: Collection[str], listed: Iterable[str]) -> None:
    """Keep the copies of a store that was emptied.

    Raises:
        Conflict: more than half of the objects of the earlier backup are no longer in the store.
    """
    lost = len(set(earlier).difference(listed))
    if 2 * lost > len(earlier):
        raise Conflict(
            f"the store lacks {lost} of the {len(earlier)} objects of the earlier backup; restore them, or"
            " choose another folder"
        )


class _ObjectCopies:
    """Copies objects and notes what has been copied."""

    def __init__(
        self, source: MutableObjectStore, target: MutableObjectStore, earlier: dict[str, BackedUpObject]
    ) -> None:
        self._source = source
        self._target = target
        self._earlier = earlier
        self.done: dict[str, BackedUpObject] = {}

    async def copy(self, keys: Iterable[str]) -> int:
        """Copy what has not been copied; returns how many objects were deleted before they could be read."""
        vanished = 0

        async def copy_one(key: str) -> None:
            nonlocal vanished
            try:
                self.done[key] = await self._copy(key)
            except NotFound:
                vanished += 1

        await for_each([key for key in keys if key not in self.done], copy_one)
        return vanished

    async def delete_others(self) -> None:
        """Delete from the target what is no longer in the source, for example erased values."""
        needed = {each.copy for each in self.done.values()}
        kept = await self._target.list_keys("")
        await for_each([key for key in kept if key not in needed], self._target.delete)

    async def _copy(self, key: str) -> BackedUpObject:
        known = self._earlier.get(key)
        if known is not None and not _can_change(key) and await self._target.exists(key):
            return known
        body = await self._source.get(key)
        copied = BackedUpObject(key=key, size_bytes=len(body), sha256=hashlib.sha256(body).hexdigest())
        await self._target.replace(copied.copy, body, BINARY)
        return copied


async def check_backup(folder: BackupFolder) -> BackupManifest:
    """Read every object of a backup and compare it with its digest.

    Raises:
        Conflict: objects are missing or damaged; the message names the first ones.
    """
    manifest, damaged = folder.read_manifest(), list[str]()

    async def check(each: BackedUpObject) -> None:
        try:
            body = await folder.objects.get(each.copy)
        except NotFound:
            body = b""
        if len(body) != each.size_bytes or hashlib.sha256(body).hexdigest() != each.sha256:
            damaged.append(each.key)

    await for_each(manifest.objects, check)
    if damaged:
        raise Conflict(
            f"the backup is damaged: {_named(damaged)}; use another one, or, if the store still has these"
            " objects, make a new backup in another folder"
        )
    return manifest


async def restore_objects(
    folder: BackupFolder, manifest: BackupManifest, target: MutableObjectStore, *, overwrite: bool
) -> int:
    """Write the objects of a checked backup; returns how many were not in the store already.

    Args:
        overwrite: replace objects of the store that differ; otherwise nothing is written if there is one.

    Raises:
        Conflict: objects of the store differ.
    """
    missing, different = list[str](), list[str]()

    async def compare(each: BackedUpObject) -> None:
        try:
            body = await target.get(each.key)
        except NotFound:
            missing.append(each.key)
            return
        if hashlib.sha256(body).hexdigest() != each.sha256:
            different.append(each.key)

    await for_each(manifest.objects, compare)
    if different and not overwrite:
        raise Conflict(
            f"the store has other content for {_named(different)}; restore into an empty store, or pass"
            " --overwrite"
        )

    copies = {each.key: each.copy for each in manifest.objects}

    async def write(key: str) -> None:
        await target.replace(key, await folder.objects.get(copies[key]), BINARY)

    # Checkpoints last: an interrupted restore leaves no log that refers to missing entries.
    written = [*missing, *different]
    await for_each([key for key in written if not _is_checkpoint(key)], write)
    await for_each([key for key in written if _is_checkpoint(key)], write)
    return len(written)


async def for_each(items: Iterable[T], work: Callable[[T], Awaitable[None]]) -> None:
    """Do the work for every item, a limited number at once. The first error ends it and is raised."""
    left = iter(items)

    async def one_after_another() -> None:
        for item in left:
            await work(item)

    try:
        async with asyncio.TaskGroup() as group:
            for _ in range(_CONCURRENCY):
                group.create_task(one_after_another())
    except ExceptionGroup as errors:
        raise errors.exceptions[0] from None


def _is_checkpoint(key: str) -> bool:
    parts = key.split("/")
    return len(parts) == 3 and (parts[0], parts[2]) == ("ledger", "checkpoint")


def _can_change(key: str) -> bool:
    """Whether an object can be replaced: a checkpoint, and values that can be erased."""
    parts = key.split("/")
    return parts[0] == "ledger" and len(parts) > 2 and parts[2] in ("checkpoint", "values")


def _named(keys: Collection[str]) -> str:
    first = ", ".join(sorted(keys)[:_NAMED])
    return first if len(keys) <= _NAMED else f"{first} and {len(keys) - _NAMED} more"
