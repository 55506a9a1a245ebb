"""Decodes the events of a verified delivery and checks that their sender may send them."""

import hashlib
import re
from collections.abc import Mapping, Sequence
from typing import Final

import msgspec

from signalbox_core.errors import Forbidden, InvalidInput, Rejected, SignalboxError
from signalbox_core.events.catalogue import CATALOGUE, MAX_SAFE_INTEGER, EventKind, full_type
from signalbox_core.events.effect_digest import check_effect_digest
from signalbox_core.events.envelope import MAX_EVENT_BYTES, CloudEvent
from signalbox_core.http.strict_json import find_repeated_member
from signalbox_core.ids import parse_run_id
from signalbox_core.signatures import KeyRecord
from signalbox_webhook_receiver.profile import MAX_BATCH_EVENTS, Media

_ONE: Final = msgspec.json.Decoder(CloudEvent)
_BATCH: Final = msgspec.json.Decoder(tuple[CloudEvent, ...])
_ITEMS: Final = msgspec.json.Decoder(tuple[msgspec.Raw, ...])
_DATA: Final[Mapping[str, msgspec.json.Decoder[msgspec.Struct]]] = {
    name: msgspec.json.Decoder(kind.data) for name, kind in CATALOGUE.items()
}
# Reserved namespaces: a domain event must not look like a milestone of the system.
_RESERVED: Final = frozenset(name.partition(".")[0] for name in CATALOGUE)
_TYPE: Final = re.compile(r"dev\.signalbox\.[a-z][a-z0-9_]*(?:\.[a-z][a-z0-9_]*)+\.v[1-9][0-9]{0,3}")
# Pub/Sub: an attribute has at most 1,024 bytes; an ordering key (run id or subject) should stay far below.
_MAX_BYTES: Final = {"id": 1024, "source": 1024, "type": 256, "subject": 256, "tenantid": 256, "stepid": 256}
_MAX_BYTES_OPTIONAL: Final = {"dataschema": 1024, "traceparent": 128, "effectdigest": 64}
_NOT_JSON: Final = (
    "the body must be JSON in UTF-8 with unique member names, and with numbers that a double can represent"
)
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


class RunEvents(msgspec.Struct, frozen=True, kw_only=True):
    """The events of one run in a delivery; they are accepted or refused together.

    Attributes:
        positions: of the events in the delivery, from 0.
        entries: none if there is an error.
        error: why one of the events is invalid.
    """

    positions: tuple[int, ...]
    entries: tuple[Entry, ...] = ()
    error: SignalboxError | None = None


class _Identity(msgspec.Struct, frozen=True):
    """What an invalid event says about its run, if anything."""

    runid: str = ""
    tenantid: str = ""


_IDENTITY: Final = msgspec.json.Decoder(_Identity)
_Found = tuple[CloudEvent | _Identity, InvalidInput | None]
"""An event, or what identifies the run of an invalid one, with its error."""


def read_runs(body: bytes, media: Media) -> list[RunEvents]:
    """Decode and validate a body, and group its events by run.

    Raises:
        Rejected: `malformed_json`: not JSON as RFC 8259 and I-JSON require (UTF-8, unique member names,
            numbers in range).
        InvalidInput: the delivery violates the limits of a batch, or its only run is invalid; `field` names
            the member.
    """
    _check_json(body)
    found = _decode(body, media)
    if not 1 <= len(found) <= MAX_BATCH_EVENTS:
        raise InvalidInput(f"a batch holds 1 to {MAX_BATCH_EVENTS} events", field="events")
    if len({event.tenantid for event, _ in found if event.tenantid}) > 1:
        raise InvalidInput("all events of a batch must belong to one tenant", field="tenantid")
    runs = _group_by_run(found)
    identities = [entry.identity for run in runs for entry in run.entries]
    if len(set(identities)) < len(identities):
        raise InvalidInput("the batch contains an event twice", field="id")
    if len(runs) == 1 and runs[0].error is not None:
        raise runs[0].error
    return runs


def _group_by_run(found: Sequence[_Found]) -> list[RunEvents]:
    positions: dict[str | int, list[int]] = {}
    for position, (event, _) in enumerate(found):
        # An event that names no run has a place of its own.
        positions.setdefault(event.runid or position, []).append(position)
    return [_run_events(tuple(each), [found[place] for place in each]) for each in positions.values()]


def _run_events(positions: tuple[int, ...], found: Sequence[_Found]) -> RunEvents:
    try:
        return RunEvents(positions=positions, entries=tuple(_checked_entry(*each) for each in found))
    except InvalidInput as error:
        return RunEvents(positions=positions, error=error)


def _checked_entry(event: CloudEvent | _Identity, error: InvalidInput | None) -> Entry:
    if error is not None:
        raise error
    assert isinstance(event, CloudEvent)
    return _entry(event)


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
        raise Rejected(_NOT_JSON, code="malformed_json") from None
    if repeated is not None:
        raise Rejected(
            f"the body has the member {repeated!r} more than once; send every member once",
            code="malformed_json",
            field=repeated or '""',
        )


def _decode(body: bytes, media: Media) -> Sequence[_Found]:
    """Decode each event; of an invalid one return what identifies its run, and the error."""
    try:
        if media is Media.ONE:
            return [(_ONE.decode(body), None)]
        return [(event, None) for event in _BATCH.decode(body)]
    except msgspec.ValidationError as error:
        if media is Media.ONE:
            raise _invalid(error) from None
    except (msgspec.DecodeError, RecursionError):
        raise Rejected(_NOT_JSON, code="malformed_json") from None
    return [_decode_one(item) for item in _decode_items(body)]


def _decode_items(body: bytes) -> Sequence[msgspec.Raw]:
    try:
        return _ITEMS.decode(body)
    except msgspec.ValidationError as error:
        raise _invalid(error) from None


def _decode_one(item: msgspec.Raw) -> _Found:
    try:
        return _ONE.decode(item), None
    except msgspec.ValidationError as error:
        try:
            identity = _IDENTITY.decode(item)
        except msgspec.ValidationError:
            identity = _Identity()
        return identity, _invalid(error)


def _invalid(error: msgspec.ValidationError) -> InvalidInput:
    found = _PATH.search(str(error))
    field = (found[1] or found[2]) if found else "event"
    return InvalidInput(
        f"not a CloudEvent of version 1.0: {field} is missing, has a wrong type or is out of range",
        field=field,
    )


def _entry(event: CloudEvent) -> Entry:
    _check_envelope(event)
    kind = _kind(event)
    _check_data(event)
    check_effect_digest(event)
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
