"""The document pipelines over an in-memory object store: uploads and the real activities."""

import hashlib
import os
import shutil
from collections.abc import Callable, Iterable
from typing import Any

import pytest

from signalbox_core.pipeline.activity.loader import activities_of
from signalbox_core.pipeline.deps import ActivityDeps
from signalbox_core.testing.fetch import FakeFetcher
from signalbox_core.testing.objects import FakeObjectStore
from signalbox_devstack.emulators.sample_documents.inbox_files import PaperFile
from signalbox_pipelines.document_batch.activities import BatchActivities
from signalbox_pipelines.document_batch.contract import DocumentSpec
from signalbox_pipelines.document_batch.document.activities import DocumentActivities
from signalbox_pipelines.document_batch.document.ocr.engine import OcrEngine

TENANT = "acme"
needs_tesseract = pytest.mark.skipif(
    shutil.which("tesseract") is None and os.environ.get("CI") != "true",
    reason="no Tesseract on PATH: python tools/ocr.py installs it, or says why not",
)


def activities_over(
    objects: FakeObjectStore, fetcher: FakeFetcher | None = None, ocr_engine: OcrEngine | None = None
) -> list[Callable[..., Any]]:
    """Every activity of both pipelines."""
    deps = ActivityDeps(objects=objects, fetcher=fetcher or FakeFetcher({}), environ={})
    return [*activities_of(DocumentActivities(deps, ocr_engine)), *activities_of(BatchActivities(deps))]


def upload(objects: FakeObjectStore, file: PaperFile, *, priority: int = 3) -> DocumentSpec:
    """Store a file as the gateway stores an upload."""
    key = f"uploads/{TENANT}/{hashlib.sha256(file.body).hexdigest()}"
    objects.bodies[key] = file.body
    return DocumentSpec(object=key, name=file.name, priority=priority)


def upload_all(objects: FakeObjectStore, files: Iterable[PaperFile]) -> tuple[DocumentSpec, ...]:
    return tuple(upload(objects, file) for file in files)
