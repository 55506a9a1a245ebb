"""The object store: whether it can be written, read and deleted, and the space that is left."""

import secrets
import shutil
from typing import Final
from urllib.parse import unquote, urlsplit

from signalbox_admin.checks.findings import Finding, Reporter
from signalbox_core.errors import SignalboxError
from signalbox_core.objects import open_object_store

_REPORT: Final = Reporter("Objects")
_LOW_BYTES: Final = 2 * 2**30
_BODY: Final = b"signalbox-admin doctor"


async def check_objects(url: str | None) -> list[Finding]:
    if not url:
        return [_REPORT.skipped("set SIGNALBOX_GATEWAY_OBJECTS_URL")]
    key = f"doctor/{secrets.token_hex(8)}"
    try:
        store = open_object_store(url)
        await store.put_new(key, _BODY, "text/plain")
        body = await store.get(key)
        await store.delete(key)
    except SignalboxError as error:
        return [_REPORT.error(error.detail, "check the address, the permissions and the free space")]
    if body != _BODY:
        return [_REPORT.error("an object was read back with different content", "check the store")]
    return [_REPORT.ok(f"{_place(url)} can be written, read and deleted"), *_space(url)]


def assess_space(folder: str, free: int) -> Finding:
    """Assess the free bytes of the file system of a folder."""
    detail = f"{folder} has {free / 2**30:.1f} GiB left"
    if free < _LOW_BYTES:
        return _REPORT.warning(f"{detail}: when it is full, runs wait", "free space, or move the folder")
    return _REPORT.ok(detail)


def _space(url: str) -> list[Finding]:
    parts = urlsplit(url)
    if parts.scheme != "file":
        return []
    folder = unquote(parts.path)
    return [assess_space(folder, shutil.disk_usage(folder).free)]


def _place(url: str) -> str:
    parts = urlsplit(url)
    return f"{parts.scheme}://{parts.netloc}{parts.path}"
