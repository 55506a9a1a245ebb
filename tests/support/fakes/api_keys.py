"""A key file with the keys of a test."""

import hashlib
import json
from collections.abc import Callable, Mapping
from pathlib import Path


def write_api_keys(
    path: Path, secret: Callable[[str], str], keys: Mapping[str, Mapping[str, object]]
) -> Path:
    """Write a key file.

    Args:
        secret: the secret of a key, by its id.
        keys: by id, the other members of each key; without them its name is its id and its tenant `acme`.
    """
    records = [
        {
            "id": key,
            "name": key,
            "tenant": "acme",
            "sha256": hashlib.sha256(secret(key).encode()).hexdigest(),
            **given,
        }
        for key, given in keys.items()
    ]
    path.write_text(json.dumps({"keys": records}))
    return path
