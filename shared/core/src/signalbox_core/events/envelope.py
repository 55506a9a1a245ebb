"""The CloudEvents 1.0 envelope of every event, in structured mode (JSON).

The extensions are `tenantid`, `runid`, `sequence`, `stepid`, `attempt`, `traceparent`, `effectdigest`: in
lower case, as CloudEvents requires.
"""

from datetime import datetime
from typing import Final, Literal, TypeVar

import msgspec

from signalbox_core.errors import InvalidInput
from signalbox_core.events.catalogue import SafeInteger, short_name

MAX_EVENT_BYTES: Final = 256 * 1024
CONTENT_TYPE: Final = "application/cloudevents+json"
BATCH_CONTENT_TYPE: Final = "application/cloudevents-batch+json"

T = TypeVar("T", bound=msgspec.Struct)


class CloudEvent(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """One immutable fact (CloudEvents 1.0 §3, JSON format §3).

    Attributes:
        id: unique within `source`; derived from run and sequence, so a redelivery has the same id.
        type: `dev.signalbox.<name>.v1`; `name` is the short form.
        subject: the run id.
        sequence: counts from 1 within the run, assigned by its workflow; None for progress and for domain
            events of an activity.
        data: the JSON of the event type's Struct.
        effectdigest: of an event that a person approved (`signalbox_core.events.effect_digest`).
    """

    specversion: Literal["1.0"] = "1.0"
    id: str
    source: str
    type: str
    time: datetime
    subject: str
    tenantid: str
    runid: str
    data: msgspec.Raw
    datacontenttype: str = "application/json"
    dataschema: str | None = None
    sequence: SafeInteger | None = None
    stepid: str | None = None
    attempt: SafeInteger | None = None
    traceparent: str | None = None
    effectdigest: str | None = None

    @property
    def name(self) -> str:
        """The short name, `step.completed` for `dev.signalbox.step.completed.v1`."""
        return short_name(self.type)


class EventFrame(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """One event as listeners of a stream get it in `data:` (docs/streams.md).

    Attributes:
        sequence: None for progress and announcements, which are not stored.
    """

    id: str
    type: str
    time: datetime
    runid: str
    sequence: SafeInteger | None = None
    stepid: str | None = None
    attempt: SafeInteger | None = None
    data: msgspec.Raw

    def to_cloud_event(self, tenant: str = "") -> CloudEvent:
        """The event again, without what a stream leaves out: `source`, and the tenant unless it is given."""
        return CloudEvent(
            id=self.id,
            source="",
            type=self.type,
            time=self.time,
            subject=self.runid,
            tenantid=tenant,
            runid=self.runid,
            data=self.data,
            sequence=self.sequence,
            stepid=self.stepid,
            attempt=self.attempt,
        )


class EventResult(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """The outcome of one event of a batch of several runs, of which at least one was refused.

    Attributes:
        status: 202 accepted, 200 accepted before, or the status of the refusal of its run.
        code: the code of the refusal.
    """

    status: int
    code: str | None = None


_encoder: Final = msgspec.json.Encoder()
_decoder: Final = msgspec.json.Decoder(CloudEvent)


def encode_event(event: CloudEvent) -> bytes:
    """Structured-mode JSON. `specversion` and the content type are always present.

    Raises:
        InvalidInput: the event is larger than MAX_EVENT_BYTES; pass large bodies by reference.
    """
    members = msgspec.structs.asdict(event)
    body = _encoder.encode({name: value for name, value in members.items() if value is not None})
    if len(body) > MAX_EVENT_BYTES:
        raise InvalidInput(
            f"event {event.name} has {len(body)} bytes, at most {MAX_EVENT_BYTES}:"
            " put the body in the object store",
            field="data",
        )
    return body


def decode_data(event: CloudEvent, kind: type[T]) -> T:
    """Decode an event's data as the Struct of its type."""
    return msgspec.json.decode(event.data, type=kind)


def decode_event(body: bytes | str) -> CloudEvent:
    """Decode structured-mode JSON; unknown members are ignored (readers must).

    Raises:
        InvalidInput: not JSON, or a required member is missing or has the wrong type.
    """
    try:
        return _decoder.decode(body)
    except (msgspec.DecodeError, msgspec.ValidationError, UnicodeDecodeError, RecursionError) as error:
        raise InvalidInput(f"not a CloudEvent: {error}", field="event") from None


def frame_data(event: CloudEvent) -> bytes:
    """Encode an event as an EventFrame; the type stays in its full form."""
    frame = EventFrame(
        id=event.id,
        type=event.type,
        time=event.time,
        runid=event.runid,
        sequence=event.sequence,
        stepid=event.stepid,
        attempt=event.attempt,
        data=event.data,
    )
    return _encoder.encode(frame)
