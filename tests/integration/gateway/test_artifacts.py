"""Artifacts: the right bytes, with headers that keep browsers from executing them."""

import httpx2
import pytest

from signalbox_core.events.catalogue import ArtifactCreated, RunStarted
from signalbox_core.ids import new_run_id
from signalbox_gateway.app import Parts
from support.drivers.api_calls import asked, started
from support.fakes.events import make_event


@pytest.fixture
async def run_id(parts: Parts) -> str:
    """A run with a picture, a page and a file whose name is Vietnamese."""
    run_id = new_run_id("echo")
    files = {
        "ads/a.png": "image/png",
        "page.html": "text/html; charset=utf-8",
        "quảng cáo.svg": "image/svg+xml",
        "report": "application/json",
    }
    await parts.streams.append(
        make_event("run.started", RunStarted(pipeline="echo", title="Echo"), sequence=1, run_id=run_id)
    )
    for place, (name, media_type) in enumerate(files.items(), start=2):
        ref = await parts.objects.put_new(f"{run_id}/{place}", f"bytes of {name}".encode(), media_type)
        data = ArtifactCreated(name=name, media_type=media_type, size_bytes=ref.size_bytes, key=ref.key)
        await parts.streams.append(make_event("artifact.created", data, sequence=place, run_id=run_id))
    return run_id


async def test_the_url_in_the_snapshot_is_immutable(caller: httpx2.AsyncClient, run_id: str) -> None:
    for artifact in (await caller.get(f"/v1/runs/{run_id}")).json()["artifacts"]:
        answer = await caller.get(artifact["url"])

        assert answer.content == f"bytes of {artifact['name']}".encode()
        assert answer.headers["content-type"] == artifact["media_type"]
        assert "immutable" in answer.headers["cache-control"]
        assert answer.headers["x-content-type-options"] == "nosniff"
        assert "sandbox" in answer.headers["content-security-policy"]


async def test_pictures_are_shown_and_active_content_is_downloaded(
    caller: httpx2.AsyncClient, run_id: str
) -> None:
    picture = await caller.get(f"/v1/runs/{run_id}/artifacts/ads/a.png")
    asked_to_save = await caller.get(f"/v1/runs/{run_id}/artifacts/ads/a.png?download")
    page = await caller.get(f"/v1/runs/{run_id}/artifacts/page.html")
    drawing = await caller.get(f"/v1/runs/{run_id}/artifacts/qu%E1%BA%A3ng%20c%C3%A1o.svg")

    assert picture.headers["content-disposition"].startswith('inline; filename="a.png"')
    assert asked_to_save.headers["content-disposition"].startswith("attachment")
    assert page.headers["content-disposition"].startswith("attachment")
    assert (
        drawing.headers["content-disposition"]
        == "attachment; filename=\"qu_ng c_o.svg\"; filename*=UTF-8''qu%E1%BA%A3ng%20c%C3%A1o.svg"
    )


async def test_a_cached_artifact_is_not_sent_again(caller: httpx2.AsyncClient, run_id: str) -> None:
    path = f"/v1/runs/{run_id}/artifacts/report"
    first = await caller.get(path)

    again = await caller.get(path, headers={"if-none-match": first.headers["etag"]})

    assert first.headers["cache-control"] == "private, no-cache"
    assert (again.status_code, again.content, again.headers["etag"]) == (304, b"", first.headers["etag"])


async def test_an_unknown_artifact_names_the_known_ones(caller: httpx2.AsyncClient, run_id: str) -> None:
    answer = await caller.get(f"/v1/runs/{run_id}/artifacts/nope")

    assert (answer.status_code, answer.json()["code"]) == (404, "unknown_artifact")
    assert "ads/a.png" in answer.json()["detail"]


@pytest.mark.usefixtures("worker")
async def test_an_artifact_that_the_projection_lacks_is_found_in_the_workflow(
    caller: httpx2.AsyncClient, parts: Parts
) -> None:
    await parts.objects.put_new("echo/file", b"abc", "image/png")
    run_id = await started(caller, ask=True, artifact="a.png")
    await asked(caller, run_id)
    await parts.streams.append(
        make_event("run.started", RunStarted(pipeline="echo", title="Echo"), sequence=1, run_id=run_id)
    )

    answer = await caller.get(f"/v1/runs/{run_id}/artifacts/a.png")

    assert (answer.status_code, answer.content) == (200, b"abc")
