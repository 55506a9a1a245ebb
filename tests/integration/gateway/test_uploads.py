"""POST /v1/objects: which files are accepted, under which key, and which are refused."""

import hashlib
from collections.abc import AsyncIterator

import httpx2
import pytest
from starlette.types import ASGIApp

from signalbox_gateway.app import Parts
from support.servers.gateway import client_of

PDF = b"%PDF-1.7\n" + b"x" * 5_000


async def test_a_file_is_kept_under_its_hash_in_the_tenants_folder(
    caller: httpx2.AsyncClient, parts: Parts
) -> None:
    first = await caller.post(
        "/v1/objects", content=PDF, headers={"content-type": "application/octet-stream"}
    )
    again = await caller.post("/v1/objects", content=PDF)

    digest = hashlib.sha256(PDF).hexdigest()
    assert (first.status_code, first.json()) == (201, again.json())
    assert first.json() | {"object": ""} == {
        "object": "",
        "media_type": "application/pdf",
        "size_bytes": len(PDF),
        "sha256": digest,
    }
    assert first.json()["object"].startswith("uploads/")
    assert await parts.objects.get(first.json()["object"]) == PDF


async def test_a_file_may_be_sent_chunked(caller: httpx2.AsyncClient) -> None:
    async def pieces() -> AsyncIterator[bytes]:
        for start in range(0, len(PDF), 7):
            yield PDF[start : start + 7]

    answer = await caller.post("/v1/objects", content=pieces())

    assert (answer.status_code, answer.json()["sha256"]) == (201, hashlib.sha256(PDF).hexdigest())


@pytest.mark.parametrize(
    ("body", "declared", "status", "code"),
    [
        pytest.param(b"", "application/pdf", 422, "empty_upload", id="empty"),
        pytest.param(
            b"<!doctype html><p>", "application/pdf", 415, "wrong_upload_type", id="a page named pdf"
        ),
        pytest.param(b"PK\x03\x04zip", "application/pdf", 415, "wrong_upload_type", id="an archive"),
        pytest.param(b"a=b", "application/x-www-form-urlencoded", 415, "wrong_upload_type", id="a form"),
    ],
)
async def test_what_cannot_be_read_is_refused(
    caller: httpx2.AsyncClient, body: bytes, declared: str, status: int, code: str
) -> None:
    answer = await caller.post("/v1/objects", content=body, headers={"content-type": declared})

    assert (answer.status_code, answer.json()["code"]) == (status, code)


async def test_too_large_a_file_is_refused_before_it_is_sent(caller: httpx2.AsyncClient) -> None:
    answer = await caller.post("/v1/objects", content=PDF, headers={"content-length": "50000001"})

    assert (answer.status_code, answer.json()["code"]) == (413, "upload_too_large")


async def test_a_list_of_documents_is_taken_as_json(caller: httpx2.AsyncClient) -> None:
    answer = await caller.post(
        "/v1/objects",
        content=b'[{"url":"https://a.example/1.pdf"}]',
        headers={"content-type": "application/json"},
    )

    assert answer.json()["media_type"] == "application/json"


async def test_a_viewer_may_not_upload(app: ASGIApp) -> None:
    async with client_of(app, "viewer") as viewer:
        answer = await viewer.post("/v1/objects", content=PDF)

    assert answer.status_code == 403
