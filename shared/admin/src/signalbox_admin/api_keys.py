"""API keys of the gateway. The file holds only their SHA-256; a key is printed once, when it is created."""

import hashlib
import secrets
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

import msgspec
from msgspec.structs import replace

from signalbox_core.crypto.api_keys import ApiKey, ApiKeyFile, Role
from signalbox_core.errors import Conflict, InvalidInput, NotFound
from signalbox_core.signatures.keyfile import replace_file

_PREFIX: Final = "sbx_"
_MIN_KEY_CHARS: Final = 36


class ApiKeyStore:
    """The API keys of one file."""

    def __init__(self, path: Path) -> None:
        """Read the file; a missing file counts as empty.

        Raises:
            InvalidInput: the file cannot be read, or is not an API key file.
        """
        self._path = path
        self.records: tuple[ApiKey, ...] = ()
        try:
            if path.exists():
                self.records = msgspec.json.decode(path.read_bytes(), type=ApiKeyFile).keys
        except (msgspec.DecodeError, UnicodeDecodeError, OSError) as error:
            raise InvalidInput(f"{path} is not an API key file: {error}", field="keys") from None

    def get(self, key_id: str) -> ApiKey:
        """The key with this id.

        Raises:
            NotFound: the file has no such key.
        """
        for record in self.records:
            if record.id == key_id:
                return record
        raise NotFound(
            f"{self._path} has no API key {key_id}; `keys list --kind api` lists them", field="keyid"
        )

    def add(self, record: ApiKey) -> None:
        """Add a key.

        Raises:
            Conflict: the file already has this id or this key.
        """
        if any(record.id == other.id or record.sha256 == other.sha256 for other in self.records):
            raise Conflict(
                f"{self._path} already has this API key or a key with the id {record.id}", field="keyid"
            )
        self._save((*self.records, record))

    def replace(self, record: ApiKey) -> None:
        """Replace the record that has the same id."""
        self._save(tuple(record if other.id == record.id else other for other in self.records))

    def remove(self, key_id: str) -> None:
        """Remove a key; the gateway rejects it as soon as it has reloaded the file."""
        removed = self.get(key_id)
        self._save(tuple(record for record in self.records if record is not removed))

    def _save(self, records: tuple[ApiKey, ...]) -> None:
        replace_file(self._path, msgspec.json.encode(ApiKeyFile(keys=records), order="deterministic"))
        self.records = records


def generate_api_key(
    *, tenant: str, roles: frozenset[Role], name: str, expires_at: datetime | None = None
) -> tuple[str, ApiKey]:
    """Generate a key with 256 random bits, and its record, which is created now."""
    key = f"{_PREFIX}{secrets.token_urlsafe(32)}"
    record = record_api_key(key, tenant=tenant, roles=roles, name=name, expires_at=expires_at)
    return key, replace(record, created_at=datetime.now(UTC).replace(microsecond=0))


def record_api_key(
    key: str, *, tenant: str, roles: frozenset[Role], name: str, expires_at: datetime | None = None
) -> ApiKey:
    """Build the record of a key.

    Raises:
        InvalidInput: the key does not have the format of generated keys, so it may be weak.
    """
    if not key.startswith(_PREFIX) or len(key) < _MIN_KEY_CHARS or not key.isascii() or not key.isprintable():
        raise InvalidInput(
            f"an API key starts with {_PREFIX} and has at least {_MIN_KEY_CHARS} characters", field="secret"
        )
    if not tenant or not name:
        raise InvalidInput("an API key needs --tenant and --name", field="tenant")
    digest = hashlib.sha256(key.encode()).hexdigest()
    return ApiKey(
        id=secrets.token_hex(4), sha256=digest, tenant=tenant, roles=roles, name=name, expires_at=expires_at
    )


def parse_roles(text: str) -> frozenset[Role]:
    """Parse a list such as `viewer,operator`.

    Raises:
        InvalidInput: a role is unknown, or the list is empty.
    """
    try:
        roles = msgspec.convert([part.strip() for part in text.split(",") if part.strip()], frozenset[Role])
    except msgspec.ValidationError:
        roles = frozenset()
    if not roles:
        raise InvalidInput(
            f"--roles must list one or more of {', '.join(Role)}, separated by commas",
            field="roles",
        )
    return roles
