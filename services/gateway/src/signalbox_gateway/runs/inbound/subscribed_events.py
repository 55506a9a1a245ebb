"""Subscriptions whose messages are external events: their file, and how a message is read as an event."""

import secrets
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Final

import msgspec
from msgspec import Meta, Struct

from signalbox_core.errors import InvalidInput
from signalbox_core.events.catalogue import short_name
from signalbox_core.ids import derived_id
from signalbox_core.pipeline.contract.external_event import InboundEvent
from signalbox_core.process.json_file import read_json_file
from signalbox_gateway.auth.principal import Principal, event_source

_CONTENT: Final = "event subscriptions"
_FIELD: Final = "SIGNALBOX_GATEWAY_EVENT_SUBSCRIPTIONS_FILE"
_MAX_ID_CHARS: Final = 200
_Name = Annotated[str, Meta(min_length=1, max_length=255)]


class SubscribedEvents(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A subscription, whose messages are events of one tenant.

    Attributes:
        sender: a name for who sends them, shown as starter of runs and sender of events.
        event: the name of all its events; otherwise `event_attribute` has it, as `payment.settled` or as the
            type of a CloudEvent.
        event_id_attribute: identifies the event; without one the message's id does, which is another one when
            its publisher repeats the message.
        key_attribute: has the business key.
        run_attribute: has the run id; a message without it is delivered by its key.
    """

    subscription: _Name
    tenant: _Name
    sender: _Name
    event: _Name | None = None
    event_attribute: _Name | None = None
    event_id_attribute: _Name | None = None
    key_attribute: _Name | None = None
    run_attribute: _Name | None = None

    def __post_init__(self) -> None:
        if (self.event is None) == (self.event_attribute is None):
            raise ValueError("give one of `event` and `event_attribute`")

    @property
    def principal(self) -> Principal:
        """Who starts the runs."""
        return event_source(f"subscription:{self.subscription}", self.sender, self.tenant)

    def read(
        self, data: bytes, attributes: Mapping[str, str], message_id: str
    ) -> tuple[InboundEvent, str | None]:
        """Read a message: the event, and the id of the run that it is for.

        Raises:
            InvalidInput: an attribute is missing, the data is not JSON, or the message is an event of another
                tenant.
        """
        self._check_tenant(attributes)
        try:
            body = msgspec.json.decode(data, type=msgspec.Raw)
            msgspec.json.decode(body)
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
            raise InvalidInput("the data of the message is not JSON", field="data") from None
        name = self.event or short_name(_required(attributes, self.event_attribute))
        event_id = _required(attributes, self.event_id_attribute) if self.event_id_attribute else message_id
        event = InboundEvent(
            name=name,
            event_id=event_id if len(event_id) <= _MAX_ID_CHARS else derived_id(event_id),
            data=body,
            key=attributes.get(self.key_attribute) or None if self.key_attribute else None,
            sender=self.principal.subject,
            delivery_id=secrets.token_hex(13),
        )
        return event, attributes.get(self.run_attribute) or None if self.run_attribute else None

    def _check_tenant(self, attributes: Mapping[str, str]) -> None:
        """Refuse what a missing or mistyped filter of the subscription lets through."""
        stated = attributes.get("ce-tenantid", self.tenant)
        if stated != self.tenant:
            raise InvalidInput(
                f"the message is an event of another tenant than {self.tenant!r}: check the filter of"
                f" subscription {self.subscription}",
                field="ce-tenantid",
            )


class _SubscriptionsFile(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    subscriptions: tuple[SubscribedEvents, ...]


def read_subscriptions(path: str | None) -> tuple[SubscribedEvents, ...]:
    """Read the file of subscriptions; none without one.

    Raises:
        InvalidInput: it cannot be read, is malformed, or names a subscription twice.
    """
    if path is None:
        return ()
    found = read_json_file(Path(path), _SubscriptionsFile, content=_CONTENT, field=_FIELD).subscriptions
    names = [item.subscription for item in found]
    if repeated := {name for name in names if names.count(name) > 1}:
        raise InvalidInput(
            f"the {_CONTENT} in {path}: the subscription {min(repeated)!r} is there twice", field=_FIELD
        )
    return found


def _required(attributes: Mapping[str, str], name: str | None) -> str:
    value = attributes.get(name or "")
    if not value:
        raise InvalidInput(f"the message has no attribute {name!r}", field=name)
    return value
