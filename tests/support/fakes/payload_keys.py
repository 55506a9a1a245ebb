"""Payload keys for tests."""

from pathlib import Path

import msgspec

from signalbox_core.crypto.sealing import KeyRing, PayloadKeyFile, new_payload_key


def payload_keys_file(folder: Path) -> Path:
    """A new file with one key."""
    path, key = folder / "payload_keys.json", new_payload_key()
    path.write_bytes(msgspec.json.encode(PayloadKeyFile(active=key.id, keys=(key,))))
    return path


def new_ring(folder: Path) -> KeyRing:
    return KeyRing(payload_keys_file(folder))
