"""Metrics that every service has: its version, and memory, CPU time, open files and start time."""

from importlib.metadata import version
from typing import Final

from prometheus_client import CollectorRegistry, Gauge, ProcessCollector

DISTRIBUTION_PREFIX: Final = "signalbox-"


def register_process_metrics(registry: CollectorRegistry, service: str) -> None:
    """Add `signalbox_build_info` and the `process_…` metrics to a service's registry.

    Args:
        service: the name of the service's distribution without `signalbox-`, for example `webhook-receiver`.
    """
    ProcessCollector(registry=registry)
    info = Gauge(
        "signalbox_build_info", "1; the labels name the release", ["service", "version"], registry=registry
    )
    info.labels(service, version(f"{DISTRIBUTION_PREFIX}{service}")).set(1)
