"""Notifications over real sockets: a mailbox and webhooks; once each, retried, refused, shown."""

import base64
import hashlib
import hmac
import json
from collections.abc import AsyncIterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from email.message import EmailMessage
from pathlib import Path

import msgspec
import pytest
from msgspec.structs import replace as with_fields
from redis.asyncio import Redis

from signalbox_core.events import CloudEvent
from signalbox_core.events.approval_data import ApprovalDecided, ApprovalExpired
from signalbox_core.events.snapshot import Snapshot, fold
from signalbox_core.process.followed_file import FollowedFile
from signalbox_core.pubsub import DispatchOutcome
from signalbox_core.redis.client import open_redis
from signalbox_gateway.app import Gateway, Parts
from signalbox_gateway.auth.decision_links import load_link_keys
from signalbox_gateway.notifications.deliveries import DeliveryRecords
from signalbox_gateway.notifications.routes_file import NotificationRoutes
from support.assertions.eventually import beside, eventually
from support.drivers.notifier_bench import SECRET, NotifierBench, write_routes
from support.fakes.events import make_event, story
from support.servers.gateway import client_of
from support.servers.notification_sinks import MailSink, WebhookSink, mail_sink, webhook_sink

RAW_NULL = msgspec.Raw(b"null")


@pytest.fixture
async def redis(redis_url: str) -> AsyncIterator[Redis]:
    async with open_redis(redis_url) as client:
        yield client


@pytest.fixture
async def mailbox() -> AsyncIterator[MailSink]:
    async with mail_sink() as sink:
        yield sink


@pytest.fixture
async def hooks() -> AsyncIterator[WebhookSink]:
    async with webhook_sink() as sink:
        yield sink


@pytest.fixture
def tenant(tmp_path: Path) -> str:
    """A tenant of its own for each test, because the tests share one Redis."""
    return f"acme-{hashlib.sha256(str(tmp_path).encode()).hexdigest()[:12]}"


@pytest.fixture
def routes(
    tmp_path: Path, mailbox: MailSink, hooks: WebhookSink, tenant: str
) -> FollowedFile[NotificationRoutes]:
    return write_routes(tmp_path, mailbox, hooks, tenant)


@pytest.fixture
def bench(redis: Redis, routes: FollowedFile[NotificationRoutes], tenant: str) -> NotifierBench:
    return NotifierBench(redis, routes, tenant)


def requested(tenant: str) -> CloudEvent:
    """A question that was asked a moment ago."""
    event = next(event for event in story("r1", tenant) if event.name == "approval.requested")
    return with_fields(event, time=datetime.now(UTC))


def plain_text(mail: EmailMessage) -> str:
    body = mail.get_body(("plain",))
    assert body is not None
    return str(body.get_content())


async def test_a_question_reaches_mailbox_chats_and_a_signed_webhook(
    bench: NotifierBench, mailbox: MailSink, hooks: WebhookSink, tenant: str
) -> None:
    event = requested(tenant)
    await bench.publish(event)
    assert await bench.deliver() == [DispatchOutcome.HANDLED]
    (mail,) = mailbox.mails
    assert (mail["To"], mail["Subject"]) == ("lan@acme.test", "Decision requested: OK?")
    assert mail.is_multipart()
    found = {request.path: request for request in hooks.requests}
    assert sorted(found) == ["/crm", "/slack/T0-secret", "/teams/T1-secret"]
    assert "Decision requested: OK?" in json.loads(found["/slack/T0-secret"].body)["text"]
    assert json.loads(found["/teams/T1-secret"].body)["type"] == "message"
    crm = found["/crm"]
    content = f"{crm.headers['webhook-id']}.{crm.headers['webhook-timestamp']}.".encode() + crm.body
    expected = base64.b64encode(hmac.digest(base64.b64decode(SECRET), content, hashlib.sha256)).decode()
    assert crm.headers["webhook-signature"] == f"v1,{expected}"
    assert crm.headers["webhook-id"] == event.id
    payload = json.loads(crm.body)
    assert (payload["type"], payload["data"]["approval_id"]) == ("approval.requested", "ok")


