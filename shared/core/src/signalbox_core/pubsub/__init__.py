"""Pub/Sub: the mapping of events to messages, an asynchronous publisher and an asynchronous subscriber."""

from signalbox_core.pubsub.dispatch import DispatchOutcome, Handler, PulledMessage, Received
from signalbox_core.pubsub.inflight import SubscriberLimits
from signalbox_core.pubsub.messages import from_message, to_message
from signalbox_core.pubsub.publisher import Publisher, PubSubPublisher
from signalbox_core.pubsub.subscriber import EventSource, MessageSource, Subscriber

__all__ = [
    "DispatchOutcome",
    "EventSource",
    "Handler",
    "MessageSource",
    "PubSubPublisher",
    "Publisher",
    "PulledMessage",
    "Received",
    "Subscriber",
    "SubscriberLimits",
    "from_message",
    "to_message",
]
