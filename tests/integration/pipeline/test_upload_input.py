"""An activity reads an uploaded file of its own tenant, unchanged, and no other."""

import hashlib

import pytest
from temporalio.client import Client, WorkflowFailureError

from signalbox_core.http.fetch import Fetcher
from signalbox_core.pipeline import Upload
from signalbox_core.pipeline.activity.loader import load_activities
from signalbox_core.pipeline.deps import ActivityDeps
from signalbox_core.testing.objects import FakeObjectStore
from signalbox_core.testing.pipeline import pipeline_under_test
from support.uploads.contract import SPEC, LetterInput, LetterResult

BODY = b"Dear Lan,"
KEY = f"uploads/acme/{hashlib.sha256(BODY).hexdigest()}"


@pytest.mark.parametrize(
    ("key", "body", "code"),
    [
        pytest.param(KEY, BODY, None, id="own"),
        pytest.param(KEY, b"Dear Mallory,", "upload_changed", id="changed"),
        pytest.param(KEY.replace("acme", "other"), BODY, "unknown_object", id="of-another-tenant"),
        pytest.param("documents/acme/x", BODY, "unknown_object", id="not-an-upload"),
    ],
)
async def test_an_upload_is_read_by_its_tenant_only(
    client: Client, key: str, body: bytes, code: str | None
) -> None:
    objects = FakeObjectStore()
    objects.bodies[key] = body
    deps = ActivityDeps(objects=objects, fetcher=Fetcher(), environ={})
    async with pipeline_under_test(SPEC, activities=load_activities(SPEC, deps), client=client) as pipeline:
        run = await pipeline.start(LetterInput(letter=Upload(object=key, name="letter.txt")))
        if code is None:
            assert await run.result() == LetterResult(size_bytes=len(BODY))
            return
        with pytest.raises(WorkflowFailureError):
            await run.result()
        error = (await run.snapshot()).error

    assert error is not None
    assert error.code == code
