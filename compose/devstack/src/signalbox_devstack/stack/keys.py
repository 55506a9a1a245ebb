"""Development keys, generated once per state folder.

API keys by role, the Ed25519 key that signs the worker's events, the key that seals payloads, and the key
that signs the checkpoints of the ledger.
"""

import hashlib
import secrets
from collections.abc import Mapping
from pathlib import Path
from typing import Final

import msgspec
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from msgspec import Struct
from msgspec.structs import replace

from signalbox_core.crypto.api_keys import ApiKey, ApiKeyFile, Role, read_api_keys
from signalbox_core.crypto.sealing import PayloadKeyFile, new_payload_key
from signalbox_core.ledger.notes import new_signer
from signalbox_devstack.stack.folder import StateFolder, write_private

TENANT: Final = "demo"
KEYID: Final = "dev-worker"
LEDGER_NAME: Final = "localhost/ledger"
ROLES: Final = tuple(role.value for role in Role if role is not Role.DEPLOYMENT_OPERATOR)
"""The roles that get a key each; the key `admin` has the role `deployment_operator` too."""


class SenderKey(Struct, frozen=True, kw_only=True):
    """One entry of the receiver's key file."""

    keyid: str
    alg: str
    public_pem: str
    sender: str
    tenant: str
    events: tuple[str, ...]
    state: str


class SenderKeyFile(Struct, frozen=True):
    keys: tuple[SenderKey, ...]


class KeyFiles(Struct, frozen=True, kw_only=True):
    """The paths of the key files, and the API keys by role in plain text, for the developer."""

    api_keys: Mapping[str, str]
    api_keys_file: Path
    private_key_file: Path
    sender_keys_file: Path
    payload_keys_file: Path
    ledger_key_file: Path
    ledger_public_key_file: Path
    keyid: str = KEYID


def ensure_keys(folder: StateFolder) -> KeyFiles:
    """Read the folder's keys and generate those that are missing. Every file has mode 0600."""
    plain_file = folder.keys / "api_keys_clear.json"
    files = KeyFiles(
        api_keys=_read_or_generate_api_keys(plain_file),
        api_keys_file=folder.keys / "api_keys.json",
        private_key_file=folder.keys / "worker_ed25519.pem",
        sender_keys_file=folder.keys / "sender_keys.json",
        payload_keys_file=folder.keys / "payload_keys.json",
        ledger_key_file=folder.keys / "ledger.key",
        ledger_public_key_file=folder.keys / "ledger.pub",
    )
    _ensure_api_keys(files)
    if not files.private_key_file.exists():
        private = Ed25519PrivateKey.generate()
        write_private(files.private_key_file, _private_pem(private))
        write_private(files.sender_keys_file, msgspec.json.encode(SenderKeyFile((_sender_key(private),))))
    if not files.payload_keys_file.exists():
        key = new_payload_key()
        write_private(
            files.payload_keys_file, msgspec.json.encode(PayloadKeyFile(active=key.id, keys=(key,)))
        )
    if not files.ledger_key_file.exists():
        signer = new_signer(LEDGER_NAME)
        write_private(files.ledger_public_key_file, f"{signer.verifier.text}\n".encode())
        write_private(files.ledger_key_file, f"{signer.private_text}\n".encode())
    return files


def ensure_portal_secrets(folder: StateFolder, passwords: Mapping[str, str]) -> None:
    """Write the passwords of the simulated portal's companies as the secrets `portal-TAXCODE` of the demo
    tenant.
    """
    tenant_folder = folder.secrets / TENANT
    tenant_folder.mkdir(mode=0o700, exist_ok=True)
    for tax_code, password in passwords.items():
        if not (path := tenant_folder / f"portal-{tax_code}").exists():
            write_private(path, password.encode())


def _read_or_generate_api_keys(path: Path) -> Mapping[str, str]:
    if not path.exists():
        write_private(path, msgspec.json.encode({role: f"sbx_{secrets.token_urlsafe(24)}" for role in ROLES}))
    return msgspec.json.decode(path.read_bytes(), type=dict[str, str])


def _ensure_api_keys(files: KeyFiles) -> None:
    """Write the gateway's API key file, or add missing roles to the keys of an existing file."""
    expected = {key.id: key for key in (_api_key(role, text) for role, text in files.api_keys.items())}
    if not files.api_keys_file.exists():
        write_private(files.api_keys_file, msgspec.json.encode(ApiKeyFile(keys=tuple(expected.values()))))
        return
    existing = read_api_keys(files.api_keys_file)
    keys = tuple(
        replace(key, roles=key.roles | expected[key.id].roles) if key.id in expected else key
        for key in existing
    )
    if keys != existing:
        write_private(files.api_keys_file, msgspec.json.encode(ApiKeyFile(keys=keys)))


def _api_key(role: str, key: str) -> ApiKey:
    digest = hashlib.sha256(key.encode()).hexdigest()
    return ApiKey(
        id=f"dev-{role}",
        sha256=digest,
        tenant=TENANT,
        roles=frozenset({Role(role)} | ({Role.DEPLOYMENT_OPERATOR} if role == Role.ADMIN else set())),
        name=f"Development {role}",
    )


def _private_pem(key: Ed25519PrivateKey) -> bytes:
    return key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )


def _sender_key(key: Ed25519PrivateKey) -> SenderKey:
    public = key.public_key().public_bytes(
        serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo
    )
    return SenderKey(
        keyid=KEYID,
        alg="ed25519",
        public_pem=public.decode(),
        sender="worker",
        tenant="*",
        events=("*",),
        state="active",
    )
