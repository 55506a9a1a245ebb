"""`--file` of `signalbox start`: local files become uploaded objects in the input's list of documents."""

import asyncio
import glob
import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Final

from signalbox_client.flags import Schema
from signalbox_client.session import Session
from signalbox_core.errors import InvalidInput, Rejected

_AT_ONCE: Final = 4
_MOST_INLINE: Final = 2_000
_MANIFEST: Final = "manifest"


def files_field(schema: Schema) -> str | None:
    """The field that takes uploaded files: a list of things with an `object` and a `name`."""
    for name, field in schema.properties.items():
        items = schema.resolve(schema.resolve(field).items)
        if {"object", "name"} <= set(items.properties):
            return name
    return None


async def send_files(session: Session, schema: Schema, patterns: Sequence[str]) -> Mapping[str, object]:
    """Upload the files; the part of the input that names them.

    Raises:
        InvalidInput: a pattern matches no file, or a file cannot be read or is refused; the message names it.
    """
    field = files_field(schema)
    if field is None or not patterns:
        return {}
    paths = await asyncio.to_thread(find_files, patterns)
    free = asyncio.Semaphore(_AT_ONCE)
    documents = await asyncio.gather(*(_send(session, path, free) for path in paths))
    if len(documents) <= _MOST_INLINE or _MANIFEST not in schema.properties:
        return {field: documents}
    listed = await session.client.upload(json.dumps(documents).encode(), media_type="application/json")
    return {_MANIFEST: listed.object}


def find_files(patterns: Sequence[str]) -> list[Path]:
    """The files of each pattern, sorted, each once."""
    found: dict[Path, None] = {}
    for pattern in patterns:
        matches = sorted(
            path
            for path in map(Path, glob.glob(str(Path(pattern).expanduser()), recursive=True))
            if path.is_file()
        )
        if not matches:
            raise InvalidInput(f"--file {pattern}: there is no such file", field="--file")
        found.update(dict.fromkeys(matches))
    return list(found)


async def _send(session: Session, path: Path, free: asyncio.Semaphore) -> Mapping[str, str]:
    async with free:
        try:
            body = await asyncio.to_thread(path.read_bytes)
            stored = await session.client.upload(body)
        except OSError as error:
            raise InvalidInput(f"--file {path}: {error.strerror}", field="--file") from None
        except Rejected as error:
            raise InvalidInput(
                f"--file {path}: {error.detail}", field="--file", code=error.stable_code
            ) from error
    return {"object": stored.object, "name": path.name[:200]}
