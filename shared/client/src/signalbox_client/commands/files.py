"""`signalbox start NAME --file`, and flags for an upload: uploads local files for the run's input."""

import argparse
import asyncio
import glob
import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Final

from signalbox_client.commands.command_context import CommandContext
from signalbox_client.commands.flags import Flag, Schema
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
    documents = await asyncio.gather(*(_upload_within(context, path, slots) for path in paths))
    if len(documents) <= _MAX_INLINE_DOCUMENTS or _MANIFEST not in schema.properties:
        return {field: documents}
    manifest = await context.client.upload(json.dumps(documents).encode(), media_type="application/json")
    return {_MANIFEST: manifest.object}


async def upload_fields(
    context: CommandContext, flags: Sequence[Flag], parsed: argparse.Namespace
) -> argparse.Namespace:
    """Upload the files that flags name.

    Returns:
        The arguments with each upload, as JSON, in the place of its path.

    Raises:
        InvalidInput: a file cannot be read or is refused.
    """
    texts = vars(parsed).copy()
    for flag in flags:
        path = texts[f"field_{flag.field}"]
        if flag.kind == "upload" and path is not None:
            stored = await _upload(context, Path(path), option=flag.option)
            texts[f"field_{flag.field}"] = json.dumps(stored)
    return argparse.Namespace(**texts)


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


async def _upload_within(context: CommandContext, path: Path, slots: asyncio.Semaphore) -> Mapping[str, str]:
    async with slots:
        return await _upload(context, path, option="--file")


async def _upload(context: CommandContext, path: Path, *, option: str) -> Mapping[str, str]:
    try:
        body = await asyncio.to_thread(path.read_bytes)
        stored = await context.client.upload(body)
    except OSError as error:
        raise InvalidInput(f"{option} {path}: {error.strerror}", field=option) from None
    except Rejected as error:
        raise InvalidInput(
            f"{option} {path}: {error.detail}", field=option, code=error.stable_code
        ) from error
    return {"object": stored.object, "name": path.name[:200]}
