"""`signalbox start NAME --file`: uploads local files and lists them in the run's input."""

import asyncio
import glob
import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Final

from signalbox_client.commands.command_context import CommandContext
from signalbox_client.commands.flags import Schema
from signalbox_core.errors import InvalidInput, Rejected

_MAX_PARALLEL_UPLOADS: Final = 4
_MAX_INLINE_DOCUMENTS: Final = 2_000
_MANIFEST: Final = "manifest"


def files_field(schema: Schema) -> str | None:
    """The input field for uploaded files, if any: a list of items with `object` and `name`."""
    for name, field in schema.properties.items():
        items = schema.resolve(schema.resolve(field).items)
        if {"object", "name"} <= set(items.properties):
            return name
    return None


async def upload_files(
    context: CommandContext, schema: Schema, patterns: Sequence[str]
) -> Mapping[str, object]:
    """Upload the files and return the part of the input that lists them.

    More than 2,000 files are listed in an uploaded manifest, if the pipeline takes one.

    Raises:
        InvalidInput: a pattern matches no file, or a file cannot be read or is refused.
    """
    field = files_field(schema)
    if field is None or not patterns:
        return {}
    paths = await asyncio.to_thread(find_files, patterns)
    slots = asyncio.Semaphore(_MAX_PARALLEL_UPLOADS)
    documents = await asyncio.gather(*(_upload(context, path, slots) for path in paths))
    if len(documents) <= _MAX_INLINE_DOCUMENTS or _MANIFEST not in schema.properties:
        return {field: documents}
    manifest = await context.client.upload(json.dumps(documents).encode(), media_type="application/json")
    return {_MANIFEST: manifest.object}


def find_files(patterns: Sequence[str]) -> list[Path]:
    """Expand the patterns; each file once, sorted within its pattern."""
    found: dict[Path, None] = {}
    for pattern in patterns:
        matches = sorted(
            path
            for path in map(Path, glob.glob(str(Path(pattern).expanduser()), recursive=True))
            if path.is_file()
        )
        if not matches:
            raise InvalidInput(f"--file {pattern}: no such file", field="--file")
        found.update(dict.fromkeys(matches))
    return list(found)


async def _upload(context: CommandContext, path: Path, slots: asyncio.Semaphore) -> Mapping[str, str]:
    async with slots:
        try:
            body = await asyncio.to_thread(path.read_bytes)
            stored = await context.client.upload(body)
        except OSError as error:
            raise InvalidInput(f"--file {path}: {error.strerror}", field="--file") from None
        except Rejected as error:
            raise InvalidInput(
                f"--file {path}: {error.detail}", field="--file", code=error.stable_code
            ) from error
    return {"object": stored.object, "name": path.name[:200]}
