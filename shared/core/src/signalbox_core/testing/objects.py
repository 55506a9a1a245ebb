"""An in-memory object store for tests of code that writes objects."""

from signalbox_core.errors import NotFound
from signalbox_core.objects import ObjectRef, check_key


class FakeObjectStore:
    """Stores objects in `bodies`; `writes` lists the keys of the writes that had an effect."""

    def __init__(self) -> None:
        self.bodies: dict[str, bytes] = {}
        self.writes: list[str] = []

    async def put_new(self, key: str, body: bytes, media_type: str) -> ObjectRef:
        if check_key(key) not in self.bodies:
            self.bodies[key] = bytes(body)
            self.writes.append(key)
        return ObjectRef(key=key, media_type=media_type, size_bytes=len(self.bodies[key]))

    async def get(self, key: str) -> bytes:
        try:
            return self.bodies[check_key(key)]
        except KeyError:
            raise NotFound(f"no object {key!r} in the store", field="key") from None

    async def exists(self, key: str) -> bool:
        return check_key(key) in self.bodies

    async def replace(self, key: str, body: bytes, media_type: str) -> None:  # noqa: ARG002 - not kept
        self.bodies[check_key(key)] = bytes(body)
        self.writes.append(key)

    async def delete(self, key: str) -> None:
        self.bodies.pop(check_key(key), None)

    async def list_keys(self, folder: str) -> list[str]:
        start = f"{check_key(folder)}/" if folder else ""
        return [key for key in self.bodies if key.startswith(start)]
