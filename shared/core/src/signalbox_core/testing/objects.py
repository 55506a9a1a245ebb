"""An in-memory object store for tests of code that writes objects."""

from datetime import UTC, datetime

from signalbox_core.errors import NotFound
from signalbox_core.objects import ObjectRef, StoredObject, check_key


class FakeObjectStore:
    """Stores objects in `bodies`; `writes` lists the keys of the writes that had an effect.

    `modified_at` has the time of each object's last write, which a test may change; of a body that the test
    sets itself, the time at which it is first listed.
    """

    def __init__(self) -> None:
        self.bodies: dict[str, bytes] = {}
        self.writes: list[str] = []
        self.modified_at: dict[str, datetime] = {}

    async def put_new(self, key: str, body: bytes, media_type: str) -> ObjectRef:
        if check_key(key) not in self.bodies:
            self._write(key, body)
        return ObjectRef(key=key, media_type=media_type, size_bytes=len(self.bodies[key]))

    async def get(self, key: str) -> bytes:
        try:
            return self.bodies[check_key(key)]
        except KeyError:
            raise _unknown(key) from None

    async def exists(self, key: str) -> bool:
        return check_key(key) in self.bodies

    async def replace(self, key: str, body: bytes, media_type: str) -> None:  # noqa: ARG002 - not kept
        self._write(check_key(key), body)

    async def delete(self, key: str) -> None:
        self.bodies.pop(check_key(key), None)

    async def list_keys(self, folder: str) -> list[str]:
        return [item.key for item in await self.list_objects(folder)]

    async def list_objects(self, folder: str) -> list[StoredObject]:
        start = f"{check_key(folder)}/" if folder else ""
        return [self._entry(key) for key in self.bodies if key.startswith(start)]

    async def stat(self, key: str) -> StoredObject:
        if check_key(key) not in self.bodies:
            raise _unknown(key)
        return self._entry(key)

    def _entry(self, key: str) -> StoredObject:
        modified_at = self.modified_at.setdefault(key, datetime.now(UTC))
        return StoredObject(key=key, size_bytes=len(self.bodies[key]), modified_at=modified_at)

    def _write(self, key: str, body: bytes) -> None:
        self.bodies[key] = bytes(body)
        self.modified_at[key] = datetime.now(UTC)
        self.writes.append(key)


def _unknown(key: str) -> NotFound:
    return NotFound(f"no object {key!r} in the store", field="key")
