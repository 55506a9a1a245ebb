"""Ledger entries: what the log records of an event. Entries carry digests; personal values are kept apart."""

import hashlib
from collections.abc import Iterable, Mapping
from datetime import datetime
from typing import Final, Literal

import msgspec
from msgspec import Struct

from signalbox_core.canonical_json import canonical_json
from signalbox_core.errors import InvalidInput
from signalbox_core.events.envelope import CloudEvent
from signalbox_core.ledger.commitments import StoredValues, digest_fields

RECORDED_RUN_EVENTS: Final = frozenset({"run.paused", "run.resumed", "run.cancelled"})
_RECORDED_PREFIX: Final = "approval."
RECORDED_CHANGES: Final = frozenset(
    {
        "api_key.added",
        "api_key.changed",
        "api_key.removed",
        "payload_key.added",
        "payload_key.changed",
        "payload_key.removed",
        "link_key.added",
        "link_key.changed",
        "link_key.removed",
        "sender_key.added",
        "sender_key.changed",
        "sender_key.removed",
        "policy.added",
        "policy.changed",
        "policy.removed",
        "token.created",
        "token.revoked",
        "schedule.created",
        "schedule.changed",
        "schedule.paused",
        "schedule.resumed",
        "schedule.deleted",
    }
)
"""Changes of keys, policies, tokens and schedules; they belong to no run."""
OUTCOMES: Final = frozenset({"approval.decided", "approval.vetoed", "approval.withdrawn", "approval.expired"})
"""The events that end an approval; a receipt proves one of them."""
QUESTION: Final = "approval.requested"
# Bounds an entry, so that its receipt fits into 4 kB.
_MAX_GROUPS: Final = 16
_MAX_TEXT: Final = 200
# The members of an event's data that identify who acted: an object with a subject, or a display name.
_ACTORS: Final = ("decider", "decided_by", "voted_by", "claimed_by", "released_by", "delegated_by", "by")


