"""CloudEvents on Pub/Sub in binary mode: `ce-*` message attributes, which filters can use, and the data.

Source: CloudEvents 1.0, Google Cloud Pub/Sub protocol binding, §3.1.
"""

from collections.abc import Mapping
from typing import Final

import msgspec

from signalbox_core.errors import InvalidInput
from signalbox_core.events.effect_digest import check_effect_digest
from signalbox_core.events.envelope import MAX_EVENT_BYTES, CloudEvent

MAX_VALUE_BYTES: Final = 1_024
_PREFIX: Final = "ce-"
_CONTENT_TYPE: Final = "content-type"
_MEMBERS: Final = tuple(
    field for field in CloudEvent.__struct_fields__ if field not in ("data", "datacontenttype")
)


class Message(msgspec.Struct, frozen=True, kw_only=True):
    """One Pub/Sub message, independent of the client library: `data` and string attributes."""

    data: bytes
    attributes: Mapping[str, str]


def to_message(event: CloudEvent) -> Message:
    """Map an event to a message.

    Raises:
        InvalidInput: an attribute exceeds the limit of Pub/Sub, or the event exceeds ours.
    """
    attributes = {_CONTENT_TYPE: event.datacontenttype}
    for member in _MEMBERS:
        value = getattr(event, member)
        if value is not None:
            attributes[_PREFIX + member] = str(msgspec.to_builtins(value))
    for name, text in attributes.items():
        if len(text.encode()) > MAX_VALUE_BYTES:
            raise InvalidInput(
                f"event attribute {name} has {len(text.encode())} bytes; "
                f"at most {MAX_VALUE_BYTES} are allowed",
                field=name,
            )
    data = bytes(event.data)
    size = len(data) + sum(len(name) + len(text.encode()) for name, text in attributes.items())
    if size > MAX_EVENT_BYTES:
        # Above 4 MiB a message can be published but not received: it exceeds gRPC's limit and breaks the
        # stream.
        raise InvalidInput(
            f"event {event.name} has {size} bytes; at most {MAX_EVENT_BYTES} are allowed: "
            "store large data in the object store and send a reference",
            field="data",
        )
    return Message(data=data, attributes=attributes)


def from_message(data: bytes, attributes: Mapping[str, str]) -> CloudEvent:
    """Map a message back to its event; unknown attributes are ignored.

    Raises:
        InvalidInput: a required attribute is missing or invalid, or the data is not JSON;
            `effect_digest_mismatched`: an approved event was changed on its way.
    """
    members: dict[str, object] = {
        name.removeprefix(_PREFIX): text for name, text in attributes.items() if name.startswith(_PREFIX)
    }
    members["datacontenttype"] = attributes.get(_CONTENT_TYPE, "application/json")
    members["data"] = msgspec.Raw(data)
    try:
        msgspec.json.decode(data)
        event = msgspec.convert(members, CloudEvent, strict=False)
    except (msgspec.DecodeError, msgspec.ValidationError, UnicodeDecodeError, RecursionError) as error:
        raise InvalidInput(f"not a CloudEvent in binary mode: {error}", field="event") from None
    check_effect_digest(event)
    return event
