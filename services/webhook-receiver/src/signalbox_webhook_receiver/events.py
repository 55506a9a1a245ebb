"""Decodes the events of a verified delivery and checks that their sender may send them."""

import hashlib
import re
from collections.abc import Mapping, Sequence
from typing import Final

import msgspec

from signalbox_core.errors import Forbidden, InvalidInput, Rejected
from signalbox_core.events.catalogue import CATALOGUE, MAX_SAFE_INTEGER, EventKind, full_type
from signalbox_core.events.envelope import MAX_EVENT_BYTES, CloudEvent
from signalbox_core.http.strict_json import find_repeated_member
from signalbox_core.ids import parse_run_id
from signalbox_core.signatures import KeyRecord
from signalbox_webhook_receiver.profile import MAX_BATCH_EVENTS, Media

_ONE: Final = msgspec.json.Decoder(CloudEvent)
_BATCH: Final = msgspec.json.Decoder(tuple[CloudEvent, ...])
_DATA: Final[Mapping[str, msgspec.json.Decoder[msgspec.Struct]]] = {
    name: msgspec.json.Decoder(kind.data) for name, kind in CATALOGUE.items()
}
# Reserved namespaces: a domain event must not look like a milestone of the system.
_RESERVED: Final = frozenset(name.partition(".")[0] for name in CATALOGUE)
_TYPE: Final = re.compile(r"dev\.signalbox\.[a-z][a-z0-9_]*(?:\.[a-z][a-z0-9_]*)+\.v[1-9][0-9]{0,3}")
# Pub/Sub: an attribute has at most 1,024 bytes; an ordering key (run id or subject) should stay far below.
_MAX_BYTES: Final = {"id": 1024, "source": 1024, "type": 256, "subject": 256, "tenantid": 256, "stepid": 256}
_MAX_BYTES_OPTIONAL: Final = {"dataschema": 1024, "traceparent": 128}
_PATH: Final = re.compile(r"missing required field `(\w+)`|at `\$(?:\[\d+\])?\.(\w+)")


class Entry(msgspec.Struct, frozen=True, kw_only=True):
    """One event of a delivery.

    Attributes:
        identity: the deduplication key, SHA-256 of source and id.
        digest: SHA-256 of the content without time, attempt and traceparent, which differ when a retried
            activity sends the same event.
    """

    event: CloudEvent
    kind: EventKind
    identity: str
    digest: str


def read_events(body: bytes, media: Media) -> tuple[Entry, ...]:
    """Decode and validate a body.

    Raises:
        Rejected: `malformed_json`: not JSON as RFC 8259 and I-JSON require (UTF-8, unique member names).
        InvalidInput: an event violates the envelope, the catalogue or the limits of a batch; `field` names
            the member.
    """
    _check_json(body)
    events = _decode(body, media)
    if not 1 <= len(events) <= MAX_BATCH_EVENTS:
        raise InvalidInput(f"a batch holds 1 to {MAX_BATCH_EVENTS} events", field="events")
    entries = tuple(_entry(event) for event in events)
    if len({(entry.event.runid, entry.event.tenantid) for entry in entries}) > 1:
        raise InvalidInput("all events of a batch must belong to one run and one tenant", field="runid")
    if len({entry.identity for entry in entries}) < len(entries):
        raise InvalidInput("the batch contains an event twice", field="id")
    return entries


def check_permission(key: KeyRecord, entries: Sequence[Entry]) -> None:
    """Check that the key permits every event.

    Raises:
        Forbidden: `tenant_forbidden`, `source_forbidden` or `event_type_forbidden`.
    """
    for entry in entries:
        if not key.permits_tenant(entry.event.tenantid):
            raise Forbidden(
                "this key may not send events for this tenant", code="tenant_forbidden", field="tenantid"
            )
        if not key.permits_source(entry.event.source):
            raise Forbidden(
                "this key may not send events from this source", code="source_forbidden", field="source"
            )
        if not key.permits_event(entry.event.name):
            raise Forbidden(
                "this key may not send events of this type", code="event_type_forbidden", field="type"
            )