class Actor(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """Who acted, without personal values; `digests` of the entry has those of subject and name."""

    kind: str | None = None
    groups: tuple[str, ...] = ()


class Authority(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """By which rule the actor was allowed to act, as far as the event carries it."""

    rule: str | None = None
    group: str | None = None
    policy_digest: str | None = None


class LedgerEntry(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """One entry of a tenant's log; it is hashed as canonical JSON.

    Attributes:
        index: the position in the log, from 0.
        previous: the leaf hash of the entry before, hexadecimal; empty for the first.
        event: the short name of the event, such as `approval.decided`.
        at: when it happened, as the event states.
        run_id: empty of an event that belongs to no run, such as `passkey.registered`.
        item: of a change, the id of what was changed, such as that of an API key.
        outcome: of the event, such as `decided`; a more precise one if the event carries it.
        question_digest: the digest of exactly what the approver was shown.
        digests: salted digests of subject, name, reason, answer, evidence, signatures and the event's whole
            data.
    """

    version: Literal[1]
    index: int
    previous: str
    tenant: str
    event: str
    event_id: str
    source: str
    at: datetime
    run_id: str
    sequence: int | None = None
    item: str | None = None
    approval_id: str | None = None
    approval: str | None = None
    actor: Actor = Actor()
    authority: Authority = Authority()
    outcome: str | None = None
    door: str | None = None
    question_digest: str | None = None
    digests: Mapping[str, str] = {}


_DECODER: Final = msgspec.json.Decoder(LedgerEntry)


def is_recorded(event_name: str) -> bool:
    """Whether the ledger records events of this name: of approvals, of interventions in runs, of changes."""
    return event_name.startswith(_RECORDED_PREFIX) or event_name in RECORDED_RUN_EVENTS | RECORDED_CHANGES


def event_key(event: CloudEvent) -> str:
    """Identify an event for deduplication: a redelivery has the same source and id."""
    return _sha256(f"{event.source}\n{event.id}")


def entry_key(entry: LedgerEntry) -> str:
    """The `event_key` of the event that an entry records."""
    return _sha256(f"{entry.source}\n{entry.event_id}")


def approval_key(run_id: str, approval_id: str) -> str:
    return _sha256(f"{run_id}\n{approval_id}")


def sort_events(events: Iterable[CloudEvent]) -> list[CloudEvent]:
    """Order events by time, and those of one run by sequence number."""
    return sorted(events, key=lambda event: (event.time, event.runid, event.sequence or 0))


def approval_of(event: CloudEvent) -> str | None:
    """The id of the approval that an event is about."""
    return _string(_members(event.data), "approval_id")


def encode_entry(entry: LedgerEntry) -> bytes:
    return canonical_json(entry)


def decode_entry(body: bytes) -> LedgerEntry:
    """Decode an entry.

    Raises:
        InvalidInput: it is not an entry.
    """
    try:
        return _DECODER.decode(body)
    except (msgspec.DecodeError, msgspec.ValidationError, UnicodeDecodeError, RecursionError) as error:
        raise InvalidInput(f"not a ledger entry: {error}", field="entry") from None


def build_entry(
    event: CloudEvent, values: StoredValues, *, index: int, previous: str, question_digest: str | None
) -> LedgerEntry:
    """Build the entry of an event. Members that the event lacks, or has in another type, are left out.

    Args:
        question_digest: the digest of the approval's question, for an event that does not carry it.
    """
    members, fields = _members(event.data), erasable_fields(event.data)
    person = _person(members)
    return LedgerEntry(
        version=1,
        index=index,
        previous=previous,
        tenant=event.tenantid,
        event=event.name,
        event_id=event.id,
        source=event.source,
        at=event.time,
        run_id=event.runid,
        sequence=event.sequence,
        item=event.subject[:_MAX_TEXT] if event.name in RECORDED_CHANGES else None,
        approval_id=_string(members, "approval_id"),
        approval=_string(members, "name") if event.name == QUESTION else None,
        actor=Actor(kind=_string(person, "kind"), groups=_strings(person, "groups")),
        authority=Authority(
            rule=_string(members, "rule"),
            group=_string(members, "group"),
            policy_digest=_string(members, "policy_digest"),
        ),
        outcome=_string(members, "outcome") or _outcome(event.name),
        door=_string(members, "door"),
        question_digest=_string(members, "digest") or question_digest,
        digests=digest_fields(values, fields),
    )


def erasable_fields(data: bytes | msgspec.Raw) -> dict[str, msgspec.Raw]:
    """The values of an event that can be personal, by the name of their digest, the smallest first."""
    members = _members(data)
    person = _person(members)
    found = {
        "subject": person.get("subject"),
        "name": person.get("name"),
        "reason": members.get("reason") or members.get("note"),
        "answer": members.get("answer"),
        "evidence": members.get("evidence"),
        "signature": members.get("signature"),
        "signatures": members.get("signatures"),
        "data": msgspec.Raw(data),
    }
    present = {name: value for name, value in found.items() if value is not None and bytes(value) != b"null"}
    return dict(sorted(present.items(), key=lambda item: len(bytes(item[1]))))


def _outcome(event_name: str) -> str | None:
    return event_name.removeprefix(_RECORDED_PREFIX) if event_name in OUTCOMES else None


def _person(members: Mapping[str, msgspec.Raw]) -> Mapping[str, msgspec.Raw]:
    """The members `subject`, `name`, `kind` and `groups` of who acted, as far as they are known."""
    own = {name: members[name] for name in ("subject", "kind", "groups") if name in members}
    actors = [bytes(members[name]) for name in _ACTORS if name in members]
    names = [msgspec.Raw(actor) for actor in actors if actor.startswith(b'"')]
    nested = next((found for actor in actors if (found := _members(actor))), {})
    known = {name: value for name, value in nested.items() if bytes(value) != b"null"}
    return {"name": names[0] if names else msgspec.Raw(b"null"), **own, **known}


def _members(data: bytes | msgspec.Raw) -> dict[str, msgspec.Raw]:
    """The members of a JSON object; empty for any other JSON."""
    try:
        return msgspec.json.decode(data, type=dict[str, msgspec.Raw])
    except (msgspec.DecodeError, msgspec.ValidationError, UnicodeDecodeError, RecursionError):
        return {}


def _string(members: Mapping[str, msgspec.Raw], name: str) -> str | None:
    try:
        found = msgspec.json.decode(members.get(name, b"null"), type=str | None)
    except msgspec.ValidationError:
        return None
    return found and found[:_MAX_TEXT]


def _strings(members: Mapping[str, msgspec.Raw], name: str) -> tuple[str, ...]:
    try:
        found = msgspec.json.decode(members.get(name, b"[]"), type=tuple[str, ...])
    except msgspec.ValidationError:
        return ()
    return tuple(text[: _MAX_TEXT // 4] for text in found[:_MAX_GROUPS])


def _sha256(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()
