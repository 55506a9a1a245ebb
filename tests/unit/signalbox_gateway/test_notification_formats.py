"""The messages of each kind of destination."""

from datetime import UTC, datetime

import msgspec
from msgspec.structs import replace

from signalbox_core.events.approval_data import (
    ApprovalDecided,
    ApprovalExpired,
    ApprovalHandedOver,
    ApprovalReminded,
)
from signalbox_core.events.policy import Policy, Quorum
from signalbox_core.events.snapshot import ApprovalState, Snapshot
from signalbox_gateway.notifications.mail import mail_of
from signalbox_gateway.notifications.notification import (
    Notification,
    addressees_of,
    approval_of,
    is_obsolete,
    notification_of,
)
from signalbox_gateway.notifications.slack import slack_text
from signalbox_gateway.notifications.teams import teams_message
from support.fakes.events import START, make_event

AT = datetime(2026, 11, 30, 4, 5, tzinfo=UTC)
NOTIFICATION = Notification(
    id="e1",
    event="approval.requested",
    tenant="acme",
    run_id="r1",
    run_title="Ads & more",
    approval_id="publish",
    title="Publish <these>\r\nads?",
    at=AT,
    url="https://signalbox.test/#/inbox/r1/publish",
    deadline_at=AT,
)
RAW = msgspec.Raw(b"null")
STATE = ApprovalState(
    approval_id="ok",
    name="ok",
    title="OK?",
    status="pending",
    answer_schema=RAW,
    options=RAW,
    evidence=RAW,
    digest="d",
    requested_at=START,
    deadline_at=AT,
)
SNAPSHOT = Snapshot(run_id="run-1", tenant="acme", pipeline="echo", title="Echo", approvals=(STATE,))


def test_the_subject_of_the_run_is_the_first_fact() -> None:
    named = replace(NOTIFICATION, subject="Coffee")
    assert named.facts[0] == ("Subject", "Coffee")
    assert "Coffee" in slack_text(named)
    assert "Coffee" in msgspec.json.encode(teams_message(named)).decode()
    assert [name for name, _ in NOTIFICATION.facts] == ["Run", "Deadline"]


def test_a_notification_has_the_subject_of_its_run() -> None:
    event = make_event("approval.expired", ApprovalExpired(approval_id="ok"), sequence=3)
    snapshot = replace(SNAPSHOT, subject="Coffee")
    assert notification_of(event, STATE, snapshot, origin="https://signalbox.test").subject == "Coffee"


def test_a_default_answer_is_named_in_the_headline() -> None:
    event = make_event("approval.expired", ApprovalExpired(approval_id="ok", outcome="defaulted"), sequence=3)
    found = notification_of(event, STATE, SNAPSHOT, origin="https://signalbox.test")
    assert found.headline.startswith("Expired, continued with the default answer: ")
    assert found.outcome == "defaulted"


def test_a_mail_has_both_parts_one_line_of_subject_and_a_stable_id() -> None:
    mail = mail_of(NOTIFICATION, sender="Signalbox <signalbox@example.com>", to="lan@acme.test")
    again = mail_of(NOTIFICATION, sender="Signalbox <signalbox@example.com>", to="lan@acme.test")
    other = mail_of(NOTIFICATION, sender="Signalbox <signalbox@example.com>", to="an@acme.test")
    assert mail["Subject"] == "Decision requested: Publish <these> ads?"
    assert mail["Message-ID"] == again["Message-ID"] != other["Message-ID"]
    assert mail["Message-ID"].endswith("@example.com>")
    assert mail["Auto-Submitted"] == "auto-generated"
    text, html = (part.get_content() for part in mail.iter_parts())
    assert "Run: Ads & more (r1)" in text
    assert "Deadline: 2026-11-30 04:05 UTC" in text
    assert NOTIFICATION.url in text
    assert NOTIFICATION.url in html
    assert "Publish &lt;these&gt; ads?" in html


def test_a_title_can_make_no_link_and_no_mention_in_a_chat() -> None:
    hostile = replace(NOTIFICATION, title="<!channel> [pay](https://evil.test) <https://evil.test|here>")
    assert "<!channel>" not in slack_text(hostile)
    assert "<https://evil.test" not in slack_text(hostile)
    assert f"<{NOTIFICATION.url}|Open>" in slack_text(hostile)
    assert b"[pay](https" not in msgspec.json.encode(teams_message(hostile))


def test_a_teams_message_is_an_adaptive_card_with_a_button() -> None:
    message = msgspec.json.decode(msgspec.json.encode(teams_message(NOTIFICATION)))
    (attachment,) = message["attachments"]
    assert attachment["contentType"] == "application/vnd.microsoft.card.adaptive"
    assert attachment["content"]["actions"][0]["url"] == NOTIFICATION.url


def test_a_reminder_takes_title_and_deadline_from_the_run() -> None:
    event = make_event("approval.reminded", ApprovalReminded(approval_id="ok"), sequence=9)
    found = notification_of(event, approval_of(event, SNAPSHOT), SNAPSHOT, origin="https://s.test")
    assert found.headline == "Reminder, decision pending: OK?"
    assert found.facts == (("Run", "Echo (run-1)"), ("Deadline", "2026-11-30 04:05 UTC"))
    assert found.url == "https://s.test/#/inbox/run-1/ok"
    unknown = notification_of(event, approval_of(event, None), None, origin="https://s.test")
    assert unknown.headline == "Reminder, decision pending: ok"


def test_a_notification_of_a_decided_question_asks_for_nothing() -> None:
    decided = replace(STATE, status="decided")
    reminder = make_event("approval.reminded", ApprovalReminded(approval_id="ok"), sequence=9)
    outcome = make_event(
        "approval.decided",
        ApprovalDecided(approval_id="ok", decision_id="d", decided_by="lan", answer=RAW),
        sequence=10,
    )
    assert is_obsolete(reminder, decided, START)
    assert not is_obsolete(reminder, STATE, AT)
    assert not is_obsolete(reminder, None, AT)
    assert not is_obsolete(outcome, decided, START)
    assert is_obsolete(outcome, decided, AT)


def test_a_notification_is_for_the_policy_and_after_a_hand_over_for_its_target() -> None:
    policy = Policy(quorum=(Quorum(1, group="legal"), Quorum(2)), people=("key:lan", "key:an", "key:binh"))
    reminder = make_event("approval.reminded", ApprovalReminded(approval_id="ok"), sequence=9)
    escalated = make_event("approval.escalated", ApprovalHandedOver(approval_id="ok", to="group:heads"))
    governed = replace(STATE, policy=policy)
    assert addressees_of(reminder, STATE) == addressees_of(reminder, None) == frozenset()
    assert addressees_of(reminder, governed) == {"group:legal", "key:lan", "key:an", "key:binh"}
    assert addressees_of(escalated, governed) == {"group:heads"}
    assert addressees_of(reminder, replace(governed, handed_to="group:heads")) == {"group:heads"}
