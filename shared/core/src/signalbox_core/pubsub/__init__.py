"""Pub/Sub: events as messages, an asynchronous publisher and an asynchronous subscriber."""

from signalbox_core.pubsub.dispatch import Handler, Outcome, Received
from signalbox_core.pubsub.inflight import Limits
from signalbox_core.pubsub.messages import from_message, to_message
from signalbox_core.pubsub.publisher import Publisher, PubSubPublisher
from signalbox_core.pubsub.subscriber import EventSource, Subscriber

__all__ = [
    "EventSource",
    "Handler",
    "Limits",
    "Outcome",
    "PubSubPublisher",
    "Publisher",
    "Received",
    "Subscriber",
    "from_message",
    "to_message",
]
