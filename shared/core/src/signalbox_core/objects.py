"""The object store: named bytes that are written once.

Keys are derived from the content or the run, so writing the same object again is idempotent.
"""

import asyncio
import errno
import hashlib
import os
from collections.abc import Callable
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Final, Protocol, TypeVar
from urllib.parse import quote, unquote, urlsplit

import obstore
from msgspec import Struct
from obstore import exceptions as problems
from obstore.store import GCSStore, LocalStore, MemoryStore

from signalbox_core.errors import Conflict, Forbidden, InvalidInput, NotFound, Unavailable

if TYPE_CHECKING:
    from obstore import ObjectMeta

T = TypeVar("T")
_TIMEOUT_S: Final = 60.0
_PAGE: Final = 1_000
_DISK_FULL: Final = os.strerror(errno.ENOSPC)


class ObjectRef(Struct, frozen=True, kw_only=True):
    """Reference to an object; small enough for events and workflow history."""

    key: str
    media_type: str
    size_bytes: int


class StoredObject(Struct, frozen=True, kw_only=True):
    """An entry of a listing."""

    key: str
    size_bytes: int
    modified_at: datetime


class ObjectStore(Protocol):
    """Objects that are created once and read as a whole."""

    async def put_new(self, key: str, body: bytes, media_type: str) -> ObjectRef:
        """Write `body` unless `key` exists. An existing object stays, and the reference describes it.

        Raises:
            InvalidInput: the key is empty, absolute, or has a `..` part.
            Unavailable: the store is unavailable, or full (code `storage_full`); the same call may succeed
                later.
        """
        ...

    async def get(self, key: str) -> bytes:
        """Read an object.

        Raises:
            NotFound: there is no object with this key.
        """
        ...

    async def exists(self, key: str) -> bool: ...


class MutableObjectStore(ObjectStore, Protocol):
    """An object store whose objects can also be replaced, deleted and listed."""

    async def replace(self, key: str, body: bytes, media_type: str) -> None:
        """Write `body`, whether `key` exists or not."""
        ...

    async def delete(self, key: str) -> None:
        """Delete an object; no error if there is none."""
        ...

    async def list_keys(self, folder: str) -> list[str]:
        """The keys of all objects below a folder; of the whole store if `folder` is empty."""
        ...

    async def list_objects(self, folder: str) -> list[StoredObject]:
        """All objects below a folder, with size and the time of the last write."""
        ...

    async def stat(self, key: str) -> StoredObject:
        """The entry of one object, as a listing has it; its time may be in whole seconds.

        Raises:
            NotFound: there is no object with this key.
        """
        ...


def uploads_folder(tenant: str) -> str:
    """The key prefix of a tenant's uploads; pipelines accept uploads under this prefix only."""
    return f"uploads/{quote(tenant, safe='')}"


def unknown_upload(key: str) -> NotFound:
    """The error of a key that is not an upload of the tenant."""
    return NotFound(
        f"there is no uploaded object {key[:200]!r}; upload the file to POST /v1/objects",
        field="object",
        code="unknown_object",
    )


async def read_upload(objects: ObjectStore, key: str, *, tenant: str) -> bytes:
    """Read an uploaded file of the tenant, and verify it against the digest in its key.

    Raises:
        NotFound: `unknown_object`: the tenant has no such upload.
        Conflict: `upload_changed`: the stored file is not the one that was uploaded.
    """
    if not key.startswith(f"{uploads_folder(tenant)}/"):
        raise unknown_upload(key)
    try:
        body = await objects.get(key)
    except NotFound:
        raise unknown_upload(key) from None
    if hashlib.sha256(body).hexdigest() != key.rpartition("/")[2]:
        raise Conflict(f"the upload {key} was changed in the object store", code="upload_changed")
    return body


def open_object_store(url: str) -> "ObstoreObjects":
    """Open `file:///folder` (created when absent), `gs://bucket/prefix` or `memory://`.

    Raises:
        InvalidInput: the address has another scheme, or no folder or bucket.
    """
    parts = urlsplit(url)
    if parts.scheme == "memory":
        return ObstoreObjects(MemoryStore(), keeps_media_type=True)
    if parts.scheme == "file" and parts.path.startswith("/") and not parts.netloc:
        folder = Path(unquote(parts.path))
        try:
            folder.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise InvalidInput(
                f"objects folder {folder}: {os.strerror(error.errno or 0)}; give one that can be written"
            ) from error
        return ObstoreObjects(LocalStore(folder), keeps_media_type=False)
    if parts.scheme == "gs" and parts.netloc:
        return ObstoreObjects(
            GCSStore(parts.netloc, prefix=parts.path.strip("/") or None), keeps_media_type=True
        )
    raise InvalidInput(f"objects address {url!r}: use file:///folder, gs://bucket/prefix or memory://")