async def test_redeliveries_restarts_and_two_gateways_notify_once(
    bench: NotifierBench, mailbox: MailSink, hooks: WebhookSink, tenant: str
) -> None:
    event = requested(tenant)
    for _ in range(5):
        await bench.publish(event)
    first, second = bench.notifier(), bench.notifier()

    def is_done() -> bool:
        sources = (first[1], second[1])
        return all(sum(outcome.is_final for outcome in source.outcomes) >= 5 for source in sources)

    async with beside(first[0].run()), beside(second[0].run()):
        await eventually(is_done, within_s=60)
    await bench.deliver(ends_after=5)
    assert len(mailbox.mails) == 1
    assert sorted(request.path for request in hooks.requests) == [
        "/crm",
        "/slack/T0-secret",
        "/teams/T1-secret",
    ]


async def test_a_mail_has_the_link_of_its_recipient_where_the_contract_permits_links(
    bench: NotifierBench, tmp_path: Path, mailbox: MailSink, hooks: WebhookSink, tenant: str
) -> None:
    write_routes(tmp_path, mailbox, hooks, tenant, links=True)
    path = tmp_path / "link-keys"
    path.write_text(base64.b64encode(b"k" * 32).decode())
    bench.link_keys = FollowedFile(path, load_link_keys, content="link keys")
    bench.snapshot = Snapshot(run_id="r1", tenant=tenant, pipeline="echo", title="Echo")
    permitted = msgspec.json.decode(requested(tenant).data, type=dict[str, object])
    for name in ("word", "another"):
        data = msgspec.Raw(msgspec.json.encode({**permitted, "name": name}))
        await bench.publish(with_fields(requested(tenant), id=name, data=data))
    await bench.deliver(ends_after=2)
    texts = [plain_text(mail) for mail in mailbox.mails]
    (linked,) = [text for text in texts if "Decide without an account, once:" in text]
    assert len(texts) == 2
    token = linked.partition("https://signalbox.test/decide#")[2].split()[0]
    link = bench.link_keys.value.verify(token, datetime.now(UTC))
    assert (link.to, link.groups, link.approval_id) == ("lan@acme.test", ("legal",), "ok")
    assert link.digest == "d"
    assert b"decide#" not in b"".join(request.body for request in hooks.requests)


async def test_a_failing_destination_is_retried_and_the_others_are_notified_once(
    bench: NotifierBench, mailbox: MailSink, hooks: WebhookSink, tenant: str
) -> None:
    mailbox.answers.extend(["451 try later", "451 try later"])
    await bench.publish(requested(tenant))
    outcomes = await bench.deliver()
    assert outcomes == [DispatchOutcome.RETRIED, DispatchOutcome.RETRIED, DispatchOutcome.HANDLED]
    assert len(mailbox.mails) == 1
    assert len(hooks.requests) == 3
    assert (bench.count("mail", "retried"), bench.count("mail", "sent")) == (2, 1)
    assert (await bench.records.states(tenant))["lan"].status == "ok"


async def test_retry_after_delays_the_next_attempt(
    bench: NotifierBench, hooks: WebhookSink, tenant: str
) -> None:
    hooks.answers.extend([(429, {"retry-after": "1"})] * 3)
    await bench.publish(requested(tenant))
    outcomes = await bench.deliver()
    assert outcomes[-1] is DispatchOutcome.HANDLED
    # Between the attempts the event was redelivered many times, and nothing was sent.
    assert len(outcomes) > 3
    assert len(hooks.requests) == 6
    assert len(hooks.accepted) == 3


@pytest.mark.parametrize("status", [301, 400, 404, 410])
async def test_what_cannot_succeed_is_given_up_and_shown(
    bench: NotifierBench, hooks: WebhookSink, tenant: str, status: int, caplog: pytest.LogCaptureFixture
) -> None:
    hooks.answers.extend([(status, {"location": "http://127.0.0.1/"})] * 3)
    await bench.publish(requested(tenant))
    assert await bench.deliver() == [DispatchOutcome.HANDLED]
    assert len(hooks.requests) == 3
    assert {kind: bench.count(kind, "failed") for kind in ("slack", "teams", "webhook", "mail")} == {
        "slack": 1,
        "teams": 1,
        "webhook": 1,
        "mail": 0,
    }
    states = await bench.records.states(tenant)
    assert {name: state.status for name, state in states.items()} == {
        "lan": "ok",
        "chat": "failed",
        "team": "failed",
        "crm": "failed",
    }
    assert states["chat"].failing_since is not None
    assert f"127.0.0.1 returned {'a redirect (301)' if status == 301 else status}" in str(
        states["chat"].error
    )
    logged = "".join(f"{record.getMessage()} {vars(record)}" for record in caplog.records)
    assert "notification failed" in logged
    assert "T0-secret" not in logged


