"""Who did what, as the API lists it: from the caller's tenant, by role, in pages."""

from collections.abc import AsyncIterator
from dataclasses import replace
from datetime import UTC, datetime

import httpx2
import pytest
from msgspec.structs import replace as with_fields
from starlette.applications import Starlette

from signalbox_core.events import CloudEvent
from signalbox_core.events.catalogue import RunCancelled
from signalbox_core.ledger.entries import RECORDED_CHANGES
from signalbox_core.ledger.log import TenantLog
from signalbox_core.ledger.receipts import decode_receipt
from signalbox_core.subjects import Subject
from signalbox_gateway.app import Gateway, Parts
from signalbox_gateway.changes.change_events import change_event
from signalbox_gateway.changes.difference import Difference
from support.fakes.events import START, make_event
from support.fakes.ledger import SIGNER, decided
from support.servers.gateway import client_of

KEY_KINDS = {kind for name in RECORDED_CHANGES if (kind := name.partition(".")[0]).endswith("_key")}

LAN = Subject(subject="key:lan", kind="human", name="Lan")


def changed(name: str, item: str, by: Subject | None) -> CloudEvent:
    difference = Difference(kind="changed", tenant="acme", id=item, after={"a": "b"})
    return change_event(name, "acme", difference, datetime(2026, 1, 2, 4, tzinfo=UTC), state=name, by=by)


EVENTS = [
    with_fields(decided("r1"), tenantid="acme"),
    make_event("run.cancelled", RunCancelled(reason="wrong page", by="Minh"), sequence=3, run_id="r2"),
    changed("api_key.changed", "oanh", None),
    changed("schedule.paused", "nightly", LAN),
    changed("token.created", "f00", Subject(subject="key:robot", kind="service")),
]


@pytest.fixture
async def app(parts: Parts) -> Starlette:
    for event in EVENTS:
        await TenantLog(parts.objects, "acme", [SIGNER]).append([event])
    return Gateway(replace(parts, ledger_signers=(SIGNER,))).app()


@pytest.fixture
async def admin(app: Starlette) -> AsyncIterator[httpx2.AsyncClient]:
    async with client_of(app) as client:
        yield client


async def listed(caller: httpx2.AsyncClient, **query: str | int) -> list[str]:
    answer = await caller.get("/v1/activity", params=query)
    assert answer.status_code == 200, answer.text
    return [entry["action"] for entry in answer.json()["entries"]]


async def test_an_admin_sees_who_did_what_the_newest_first(admin: httpx2.AsyncClient) -> None:
    answer = (await admin.get("/v1/activity")).json()
    assert answer["next_cursor"] is None
    token, schedule, key, cancelled, decision = answer["entries"]
    assert [entry["index"] for entry in answer["entries"]] == [4, 3, 2, 1, 0]
    assert token["actor"] == {"subject": "key:robot", "name": None, "kind": "service"}
    assert (schedule["action"], schedule["item"]) == ("schedule.paused", "nightly")
    assert schedule["actor"] == {"subject": "key:lan", "name": "Lan", "kind": "human"}
    assert (key["item"], key["actor"], key["erased"]) == ("oanh", None, False)
    assert (cancelled["run_id"], cancelled["actor"]["name"]) == ("r2", "Minh")
    assert (cancelled["reason"], cancelled["receipt"]) == ("wrong page", None)
    assert (decision["run_id"], decision["approval_id"], decision["outcome"]) == ("r1", "publish", "decided")
    assert datetime.fromisoformat(decision["at"]) >= START
    receipt = await admin.get(decision["receipt"])
    assert decode_receipt(receipt.content).proof


async def test_others_do_not_see_keys_and_tokens(app: Starlette) -> None:
    for role in ("viewer", "operator", "approver"):
        async with client_of(app, role) as caller:
            assert await listed(caller) == ["schedule.paused", "run.cancelled", "approval.decided"]
            for kind in KEY_KINDS:
                refused = await caller.get("/v1/activity", params={"action": kind})
                assert (refused.status_code, refused.json()["code"]) == (403, "forbidden"), kind


async def test_another_tenant_sees_nothing_of_it(app: Starlette) -> None:
    async with client_of(app, "stranger") as stranger:
        assert await listed(stranger) == []


@pytest.mark.parametrize(
    ("query", "actions"),
    [
        pytest.param({"action": "run"}, ["run.cancelled"], id="kind"),
        pytest.param({"action": "token.created"}, ["token.created"], id="event"),
        pytest.param({"action": "token.revoked"}, [], id="an event that has not happened"),
        pytest.param({"actor": "lan"}, ["schedule.paused", "approval.decided"], id="name"),
        pytest.param({"actor": "key:robot"}, ["token.created"], id="subject"),
        pytest.param({"actor": "lan", "action": "approval"}, ["approval.decided"], id="both"),
        pytest.param({"after": 2}, ["token.created", "schedule.paused"], id="newer"),
    ],
)
async def test_entries_are_filtered(
    admin: httpx2.AsyncClient, query: dict[str, str | int], actions: list[str]
) -> None:
    assert await listed(admin, **query) == actions


async def test_pages_follow_one_another(admin: httpx2.AsyncClient) -> None:
    found, query = [], {"limit": 2}
    while query:
        page = (await admin.get("/v1/activity", params=query)).json()
        found += [entry["index"] for entry in page["entries"]]
        query = {"limit": 2, "cursor": page["next_cursor"]} if page["next_cursor"] is not None else {}
    assert found == [4, 3, 2, 1, 0]


@pytest.mark.parametrize(
    ("query", "field"),
    [
        pytest.param({"action": "step.started"}, "action", id="action"),
        pytest.param({"limit": 101}, "limit", id="limit"),
        pytest.param({"cursor": "x"}, "cursor", id="cursor"),
        pytest.param({"since": 1}, "since", id="unknown"),
    ],
)
async def test_an_invalid_query_names_its_field(
    admin: httpx2.AsyncClient, query: dict[str, str | int], field: str
) -> None:
    answer = await admin.get("/v1/activity", params=query)
    assert (answer.status_code, answer.json()["field"]) == (422, field)


async def test_without_a_ledger_there_is_no_activity(parts: Parts) -> None:
    async with client_of(Gateway(parts).app()) as caller:
        answer = await caller.get("/v1/activity")
        assert (answer.status_code, answer.json()["code"]) == (404, "no_ledger")
    async with client_of(Gateway(replace(parts, ledger_signers=(SIGNER,))).app()) as caller:
        assert await listed(caller) == []
