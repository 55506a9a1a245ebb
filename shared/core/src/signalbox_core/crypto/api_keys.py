"""The file of the gateway's API keys, which holds their hashes.

The gateway reads it; `signalbox-admin keys --kind api` writes it.
"""

from datetime import datetime
from enum import StrEnum
from pathlib import Path

from msgspec import Struct

from signalbox_core.process.json_file import read_json_file
from signalbox_core.subjects import SubjectKind, check_groups


class Role(StrEnum):
    """A set of permissions within a tenant (docs/security.md).

    `deployment_operator` is the exception: it covers what all tenants share, and only API keys can have it.
    """

    VIEWER = "viewer"
    OPERATOR = "operator"
    APPROVER = "approver"
    ADMIN = "admin"
    DEPLOYMENT_OPERATOR = "deployment_operator"


class ApiKey(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """An API key.

    Attributes:
        sha256: hex digest of the key; the key itself is not stored.
        created_at: None for a key of an earlier release or one that was imported.
        expires_at: the key is invalid from this instant on; None: it does not expire.
        kind: who uses the key. An agent never decides.
        groups: the groups of the user, for the policies of approvals.
        subject: the user's stable identity; empty: `key:<id>`. The successor of a rotated key has the same.
    """

    id: str
    sha256: str
    tenant: str
    roles: frozenset[Role]
    name: str
    created_at: datetime | None = None
    expires_at: datetime | None = None
    kind: SubjectKind = "human"
    groups: tuple[str, ...] = ()
    subject: str = ""

    def __post_init__(self) -> None:
        check_groups(self.groups)
        for name, instant in (("created_at", self.created_at), ("expires_at", self.expires_at)):
            if instant is not None and instant.tzinfo is None:
                raise ValueError(f"{name} needs a time zone, as in 2027-01-31T00:00:00Z")

    @property
    def stable_subject(self) -> str:
        return self.subject or f"key:{self.id}"

    def is_good_at(self, now: datetime) -> bool:
        return self.expires_at is None or now < self.expires_at


class ApiKeyFile(Struct, frozen=True, kw_only=True):
    keys: tuple[ApiKey, ...]


def read_api_keys(path: Path) -> tuple[ApiKey, ...]:
    """Read the file of API keys.

    Raises:
        InvalidInput: the file cannot be read or is not a key file; the message names it.
    """
    return read_json_file(path, ApiKeyFile, content="API keys", field="SIGNALBOX_GATEWAY_API_KEYS_FILE").keys