async def test_a_delivery_that_fails_for_a_day_is_given_up(
    bench: NotifierBench, mailbox: MailSink, tenant: str
) -> None:
    mailbox.answers.append("451 try later")
    await bench.publish(with_fields(requested(tenant), time=datetime.now(UTC) - timedelta(hours=25)))
    assert await bench.deliver() == [DispatchOutcome.HANDLED]
    assert mailbox.mails == []
    assert (await bench.records.states(tenant))["lan"].status == "failed"


async def test_a_recipient_that_the_server_refuses_is_given_up(
    bench: NotifierBench, mailbox: MailSink, tenant: str
) -> None:
    mailbox.answers.append("550 no such mailbox")
    await bench.publish(requested(tenant))
    assert await bench.deliver() == [DispatchOutcome.HANDLED]
    assert mailbox.mails == []
    state = (await bench.records.states(tenant))["lan"]
    assert (state.status, state.error) == ("failed", "127.0.0.1 returned 550: no such mailbox")


async def test_a_private_address_is_refused_unless_it_is_allowed(
    redis: Redis, tmp_path: Path, mailbox: MailSink, hooks: WebhookSink, tenant: str
) -> None:
    bench = NotifierBench(redis, write_routes(tmp_path, mailbox, hooks, tenant, is_allowed=False), tenant)
    await bench.publish(requested(tenant))
    assert await bench.deliver() == [DispatchOutcome.HANDLED]
    assert hooks.requests == []
    states = await bench.records.states(tenant)
    assert {name: state.status for name, state in states.items() if name != "lan"} == {
        "chat": "failed",
        "team": "failed",
        "crm": "failed",
    }
    assert "127.0.0.1 is not a public address" in str(states["crm"].error)


async def test_a_question_that_is_decided_meanwhile_is_not_notified(
    bench: NotifierBench, mailbox: MailSink, hooks: WebhookSink, tenant: str
) -> None:
    bench.snapshot = Snapshot(run_id="r1", tenant=tenant, pipeline="echo", title="Echo")
    for event in story("r1", tenant):
        bench.snapshot = fold(bench.snapshot, event)
    await bench.publish(requested(tenant))
    await bench.publish(make_event("approval.expired", ApprovalExpired(approval_id="ok"), tenant=tenant))
    assert await bench.deliver(ends_after=2) == [DispatchOutcome.HANDLED] * 2
    assert (mailbox.mails, hooks.requests) == ([], [])
    # The story is of an earlier year, so its outcome is too old to be news.
    assert bench.count("webhook", "obsolete") == 2


async def test_the_routes_are_hot_reloaded(
    bench: NotifierBench, tmp_path: Path, mailbox: MailSink, hooks: WebhookSink, tenant: str
) -> None:
    await bench.publish(requested(tenant))
    await bench.deliver()
    write_routes(tmp_path, mailbox, hooks, "another-tenant")
    decided = ApprovalDecided(approval_id="ok", decision_id="d", decided_by="lan", answer=RAW_NULL)
    await bench.publish(make_event("approval.decided", decided, tenant=tenant, second=90))
    await bench.deliver(ends_after=2)
    assert len(hooks.requests) == 3


async def test_the_api_lists_the_destinations_of_the_own_tenant(
    parts: Parts, redis: Redis, tmp_path: Path, mailbox: MailSink, hooks: WebhookSink
) -> None:
    routes = write_routes(tmp_path, mailbox, hooks, "acme")
    await redis.delete("signalbox:destinations:{acme}")
    await DeliveryRecords(redis).record("acme", "crm", "retrying", "crm.test returned 503")
    app = Gateway(replace(parts, notification_routes=routes)).app()
    async with client_of(app, "viewer") as viewer, client_of(app, "stranger") as stranger:
        mine = (await viewer.get("/v1/destinations")).json()["destinations"]
        theirs = (await stranger.get("/v1/destinations")).json()["destinations"]
    assert [(item["name"], item["kind"], item["status"]) for item in mine] == [
        ("chat", "slack", "unused"),
        ("crm", "webhook", "retrying"),
        ("lan", "mail", "unused"),
        ("team", "teams", "unused"),
    ]
    assert mine[1]["error"] == "crm.test returned 503"
    assert mine[1]["failing_since"] is not None
    assert theirs == []


async def test_a_deployment_without_routes_has_no_destinations(parts: Parts) -> None:
    async with client_of(Gateway(parts).app()) as caller:
        answer = await caller.get("/v1/destinations")
    assert (answer.status_code, answer.json()) == (200, {"destinations": []})