class ObstoreObjects:
    """The ObjectStore of the obstore library.

    Uses its synchronous calls in threads, because the asynchronous ones can abort the interpreter at exit.
    """

    def __init__(self, store: GCSStore | LocalStore | MemoryStore, *, keeps_media_type: bool) -> None:
        self._store = store
        self._keeps_media_type = keeps_media_type

    async def put_new(self, key: str, body: bytes, media_type: str) -> ObjectRef:
        size = await _in_thread(key, lambda: self._create(key, body, media_type))
        return ObjectRef(key=key, media_type=media_type, size_bytes=size)

    async def get(self, key: str) -> bytes:
        return await _in_thread(key, lambda: bytes(obstore.get(self._store, check_key(key)).bytes()))

    async def exists(self, key: str) -> bool:
        try:
            await _in_thread(key, lambda: obstore.head(self._store, check_key(key)))
        except NotFound:
            return False
        return True

    async def replace(self, key: str, body: bytes, media_type: str) -> None:
        attributes = self._attributes(media_type)
        await _in_thread(key, lambda: obstore.put(self._store, check_key(key), body, attributes=attributes))

    async def delete(self, key: str) -> None:
        try:
            await _in_thread(key, lambda: obstore.delete(self._store, check_key(key)))
        except NotFound:
            return

    async def list_keys(self, folder: str) -> list[str]:
        return [item.key for item in await self.list_objects(folder)]

    async def list_objects(self, folder: str) -> list[StoredObject]:
        # A page at a time, because a listing of everything may take longer than one call may.
        prefix = check_key(folder) if folder else None
        pages = await _in_thread(folder, lambda: obstore.list(self._store, prefix, chunk_size=_PAGE))
        found: list[StoredObject] = []
        while page := await _in_thread(folder, lambda: [_entry(item) for item in next(pages, ())]):
            found += page
        return found

    async def stat(self, key: str) -> StoredObject:
        return await _in_thread(key, lambda: _entry(obstore.head(self._store, check_key(key))))

    def _attributes(self, media_type: str) -> dict[str, str] | None:
        return {"Content-Type": media_type} if self._keeps_media_type else None

    def _create(self, key: str, body: bytes, media_type: str) -> int:
        attributes = self._attributes(media_type)
        try:
            obstore.put(self._store, check_key(key), body, mode="create", attributes=attributes)
        except problems.AlreadyExistsError:
            return int(obstore.head(self._store, key)["size"])
        return len(body)


def _entry(item: "ObjectMeta") -> StoredObject:
    return StoredObject(key=item["path"], size_bytes=item["size"], modified_at=item["last_modified"])


def check_key(key: str) -> str:
    """Return the key if it is a relative path without empty, `.` or `..` parts, so inside the store's folder.

    Raises:
        InvalidInput: it is not.
    """
    if any(part in ("", ".", "..") for part in key.split("/")) or len(key) > 1_000 or "\0" in key:
        raise InvalidInput(
            f"object key {key[:200]!r}: use a relative path without empty, '.' or '..' parts", field="key"
        )
    return key


async def _in_thread(key: str, call: Callable[[], T]) -> T:
    try:
        async with asyncio.timeout(_TIMEOUT_S):
            return await asyncio.to_thread(call)
    except FileNotFoundError:
        raise NotFound(f"no object {key!r} in the store", field="key") from None
    except ValueError as error:
        raise InvalidInput(
            f"object key {key[:200]!r} is not usable: {_first_line(error)}", field="key"
        ) from error
    except (problems.PermissionDeniedError, problems.UnauthenticatedError) as error:
        raise Forbidden(
            f"the object store denies access to {key!r}; check the service's permissions"
        ) from error
    except TimeoutError as error:
        raise Unavailable(
            f"the object store did not respond for {key!r} within {_TIMEOUT_S:.0f} s"
        ) from error
    except (problems.BaseError, OSError) as error:
        if _DISK_FULL in str(error):
            raise storage_full() from error
        raise Unavailable(f"the object store failed for {key!r}: {_first_line(error)}") from error


def storage_full() -> Unavailable:
    """The error of a write that found no space; the same call succeeds when there is room."""
    return Unavailable(
        "no space is left to store files; send the same request again when an operator has freed space",
        code="storage_full",
    )


def _first_line(error: Exception) -> str:
    return str(error).strip().split("\n", 1)[0]