def _check_json(body: bytes) -> None:
    try:
        repeated = find_repeated_member(body)
    except (ValueError, RecursionError):
        raise Rejected(
            "the body must be JSON in UTF-8 with unique member names", code="malformed_json"
        ) from None
    if repeated is not None:
        raise Rejected(
            f"the body has the member {repeated!r} more than once; send every member once",
            code="malformed_json",
            field=repeated or '""',
        )


def _decode(body: bytes, media: Media) -> tuple[CloudEvent, ...]:
    try:
        return (_ONE.decode(body),) if media is Media.ONE else _BATCH.decode(body)
    except msgspec.ValidationError as error:
        found = _PATH.search(str(error))
        field = (found[1] or found[2]) if found else "event"
        raise InvalidInput(
            f"not a CloudEvent of version 1.0: {field} is missing, has a wrong type or is out of range",
            field=field,
        ) from None
    except (msgspec.DecodeError, RecursionError):
        raise Rejected(
            "the body must be JSON in UTF-8 with unique member names", code="malformed_json"
        ) from None


def _entry(event: CloudEvent) -> Entry:
    _check_envelope(event)
    kind = _kind(event)
    _check_data(event)
    content = (
        event.type,
        event.subject,
        event.tenantid,
        event.runid,
        str(event.sequence),
        event.stepid or "",
        event.dataschema or "",
    )
    return Entry(
        event=event,
        kind=kind,
        identity=_sha256(event.source, event.id),
        digest=_sha256(*content, bytes(event.data).decode()),
    )


def _check_envelope(event: CloudEvent) -> None:
    for name, limit in _MAX_BYTES.items():
        value: str | None = getattr(event, name)
        if value is not None:
            _check_text(name, value, limit)
    for name, limit in _MAX_BYTES_OPTIONAL.items():
        _check_text(name, getattr(event, name) or "-", limit)
    parse_run_id(event.runid, field="runid")
    if event.time.tzinfo is None:
        raise InvalidInput("time needs a time zone, as in 2030-01-01T00:00:00Z", field="time")
    if event.datacontenttype != "application/json":
        raise InvalidInput("datacontenttype must be application/json", field="datacontenttype")


def _check_text(name: str, value: str, limit: int) -> None:
    if not value or not value.isprintable() or len(value.encode()) > limit:
        raise InvalidInput(f"{name} must be 1 to {limit} bytes without control characters", field=name)


def _kind(event: CloudEvent) -> EventKind:
    if not _TYPE.fullmatch(event.type):
        raise InvalidInput("type must have the form dev.signalbox.invoice.imported.v1", field="type")
    known = CATALOGUE.get(event.name)
    if known is None or event.type != full_type(event.name):
        if event.name.partition(".")[0] in _RESERVED:
            raise InvalidInput(
                "type is unknown to this version of Signalbox; upgrade the receiver before its senders",
                field="type",
            )
        kind = EventKind.DOMAIN
    else:
        kind = known.kind
    has_sequence = event.sequence is not None
    if event.sequence is not None and not 1 <= event.sequence <= MAX_SAFE_INTEGER:
        raise InvalidInput(f"sequence must be 1 to {MAX_SAFE_INTEGER}", field="sequence")
    if kind is EventKind.MILESTONE and not has_sequence:
        raise InvalidInput("a milestone needs a sequence", field="sequence")
    if kind is EventKind.PROGRESS and has_sequence:
        raise InvalidInput("a progress event must not have a sequence", field="sequence")
    return kind


def _check_data(event: CloudEvent) -> None:
    data = bytes(event.data)
    if len(data) > MAX_EVENT_BYTES:
        raise InvalidInput(f"data has more than {MAX_EVENT_BYTES} bytes; send it by reference", field="data")
    decoder = _DATA.get(event.name)
    if decoder is None:
        return
    try:
        decoder.decode(data)
    except msgspec.ValidationError:
        raise InvalidInput(
            "data does not match the schema of the event's type (docs/events.md)", field="data"
        ) from None


def _sha256(*parts: str) -> str:
    return hashlib.sha256("".join(f"{len(part)}:{part}" for part in parts).encode()).hexdigest()
