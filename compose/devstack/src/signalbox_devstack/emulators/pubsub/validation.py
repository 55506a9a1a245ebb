"""Validates requests (names, limits) and fills in the defaults of new resources. Pure."""

import re
from collections.abc import Collection, Sequence
from typing import Final, TypeVar

from google.protobuf.message import Message

from signalbox_devstack.emulators.pubsub import wire
from signalbox_devstack.emulators.pubsub.errors import already_exists, invalid, precondition
from signalbox_devstack.emulators.pubsub.filters import compile_filter
from signalbox_devstack.emulators.pubsub.times import seconds

T = TypeVar("T")

ACTIVE: Final = 1
DAY_S: Final = 86_400
MAX_MESSAGES: Final = 1_000
MAX_REQUEST_BYTES: Final = 10_000_000
MAX_ATTRIBUTES: Final = 100
MAX_NAME_BYTES: Final = 256
MAX_VALUE_BYTES: Final = 1_024
MAX_KEY_BYTES: Final = 1_024
ACK_DEADLINE_S: Final = range(10, 601)
ATTEMPTS: Final = range(5, 101)
_DEFAULT_PAGE: Final = 100


def check_new_name(kind: str, name: str, taken: Collection[str]) -> None:
    """`kind` is topics, subscriptions or snapshots."""
    if not re.fullmatch(rf"projects/[^/]+/{kind}/(?!goog)[A-Za-z][\w.~+%-]{{2,254}}", name):
        raise invalid(f"Invalid [{kind}] name: (name={name})")
    if name in taken:
        raise already_exists(name)


def check_publish(request: wire.PublishRequest) -> None:
    """Check Google's limits for a publish request."""
    if not 1 <= len(request.messages) <= MAX_MESSAGES:
        raise invalid(
            f"The value for message_count is invalid: {len(request.messages)}, must be 1 to {MAX_MESSAGES}."
        )
    if request.ByteSize() > MAX_REQUEST_BYTES:
        raise invalid(f"The request has {request.ByteSize()} bytes, at most {MAX_REQUEST_BYTES}.")
    if len({message.ordering_key for message in request.messages}) > 1:
        raise precondition(
            "In a single publish request, all messages must have no ordering key "
            "or they must all have the same ordering key."
        )
    for message in request.messages:
        _check_message(message)


def _check_message(message: wire.PubsubMessage) -> None:
    if not message.data and not message.attributes:
        raise invalid(
            "Some messages are empty: a non-empty data field or at least one attribute is required."
        )
    if len(message.attributes) > MAX_ATTRIBUTES:
        raise invalid(f"A message has {len(message.attributes)} attributes, at most {MAX_ATTRIBUTES}.")
    if len(message.ordering_key.encode()) > MAX_KEY_BYTES:
        raise invalid(f"An ordering key is longer than {MAX_KEY_BYTES} bytes.")
    for name, value in message.attributes.items():
        if not name or name.startswith("goog") or len(name.encode()) > MAX_NAME_BYTES:
            raise invalid(
                f"Attribute name {name[:40]!r}: must be 1 to {MAX_NAME_BYTES} bytes and not start with goog."
            )
        if len(value.encode()) > MAX_VALUE_BYTES:
            raise invalid(f"Attribute {name!r}: the value is longer than {MAX_VALUE_BYTES} bytes.")


def complete_subscription(subscription: wire.Subscription) -> None:
    """Fill in Google's defaults and reject values that are out of range."""
    subscription.ack_deadline_seconds = subscription.ack_deadline_seconds or ACK_DEADLINE_S.start
    check_ack_deadline(subscription.ack_deadline_seconds)
    compile_filter(subscription.filter)
    if not seconds(subscription.message_retention_duration):
        subscription.message_retention_duration.FromSeconds(7 * DAY_S)
    check_retention(seconds(subscription.message_retention_duration))
    if not subscription.HasField("expiration_policy"):
        subscription.expiration_policy.ttl.FromSeconds(31 * DAY_S)
    _complete_dead_letters(subscription)
    _complete_retry(subscription)
    if subscription.enable_exactly_once_delivery and subscription.push_config.push_endpoint:
        raise invalid("Exactly-once delivery is for pull subscriptions.")
    subscription.state = ACTIVE


def check_ack_deadline(value: int) -> None:
    if value not in ACK_DEADLINE_S:
        raise invalid(f"Invalid ack deadline given (ack_deadline_seconds={value}): must be 10 to 600.")


def check_retention(value_s: float) -> None:
    # Google's minimum is ten minutes; tests need shorter ones.
    if not 0 <= value_s <= 31 * DAY_S:
        raise invalid("message_retention_duration must not be longer than 31 days.")


def _complete_dead_letters(subscription: wire.Subscription) -> None:
    if not subscription.HasField("dead_letter_policy"):
        return
    policy = subscription.dead_letter_policy
    policy.max_delivery_attempts = policy.max_delivery_attempts or ATTEMPTS.start
    if policy.max_delivery_attempts not in ATTEMPTS:
        raise invalid(f"max_delivery_attempts is {policy.max_delivery_attempts}: must be 5 to 100.")


def _complete_retry(subscription: wire.Subscription) -> None:
    if not subscription.HasField("retry_policy"):
        return
    policy = subscription.retry_policy
    if not policy.HasField("minimum_backoff"):
        policy.minimum_backoff.FromSeconds(10)
    if not policy.HasField("maximum_backoff"):
        policy.maximum_backoff.FromSeconds(600)
    if not 0 <= seconds(policy.minimum_backoff) <= seconds(policy.maximum_backoff) <= 600:
        raise invalid("retry_policy: 0 ≤ minimum_backoff ≤ maximum_backoff ≤ 600 s must hold.")


def apply_mask(target: Message, source: Message, paths: Sequence[str], allowed: frozenset[str]) -> None:
    """Copy the top-level fields in an update mask; a field that is unset in `source` is cleared."""
    if not paths:
        raise invalid("The update_mask in the request is empty.")
    for path in paths:
        if path not in allowed:
            raise invalid(f"Invalid update_mask path {path!r}; allowed are: {', '.join(sorted(allowed))}.")
        target.ClearField(path)
        part = type(source)()
        part.CopyFrom(source)
        for field, _ in part.ListFields():
            if field.name != path:
                part.ClearField(field.name)
        target.MergeFrom(part)


def page_of(rows: Sequence[T], page_size: int, page_token: str) -> tuple[list[T], str]:
    """One page of the rows and the token of the next page, which is an offset."""
    if page_size < 0 or not (page_token or "0").isdigit():
        raise invalid("page_size must not be negative, and page_token must come from an earlier response.")
    start, size = int(page_token or 0), page_size or _DEFAULT_PAGE
    following = str(start + size) if start + size < len(rows) else ""
    return list(rows[start : start + size]), following
