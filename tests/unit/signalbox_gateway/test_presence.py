"""Which questions have other viewers after a report of one person."""

from datetime import UTC, datetime, timedelta

from signalbox_gateway.runs.presence import (
    MAX_PRESENT,
    PresenceEntry,
    QuestionPresence,
    Viewer,
    apply_report,
    group_by_question,
)

NOW = datetime(2026, 1, 1, tzinfo=UTC)
LATER = NOW + timedelta(seconds=40)


def entry(
    name: str, *, question: str = "publish", deciding: bool = False, expires_at: datetime = LATER
) -> PresenceEntry:
    return PresenceEntry(
        run_id="run-1", approval_id=question, name=name, deciding=deciding, expires_at=expires_at
    )


def presence(*viewers: Viewer, question: str = "publish") -> QuestionPresence:
    return QuestionPresence(run_id="run-1", approval_id=question, viewers=viewers)


def viewer(name: str, *, deciding: bool = False) -> Viewer:
    return Viewer(name=name, deciding=deciding)


def test_the_first_report_shows_the_person() -> None:
    change = apply_report({}, "lan", entry("Lan"), NOW)
    assert change.changed == (presence(viewer("Lan")),)
    assert change.removed == ()


def test_a_repeated_report_changes_nothing_but_the_expiry() -> None:
    before = {"lan": entry("Lan", expires_at=NOW + timedelta(seconds=1))}
    change = apply_report(before, "lan", entry("Lan"), NOW)
    assert change.changed == ()
    assert change.entries["lan"].expires_at == LATER


def test_who_begins_to_enter_something_is_deciding() -> None:
    before = {"lan": entry("Lan"), "minh": entry("Minh")}
    change = apply_report(before, "lan", entry("Lan", deciding=True), NOW)
    assert change.changed == (presence(viewer("Lan", deciding=True), viewer("Minh")),)


def test_who_leaves_is_removed_from_this_question_only() -> None:
    before = {"lan": entry("Lan"), "lan-2": entry("Lan", question="budget")}
    change = apply_report(before, "lan", None, NOW)
    assert change.changed == (presence(),)
    assert change.removed == ("lan",)
    assert list(group_by_question(change.entries).values()) == [presence(viewer("Lan"), question="budget")]


def test_a_report_removes_what_has_expired() -> None:
    before = {"minh": entry("Minh", question="budget", expires_at=NOW)}
    change = apply_report(before, "lan", entry("Lan"), NOW)
    assert set(change.changed) == {presence(question="budget"), presence(viewer("Lan"))}
    assert change.removed == ("minh",)


def test_a_person_with_two_sessions_counts_once() -> None:
    before = {"one": entry("Lan"), "other": entry("Lan", deciding=True)}
    assert list(group_by_question(before).values()) == [presence(viewer("Lan", deciding=True))]
    assert apply_report(before, "one", None, NOW).changed == ()


def test_a_tenant_keeps_a_bounded_number_of_entries() -> None:
    full = {str(number): entry(f"person {number}") for number in range(MAX_PRESENT)}
    assert apply_report(full, "lan", entry("Lan"), NOW).changed == ()
    assert apply_report(full, "0", entry("person 0", deciding=True), NOW).changed != ()
    assert len(apply_report(full, "lan", entry("Lan"), NOW).entries) == MAX_PRESENT
