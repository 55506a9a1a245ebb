"""The settings of a subscription that its backlog needs. Pure."""

from dataclasses import dataclass
from typing import Self

from signalbox_devstack.emulators.pubsub import wire
from signalbox_devstack.emulators.pubsub.times import seconds

_PUSH_BACKOFF_S = (0.1, 60.0)


@dataclass(frozen=True, slots=True, kw_only=True)
class DeliveryPolicy:
    """How messages are delivered and redelivered.

    Attributes:
        max_attempts: None without a dead-letter policy.
        backoff_s: the first and the longest delay; None: redeliver immediately.
    """

    ordered: bool = False
    exactly_once: bool = False
    max_attempts: int | None = None
    backoff_s: tuple[float, float] | None = None

    @classmethod
    def of(cls, subscription: wire.Subscription) -> Self:
        has_dead_letters = subscription.HasField("dead_letter_policy")
        return cls(
            ordered=subscription.enable_message_ordering,
            exactly_once=subscription.enable_exactly_once_delivery,
            max_attempts=subscription.dead_letter_policy.max_delivery_attempts if has_dead_letters else None,
            backoff_s=_backoff_s(subscription),
        )

    def delay_s(self, failures: int) -> float:
        """The delay after the n-th failure: exponential, up to the longest."""
        if self.backoff_s is None:
            return 0.0
        first, longest = self.backoff_s
        return min(longest, first * 2.0 ** min(failures - 1, 30))


def _backoff_s(subscription: wire.Subscription) -> tuple[float, float] | None:
    if subscription.HasField("retry_policy"):
        policy = subscription.retry_policy
        return seconds(policy.minimum_backoff), seconds(policy.maximum_backoff)
    return _PUSH_BACKOFF_S if subscription.push_config.push_endpoint else None
