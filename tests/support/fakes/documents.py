"""The documents pipelines over objects in memory: uploads, the real activities, and where Tesseract is needed."""

import hashlib
import os
import shutil
from collections.abc import Iterable

import pytest

from signalbox_core.pipeline.activity.loader import activities_of
from signalbox_core.pipeline.deps import ActivityDeps
from signalbox_core.testing.fetch import FakeFetcher
from signalbox_core.testing.objects import FakeObjectStore
from signalbox_devstack.emulators.sample_documents.folder import PaperFile
from signalbox_pipelines.document_batch.activities import BatchActivities
from signalbox_pipelines.document_batch.contract import DocumentSpec
from signalbox_pipelines.document_batch.document.activities import DocumentActivities
from signalbox_pipelines.document_batch.document.ocr.recognition import Recogniser

TENANT = "acme"
needs_tesseract = pytest.mark.skipif(
    shutil.which("tesseract") is None and os.environ.get("CI") != "true",
    reason="no Tesseract on PATH: python tools/ocr.py installs it, or says why not",
)


def work_over(
    objects: FakeObjectStore, fetcher: FakeFetcher | None = None, recogniser: Recogniser | None = None
) -> list[object]:
    """Every activity of both pipelines."""
    deps = ActivityDeps(objects=objects, fetcher=fetcher or FakeFetcher({}), environ={})
    return [*activities_of(DocumentActivities(deps, recogniser)), *activities_of(BatchActivities(deps))]


def put(objects: FakeObjectStore, file: PaperFile, *, priority: int = 3) -> DocumentSpec:
    """Upload as the gateway does."""
    key = f"uploads/{TENANT}/{hashlib.sha256(file.body).hexdigest()}"
    objects.bodies[key] = file.body
    return DocumentSpec(object=key, name=file.name, priority=priority)


def put_all(objects: FakeObjectStore, files: Iterable[PaperFile]) -> tuple[DocumentSpec, ...]:
    return tuple(put(objects, file) for file in files)
