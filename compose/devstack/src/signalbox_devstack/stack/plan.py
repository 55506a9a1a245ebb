"""The list of all parts, in start order. Pure: derived from the configuration alone."""

from typing import Final

from signalbox_devstack.stack.config import StackConfig
from signalbox_devstack.stack.parts.backends import pubsub, redis, temporal
from signalbox_devstack.stack.parts.emulators import demo_site, model_api, portal
from signalbox_devstack.stack.parts.part import Part
from signalbox_devstack.stack.parts.services import autoscaler, gateway, receiver, worker

PART_NAMES: Final = (
    "temporal",
    "redis",
    "pubsub",
    "demo_site",
    "portal",
    "receiver",
    "worker",
    "autoscaler",
    "gateway",
)
OPTIONAL_PARTS: Final = ("model_api",)
"""Parts that start only when they are requested by name."""


def plan(config: StackConfig) -> tuple[Part, ...]:
    """Build the parts in the order of PART_NAMES, with the requested optional parts and worker count."""
    return (
        temporal(config),
        redis(config),
        pubsub(config),
        demo_site(config),
        portal(config),
        *([model_api(config)] if config.has_model_api else []),
        receiver(config),
        *(worker(config, name) for name in worker_names(config.workers)),
        autoscaler(config),
        gateway(config),
    )


def worker_names(count: int) -> tuple[str, ...]:
    """`worker`, `worker-2`, `worker-3` …"""
    return tuple("worker" if number == 1 else f"worker-{number}" for number in range(1, count + 1))
