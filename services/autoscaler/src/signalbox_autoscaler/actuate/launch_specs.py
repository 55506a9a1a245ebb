"""What a burst worker is told: its queue, its size, its limits. Pure."""

import math
from typing import Final

from signalbox_autoscaler.model import Launch, Policy
from signalbox_autoscaler.providers.provider import Order

_OVERTIME: Final = 1.25
"""A worker past its lifetime stays while work waits, up to so much longer."""
DRAIN_S: Final = 600


def order_of(launch: Launch, policy: Policy) -> Order:
    """The provider's deadline comes after everything that the worker does by itself: leaving, and draining."""
    settings = {
        "TASK_QUEUES": launch.queue,
        "MAX_ACTIVITIES": launch.slots,
        "HEARTBEAT_S": max(1.0, policy.heartbeat_s),
        "BURST_IDLE_S": max(1.0, policy.idle_exit_s),
        "BURST_MAX_LIFETIME_S": max(1.0, policy.max_lifetime_s),
        "BURST_DRAIN_S": DRAIN_S,
        "PORT": 0,
    }
    return Order(
        launch_id=launch.launch_id,
        workers=launch.workers,
        timeout_s=math.ceil(policy.max_lifetime_s * _OVERTIME) + DRAIN_S,
        environment={f"SIGNALBOX_WORKER_{name}": str(value) for name, value in settings.items()},
    )
