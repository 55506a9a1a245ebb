"""The lists of approvals by view: what the caller may answer, and what was decided last."""

from collections.abc import AsyncIterator, Mapping

import httpx2
import msgspec
import pytest
from msgspec.structs import replace
from starlette.types import ASGIApp

from signalbox_core.events import CloudEvent
from signalbox_core.events.approval_data import ApprovalClaimed, ApprovalRequested, ApprovalVoted
from signalbox_core.events.policy import Policy, Quorum
from signalbox_core.ids import new_run_id, run_key
from signalbox_core.streams.keys import RunKeys
from signalbox_core.subjects import Subject
from signalbox_gateway.app import Parts
from support.fakes.events import START, make_event, story
from support.servers.gateway import client_of

PATH = "/v1/approvals"
MINE = {"mine": "true"}
DECIDED = {"status": "decided"}
AN = Subject(subject="key:approver", name="an")
PICTURES = b'[{"pictures":[{"artifact":"ads/a.png","size":"300x250"}]}]'


def pending(run_id: str, *, tenant: str = "acme", **changed: object) -> list[CloudEvent]:
    """The events of a run up to its question, with other members of the question."""
    tale = [event for event in story(run_id, tenant) if event.sequence is not None][:6]
    question = msgspec.json.decode(tale[-1].data, type=ApprovalRequested)
    data = msgspec.json.encode(msgspec.structs.replace(question, **changed))
    return [*tale[:-1], replace(tale[-1], data=msgspec.Raw(data))]


@pytest.fixture
async def approver(app: ASGIApp, parts: Parts) -> AsyncIterator[httpx2.AsyncClient]:
    await parts.redis.flushdb()
    async with client_of(app, "approver") as client:
        yield client


async def listed(client: httpx2.AsyncClient, query: Mapping[str, str]) -> list[str]:
    answer = await client.get(PATH, params=query)
    assert answer.status_code == 200, answer.text
    return [item["run_id"] for item in answer.json()["approvals"]]


async def test_mine_has_what_the_caller_may_answer_and_has_not(
    app: ASGIApp, approver: httpx2.AsyncClient, parts: Parts
) -> None:
    free, others, voted, theirs = (new_run_id("echo") for _ in range(4))
    two = Policy(quorum=(Quorum(2),))
    vote = ApprovalVoted(approval_id="ok", decision_id="d", voted_by=AN, answer=msgspec.Raw(b"true"))
    await parts.streams.append_many(
        [
            *pending(free),
            *pending(others, policy=Policy(people=("key:lan",))),
            *pending(voted, policy=two),
            make_event("approval.voted", vote, sequence=7, run_id=voted),
            *pending(theirs, tenant="other"),
        ]
    )
    assert await listed(approver, MINE) == [free]
    assert sorted(await listed(approver, {})) == sorted([free, others, voted])
    async with client_of(app, "viewer") as viewer:
        assert await listed(viewer, MINE) == []
    async with client_of(app, "stranger") as stranger:
        assert await listed(stranger, MINE) == [theirs]


async def test_mine_has_a_question_of_a_run_whose_starter_an_earlier_release_did_not_note(
    approver: httpx2.AsyncClient, parts: Parts
) -> None:
    run_id = new_run_id("echo")
    await parts.streams.append_many(pending(run_id, policy=Policy(exclude_starter=True)))
    assert await listed(approver, MINE) == []  # the story records no starter, so the run refuses everybody

    meta = RunKeys(run_key("acme", run_id)).meta
    assert await parts.redis.hdel(meta, "starter") == 1
    assert await listed(approver, MINE) == [run_id]


async def test_mine_is_read_page_by_page(approver: httpx2.AsyncClient, parts: Parts) -> None:
    runs = [new_run_id("echo") for _ in range(7)]
    for number, run_id in enumerate(runs):
        people = Policy(people=("key:lan",) if number % 2 else ("key:approver",))
        await parts.streams.append_many(pending(run_id, policy=people))
    found: list[str] = []
    cursor: str | None = ""
    while cursor is not None:
        query = {**MINE, "limit": "2", **({"cursor": cursor} if cursor else {})}
        page = (await approver.get(PATH, params=query)).json()
        assert len(page["approvals"]) <= 2
        found += [item["run_id"] for item in page["approvals"]]
        cursor = page["next_cursor"]
    assert sorted(found) == sorted(runs[::2])


async def test_an_entry_tells_round_picture_and_who_deals_with_it(
    approver: httpx2.AsyncClient, parts: Parts
) -> None:
    run_id = new_run_id("echo")
    claim = ApprovalClaimed(approval_id="ok", claimed_by=AN, until=START)
    asked = pending(
        run_id, round=2, options=msgspec.Raw(PICTURES), policy=Policy(people=("key:approver", "key:lan"))
    )
    await parts.streams.append_many(
        [*asked, make_event("approval.claimed", claim, sequence=7, run_id=run_id)]
    )
    (item,) = (await approver.get(PATH)).json()["approvals"]
    assert (item["status"], item["round"], item["people"]) == ("pending", 2, ["key:approver", "key:lan"])
    assert item["picture"] == f"/v1/runs/{run_id}/artifacts/ads/a.png"
    assert item["claim"]["by"]["name"] == "an"
    assert (item["decided_by"], item["decided_at"], item["outcome"]) == (None, None, None)


async def test_decided_lists_the_outcomes_of_the_tenant(
    app: ASGIApp, approver: httpx2.AsyncClient, parts: Parts
) -> None:
    run_id, theirs = new_run_id("echo"), new_run_id("echo")
    for run, tenant in ((run_id, "acme"), (theirs, "other")):
        await parts.streams.append_many([event for event in story(run, tenant) if event.sequence is not None])
    page = (await approver.get(PATH, params=DECIDED)).json()
    (item,) = page["approvals"]
    assert (item["run_id"], item["title"], item["status"]) == (run_id, "OK?", "decided")
    assert (item["decided_by"], item["outcome"]) == ("lan", None)
    assert item["requested_at"] < item["decided_at"]
    assert item["url"] == f"/v1/runs/{run_id}/approvals/ok"
    assert (page["next_cursor"], page["total"]) == (None, 1)
    async with client_of(app, "stranger") as stranger:
        assert await listed(stranger, DECIDED) == [theirs]


@pytest.mark.parametrize(("extra", "field"), [(MINE, "mine"), ({"cursor": "x"}, "cursor")])
async def test_decided_takes_neither_mine_nor_a_cursor(
    approver: httpx2.AsyncClient, extra: Mapping[str, str], field: str
) -> None:
    answer = await approver.get(PATH, params={**DECIDED, **extra})
    assert (answer.status_code, answer.json()["field"]) == (422, field)
    assert "omit" in answer.json()["detail"]
