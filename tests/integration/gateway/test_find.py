"""Finding runs with `GET /v1/runs?q=`, on Temporal's visibility store."""

import uuid
from collections.abc import Mapping

import httpx2
import pytest
from starlette.types import ASGIApp
from temporalio.client import Client
from temporalio.common import SearchAttributePair, TypedSearchAttributes

from signalbox_core.temporal import names
from support.assertions.eventually import eventually
from support.servers.gateway import client_of

LONG_S = 60.0


async def start(
    caller: httpx2.AsyncClient, text: str, *, tags: tuple[str, ...] = (), fail: bool = False
) -> str:
    body = {"pipeline": "echo", "input": {"text": text, "fail": fail}, "tags": tags}
    answer = await caller.post("/v1/runs", json=body)
    assert answer.status_code == 201, answer.text
    return str(answer.json()["run_id"])


async def found(caller: httpx2.AsyncClient, query: str) -> list[str]:
    answer = await caller.get("/v1/runs", params={"q": query})
    assert answer.status_code == 200, answer.text
    return [run["run_id"] for run in answer.json()["runs"]]


async def until_found(caller: httpx2.AsyncClient, query: str) -> list[str]:
    async def runs() -> list[str] | None:
        return await found(caller, query) or None

    return await eventually(runs, within_s=LONG_S)


async def test_a_run_is_found_by_what_it_is_about_and_by_whom(
    caller: httpx2.AsyncClient, app: ASGIApp
) -> None:
    mark = f"x{uuid.uuid4().hex}"
    run_id = await start(caller, f"Cà phê {mark}", tags=("q4/ads", mark))
    other = await start(caller, "tea")

    assert await until_found(caller, mark) == [run_id]
    for query in (
        f'"cà phê" {mark}',
        f"ca {mark[:6]} tag:{mark}",
        f"tag:q4/ads {mark}",
        f'find.text:"cà PHÊ {mark}"',
        f"by:lan pipeline:echo status:running {mark}",
        f"started:1h started:>=2026-01-01 {mark}",
        f"status:failed status:running tag:other tag:{mark}",
        run_id,
    ):
        assert await found(caller, query) == [run_id], query
    for query in (f"by:minh {mark}", f"status:failed {mark}", f"started:<2026-01-01 {mark}", f"tea {mark}"):
        assert await found(caller, query) == [], query
    assert other not in await found(caller, mark)
    async with client_of(app, "stranger") as stranger:
        assert await found(stranger, mark) == []


async def test_the_subject_and_the_tags_are_listed_and_shown(caller: httpx2.AsyncClient) -> None:
    mark = f"x{uuid.uuid4().hex}"
    run_id = await start(caller, mark, tags=("a", "b", "a"))

    await until_found(caller, mark)
    (item,) = (await caller.get("/v1/runs", params={"q": mark})).json()["runs"]
    snapshot = (await caller.get(f"/v1/runs/{run_id}")).json()

    assert (item["subject"], item["tags"]) == (f"Echo of {mark}", ["a", "b"])
    assert (snapshot["subject"], snapshot["tags"]) == (f"Echo of {mark}", ["a", "b"])


async def test_a_run_of_an_earlier_release_is_listed(caller: httpx2.AsyncClient, temporal: Client) -> None:
    run_id = f"old-{uuid.uuid4().hex}"
    attributes = [
        SearchAttributePair(names.SEARCH_TENANT, "acme"),
        SearchAttributePair(names.SEARCH_PIPELINE, "echo"),
    ]
    await temporal.start_workflow(
        "echo",
        {"text": "hi"},
        id=f"acme:{run_id}",
        task_queue="echo-nobody",
        memo={names.MEMO_TENANT: "acme", names.MEMO_STARTED_BY: "lan"},
        search_attributes=TypedSearchAttributes(attributes),
    )

    async def listed() -> Mapping[str, object] | None:
        runs = (await caller.get("/v1/runs", params={"limit": 200, "q": "status:running"})).json()["runs"]
        return next((run for run in runs if run["run_id"] == run_id), None)

    item = await eventually(listed, within_s=LONG_S)
    assert (item["subject"], item["tags"]) == (None, [])
    await temporal.get_workflow_handle(f"acme:{run_id}").terminate()


@pytest.mark.parametrize(
    "query",
    [
        "' OR SignalboxTenant != 'acme",
        "by:' OR '1'='1",
        'x"\'\\"',
        "find.text:') OR (SignalboxTenant = 'other",
        "tag:a','b",
        "♡ a♡b",
        "a*",
        "NEAR(a b)",
        "\\' \\\\",
        "a\0b",
        "by:\u202ea",
    ],
)
async def test_no_text_widens_or_breaks_a_search(
    caller: httpx2.AsyncClient, app: ASGIApp, query: str
) -> None:
    run_id = await start(caller, "mine")
    assert run_id in await until_found(caller, run_id)

    async with client_of(app, "stranger") as stranger:
        answer = await stranger.get("/v1/runs", params={"q": query, "limit": 200})

    if answer.status_code == 422:
        assert answer.json()["errors"][0]["field"] == "q"
    else:
        assert answer.status_code == 200, answer.text
        assert run_id not in {run["run_id"] for run in answer.json()["runs"]}


async def test_a_malformed_query_is_refused_in_words(caller: httpx2.AsyncClient) -> None:
    answer = await caller.get("/v1/runs", params={"q": "colour:red"})

    assert (answer.status_code, answer.json()["code"]) == (422, "invalid_query")
    assert "colour: is not a search key" in answer.json()["detail"]


async def test_a_cursor_belongs_to_its_search(caller: httpx2.AsyncClient) -> None:
    mark = f"x{uuid.uuid4().hex}"
    for _ in range(3):
        await start(caller, mark)

    async def page() -> Mapping[str, str] | None:
        if len(await found(caller, mark)) < 3:
            return None
        listed = (await caller.get("/v1/runs", params={"q": f"{mark} started:7d", "limit": 2})).json()
        return listed if listed["next_cursor"] else None

    cursor = (await eventually(page, within_s=LONG_S))["next_cursor"]
    again = await caller.get("/v1/runs", params={"q": f"{mark} started:7d", "limit": 2, "cursor": cursor})
    other = await caller.get("/v1/runs", params={"q": f"{mark} started:8d", "limit": 2, "cursor": cursor})

    assert len(again.json()["runs"]) == 1
    assert (other.status_code, other.json()["errors"][0]["field"]) == (422, "cursor")


@pytest.mark.parametrize("given", [{"pipeline": "a\0b"}, {"q": "pipeline:a\0b"}], ids=["filter", "search"])
async def test_a_pipeline_with_a_control_character_is_unknown(
    caller: httpx2.AsyncClient, given: dict[str, str]
) -> None:
    answer = await caller.get("/v1/runs", params=given)

    assert (answer.status_code, answer.json()["code"]) == (422, "unknown_pipeline")
